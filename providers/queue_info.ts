/** What a listing of partitions or queues says about one of them, for whoever sets up an endpoint. */
import type { Answer } from "./outcome.ts";

export interface QueueInfo {
  readonly name: string;
  /** Where blocks go that name none. */
  readonly is_default: boolean;
  /** Takes blocks now and starts them. */
  readonly is_open: boolean;
  readonly walltime_max_s?: number;
  readonly nodes_max?: number;
  readonly nodes?: number;
  readonly cores_per_node?: number;
  readonly memory_mib_per_node?: number;
  readonly gpus_per_node?: number;
}

/** What to run for a list, and how to read it; undefined when the answer is none. */
export interface ListQuestion<T> {
  readonly command: string;
  readonly args: readonly string[];
  readonly read: (answer: Answer) => T[] | undefined;
}
