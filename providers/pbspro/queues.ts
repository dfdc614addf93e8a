/** Queues of PBS Pro. Routing queues pass on and count too; who may use one is not always to be seen. */
import type { Answer } from "../outcome.ts";
import type { ListQuestion, QueueInfo } from "../queue_info.ts";
import { secondsOf } from "../walltime.ts";
import { type JsonObject, numberAt, objectAt, pbsJson, textAt } from "./json.ts";

export const pbsQueues: ListQuestion<QueueInfo> = {
  command: "qstat",
  args: ["-Q", "-f", "-F", "json"],
  read: readQueues,
};

function readQueues({ code, stdout }: Answer): QueueInfo[] | undefined {
  const queues = code === 0 ? objectAt(pbsJson(stdout), "Queue") : undefined;
  if (queues === undefined) return undefined;
  return Object.entries(queues).map(([name, queue]) => queueOf(name, queue as JsonObject));
}

function queueOf(name: string, queue: JsonObject): QueueInfo {
  const most = objectAt(queue, "resources_max");
  const walltime_max_s = secondsOf(textAt(most, "walltime"));
  const nodes_max = numberAt(most, "nodect");
  return {
    name,
    // Which one is the default is an attribute of the server.
    is_default: false,
    is_open: textAt(queue, "enabled") === "True" && textAt(queue, "started") === "True",
    ...(walltime_max_s === undefined ? {} : { walltime_max_s }),
    ...(nodes_max === undefined ? {} : { nodes_max }),
  };
}
