/** What tests of blocks have in common: the settings of an endpoint, and what its scheduler and its workers say. */
import type { BatchSettings } from "../../core/endpoint/batch_settings.ts";
import type { EndpointEffect, EndpointEvent } from "../../core/endpoint/decision.ts";
import type { BlockState } from "../../providers/outcome.ts";
import type { Driver } from "./driver.ts";

/** Of an endpoint that asks for blocks of one node with two slots. */
export const settings: BatchSettings = {
  kind: "batch",
  tasks_max: 1000,
  init_blocks: 0,
  min_blocks: 0,
  max_blocks: 4,
  nodes_per_block: 1,
  slots_per_node: 2,
  parallelism: 1,
  max_idle_ms: 60_000,
  walltime_s: 3600,
  warn_s: 60,
  submit_gap_ms: 10_000,
  poll_fast_ms: 5000,
  poll_slow_ms: 30_000,
  absent_polls: 2,
  absent_after_ms: 30_000,
};

/** The effects of one kind. */
export const of = <T extends EndpointEffect["t"]>(effects: EndpointEffect[], t: T) =>
  effects.filter((effect): effect is Extract<EndpointEffect, { t: T }> => effect.t === t);

/** The scheduler has taken a block. */
export const accepted = (block: string, job = "17"): EndpointEvent => {
  return { t: "block_sent", block, outcome: { is: "accepted", id: job }, now_ms: 0 };
};
/** The scheduler tells how a block is. */
export const seen = (block: string, state: BlockState, now_ms = 0, last_words?: string): EndpointEvent => {
  const words = last_words === undefined ? {} : { last_words };
  const sights = [{ block, sight: { seen: "seen" as const, state, raw: "X" }, ...words }];
  return { t: "blocks_seen", sights, found: [], names_covered: false, now_ms };
};
/** Id of a worker of a block. */
export const workerOf = (block: string, k = 1): string => `${block.slice(0, 28)}0000000${k}`;
/** The first worker of a block answers, with two slots. */
export const up = (driver: Driver, block: string, now_ms = 0): EndpointEvent => {
  const event = driver.ready(workerOf(block), 2) as Extract<EndpointEvent, { t: "worker_up" }>;
  return { ...event, block, now_ms };
};
