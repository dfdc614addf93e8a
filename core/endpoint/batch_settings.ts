/** What a batch engine is set to do: read from its configuration by `batch_engine.ts`, obeyed by `blocks.ts`. */
import type { LargestNode } from "../engine/largest_node.ts";
import type { ScalingRules } from "../engine/scaling.ts";
import type { OpeningHours } from "./opening_hours.ts";

/** What a batch engine is set to do. */
export interface BatchSettings extends ScalingRules {
  readonly kind: "batch";
  readonly tasks_max: number;
  readonly largest?: LargestNode;
  readonly walltime_s: number;
  /** When blocks may be asked for. Undefined: always. */
  readonly hours?: OpeningHours;
  /** So long before its end a block gets no more tasks. */
  readonly warn_s: number;
  /** Between two submissions. */
  readonly submit_gap_ms: number;
  /** Between two looks at the scheduler: while something is expected to change, and otherwise. */
  readonly poll_fast_ms: number;
  readonly poll_slow_ms: number;
  /** A block that is not listed counts as gone after so many looks in a row and so long after its submission. */
  readonly absent_polls: number;
  readonly absent_after_ms: number;
}
