/** Queues and parallel environments of Grid Engine: two lists of names; more is behind a question for each. */
import type { Answer } from "../outcome.ts";
import type { ListQuestion, QueueInfo } from "../queue_info.ts";

export const gridEngineQueues: ListQuestion<QueueInfo> = {
  command: "qconf",
  args: ["-sql"],
  read: (answer) => names(answer)?.map((name) => ({ name, is_default: false, is_open: true })),
};

export const parallelEnvironments: ListQuestion<string> = { command: "qconf", args: ["-spl"], read: names };

function names({ code, stdout }: Answer): string[] | undefined {
  return code === 0 ? stdout.split("\n").filter((line) => /^[\w.@:-]+$/.test(line)) : undefined;
}
