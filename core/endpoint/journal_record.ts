/**
 * What an endpoint writes down, one record per fact. The state of an endpoint is nothing but these records applied in
 * order (`held.ts`), so a restart is a replay. Records travel to disk as frames of `wire/codec.ts`.
 */
import type { Arrival } from "../engine/held_envelope.ts";
import { planted } from "../planted.ts";
import type { Result } from "../schema/result.ts";
import type { EnvelopeId } from "../task/id.ts";

/** A task envelope is ours now. `refused`: the sentence that is the result of all its tasks. `arrival` is not written:
 * it is made again from the bytes. */
export interface Accepted {
  t: "accepted";
  at_ms: number;
  refused?: string;
  bytes: [Uint8Array];
  arrival: Arrival;
}
/** Attempts `attempts[k]` of tasks `indices[k]` go to `worker`. */
export interface Leased {
  t: "leased";
  worker: string;
  re: EnvelopeId;
  indices: number[];
  attempts: number[];
  /** Of a task on whole nodes, which has a record of its own: all its workers and their hosts, the lead's first. */
  nodes?: string[];
  workers?: string[];
}
/** Results; the first one of a task is the one for ever. */
export interface Finished {
  t: "finished";
  re: EnvelopeId;
  indices: number[];
  attempts: number[];
  results: Result[];
}
/** These go back to the queue. `crash` and `retry` count; `unstarted` and `interrupt` do not. */
export interface Requeued {
  t: "requeued";
  re: EnvelopeId;
  indices: number[];
  why: "unstarted" | "interrupt" | "crash" | "retry";
}
/** The relay has these results. */
export interface Reported {
  t: "reported";
  re: EnvelopeId;
  indices: number[];
}
/** The user has these results. */
export interface Receipted {
  t: "receipted";
  re: EnvelopeId;
  indices: number[];
}
/** The user wants these ended; no indices: all. May come before the envelope itself, then `early` until that time. */
export interface Cancelled {
  t: "cancelled";
  re: EnvelopeId;
  by: string;
  indices: number[];
  early_until_ms?: number;
}
/** Nothing is left to do for this envelope; its id is remembered until then, so that a late copy does not run. */
export interface Gone {
  t: "gone";
  re: EnvelopeId;
  from: string;
  digest: string;
  until_ms: number;
}
/** The relay lost its memory and was told everything again. */
export interface Epoch {
  t: "epoch";
  epoch: string;
}
/** A worker is about to be started, or the first that is heard of a worker of a block. */
export interface WorkerMade {
  t: "worker_made";
  worker: string;
  at_ms: number;
  block?: string;
}
/** A block is about to be asked for; written before the scheduler hears of it. `name` is what it is called there. */
export interface BlockPlanned {
  t: "block_planned";
  block: string;
  name: string;
  nodes: number;
  walltime_s: number;
  at_ms: number;
}
/** The scheduler has it under this id. */
export interface BlockSubmitted {
  t: "block_submitted";
  block: string;
  job: string;
}
/** It is proved over (or was never accepted), and all its workers are buried. */
export interface BlockOver {
  t: "block_over";
  block: string;
  reason: string;
}
/** A worker is proved dead and its spool has been read. */
export interface WorkerBuried {
  t: "worker_buried";
  worker: string;
}
/** No new tasks are started until `resumed`. */
export interface Paused {
  t: "paused";
  reason: string;
}
export interface Resumed {
  t: "resumed";
}

/** The owner said how many blocks are kept when there is nothing to do; without a number, the configuration says. */
export interface Scaled {
  t: "scaled";
  blocks?: number;
}

export type JournalRecord =
  | Accepted
  | Leased
  | Finished
  | Requeued
  | Reported
  | Receipted
  | Cancelled
  | Gone
  | Epoch
  | WorkerMade
  | WorkerBuried
  | BlockPlanned
  | BlockSubmitted
  | BlockOver
  | Paused
  | Resumed
  | Scaled;

/** Whether something is acknowledged on the strength of this record, so that it must be on stable storage first. */
export function mustBeDurable(record: JournalRecord): boolean {
  switch (record.t) {
    case "reported":
    case "epoch":
    case "worker_buried":
    case "block_over":
      return false;
    default:
      return true;
  }
}

/** False only for planted mistakes: records that a broken endpoint would acknowledge without having written them. */
export function reallyWritten(record: JournalRecord): boolean {
  if (record.t === "accepted") return !planted("epAckBeforeStore");
  if (record.t === "finished") return !planted("resultMemOnly");
  if (record.t === "leased") return !planted("attemptNotPersisted");
  return true;
}
