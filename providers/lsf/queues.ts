/** Queues of LSF and OpenLava that a user may use; `default` is told by `bparams`. */
import type { Answer } from "../outcome.ts";
import type { ListQuestion, QueueInfo } from "../queue_info.ts";

/** `-l` names the limits, and nothing else does. */
export const lsfQueues: ListQuestion<QueueInfo> = { command: "bqueues", args: ["-l"], read: readQueues };

function readQueues({ code, stdout }: Answer): QueueInfo[] | undefined {
  if (code !== 0) return undefined;
  return stdout.split(/^(?=QUEUE: )/m).flatMap((record): QueueInfo[] => {
    const name = record.match(/^QUEUE: (\S+)/)?.[1];
    if (name === undefined) return [];
    const minutes = record.match(/^ RUNLIMIT.*\n\s*([\d.]+) min/m)?.[1];
    const limits = minutes === undefined ? {} : { walltime_max_s: Number(minutes) * 60 };
    return [{ name, is_default: false, is_open: /\bOpen:Active\b/.test(record), ...limits }];
  });
}
