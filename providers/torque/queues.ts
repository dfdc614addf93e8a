/** Queues of Torque, from `qstat -Q -f`: a line with the name of a queue, and then lines of attributes. */
import type { Answer } from "../outcome.ts";
import type { ListQuestion, QueueInfo } from "../queue_info.ts";
import { secondsOf } from "../walltime.ts";

export const torqueQueues: ListQuestion<QueueInfo> = { command: "qstat", args: ["-Q", "-f"], read: readQueues };

function readQueues({ code, stdout }: Answer): QueueInfo[] | undefined {
  if (code !== 0) return undefined;
  return stdout.split(/^(?=Queue: )/m).flatMap((record): QueueInfo[] => {
    const name = record.match(/^Queue: (\S+)/)?.[1];
    if (name === undefined) return [];
    const at = (key: string) => record.match(new RegExp(`^\\s+${key} = (.+)$`, "m"))?.[1]?.trim() ?? "";
    const walltime_max_s = secondsOf(at("resources_max\\.walltime"));
    const nodes_max = Number(at("resources_max\\.nodect") || 0);
    return [
      {
        name,
        is_default: false,
        is_open: at("enabled") === "True" && at("started") === "True",
        ...(walltime_max_s === undefined ? {} : { walltime_max_s }),
        ...(nodes_max > 0 ? { nodes_max } : {}),
      },
    ];
  });
}
