/** How to ask each scheduler for its partitions or queues. */
import type { SchedulerName } from "../core/schema/batch_engine.ts";
import { cobaltQueues } from "./cobalt/queues.ts";
import { gridEngineQueues } from "./gridengine/queues.ts";
import { lsfQueues } from "./lsf/queues.ts";
import { pbsQueues } from "./pbspro/queues.ts";
import type { ListQuestion, QueueInfo } from "./queue_info.ts";
import { partitions } from "./slurm/queues.ts";
import { torqueQueues } from "./torque/queues.ts";

export const queueQuestions: { readonly [name in SchedulerName]: ListQuestion<QueueInfo> } = {
  slurm: partitions,
  pbspro: pbsQueues,
  torque: torqueQueues,
  lsf: lsfQueues,
  openlava: lsfQueues,
  cobalt: cobaltQueues,
  gridengine: gridEngineQueues,
};
