/** Queues of Cobalt. */
import type { Answer } from "../outcome.ts";
import type { ListQuestion, QueueInfo } from "../queue_info.ts";
import { secondsOf } from "../walltime.ts";

export const cobaltQueues: ListQuestion<QueueInfo> = { command: "qstat", args: ["-Q"], read: readQueues };

function readQueues({ code, stdout }: Answer): QueueInfo[] | undefined {
  const [heading = "", rule = "", ...rows] = stdout.split("\n").filter((line) => line.trim() !== "");
  if (code !== 0 || !/^Name .*State/.test(heading) || !/^=+$/.test(rule)) return undefined;
  const titles = heading.trim().split(/\s+/);
  return rows.flatMap((row): QueueInfo[] => {
    const cells = new Map(
      row
        .trim()
        .split(/\s+/)
        .map((cell, i) => [titles[i] ?? "", cell]),
    );
    const name = cells.get("Name");
    if (name === undefined || cells.size !== titles.length) return [];
    const walltime_max_s = secondsOf(cells.get("MaxTime") ?? "");
    const limits = walltime_max_s === undefined ? {} : { walltime_max_s };
    return [{ name, is_default: name === "default", is_open: cells.get("State") === "running", ...limits }];
  });
}
