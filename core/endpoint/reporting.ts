/**
 * Results on their way out: from a worker (or from a dead worker's spool) into the journal, from there to the relay.
 * The first durable result of a task is its result; everything that comes later is acknowledged and dropped.
 */

import { type HeldEnvelope, spills } from "../engine/held_envelope.ts";
import { resultsPerEnvelopeMax } from "../limits.ts";
import { planted } from "../planted.ts";
import type { Result } from "../schema/result.ts";
import { type EnvelopeId, hashUuid, indexOf, type TaskId } from "../task/id.ts";
import { phase } from "../task/lifecycle.ts";
import { carriedBytes } from "../task/result_size.ts";
import type { Desk } from "./decision.ts";
import { poison } from "./intake.ts";

/** One finished attempt as a worker tells it. */
export interface FinishedAttempt {
  tid: string;
  attempt: number;
  result: Result;
}

/** Bytes of output in one envelope of results; sealed and escaped it stays below the body limit. */
const outputBytesPerEnvelope = 3 * 1024 * 1024;
/** Deposits that may be unanswered before results are gathered. */
const depositsInFlightMax = 2;
/** Estimated bytes that may be unanswered at all; what is beyond waits in memory, the link would wait no better. */
const depositWindowBytes = 8 * 1024 * 1024;
/** A result without output, sealed. */
const resultBytes = 400;

class Batch {
  readonly held: HeldEnvelope;
  readonly seen = new Set<number>();
  readonly indices: number[] = [];
  readonly attempts: number[] = [];
  readonly results: Result[] = [];

  constructor(held: HeldEnvelope) {
    this.held = held;
  }
}

/**
 * Takes in finished attempts. Returns what the worker may forget, and attempts elsewhere that have become pointless.
 */
export function takeFinished(
  desk: Desk,
  finished: readonly FinishedAttempt[],
): { done: { tid: string; attempt: number }[]; pointless: { worker: string; tid: TaskId; attempt: number }[] } {
  const batches = new Map<HeldEnvelope, Batch>();
  const done: { tid: string; attempt: number }[] = [];
  const pointless: { worker: string; tid: TaskId; attempt: number }[] = [];
  let batch: Batch | undefined;
  for (const { tid, attempt, result } of finished) {
    const held = desk.memory.heldOf(tid as TaskId);
    const index = indexOf(tid as TaskId);
    done.push({ tid, attempt });
    if (held === undefined || index >= held.count) continue;
    const now = held.phases[index] ?? phase.receipted;
    if (now >= phase.finished && !overwritten(now)) continue;
    if (batch?.held !== held) batch = batches.get(held);
    if (batch?.seen.has(index) === true) continue;
    const current = held.attempts[index] ?? 0;
    if (attempt > current) {
      desk.effect({ t: "log", level: "error", event: "attempt.unknown", fields: { tid, attempt, current } });
      if (!planted("leaseNoFence")) continue;
    }
    if (attempt <= (held.spent[index] ?? 0)) continue;
    const stale = attempt < current || now === phase.ready;
    if (stale && planted("staleAttemptDropped")) continue;
    const why = again(held, index, result);
    if (why !== undefined) {
      if (!stale) desk.record({ t: "requeued", re: held.id, indices: [index], why });
      if (!stale && why === "crash") poison(desk, held, index, result.ended_ms);
      if (spills(result)) desk.effect({ t: "drop_output", tid: tid as TaskId, attempt });
      continue;
    }
    const worker = held.workers[index];
    if (stale && worker !== undefined) pointless.push({ worker, tid: tid as TaskId, attempt: current });
    if (batch === undefined) {
      batch = new Batch(held);
      batches.set(held, batch);
    }
    batch.seen.add(index);
    batch.indices.push(index);
    batch.attempts.push(attempt);
    batch.results.push(final(held, index, result));
  }
  for (const [held, { indices, attempts, results }] of batches) {
    desk.record({ t: "finished", re: held.id, indices, attempts, results });
  }
  return { done, pointless };
}

function overwritten(now: number): boolean {
  return (now === phase.finished && planted("resultOverwrite")) || (now >= phase.reported && planted("lateOverwrite"));
}

/** Why an attempt that ended is followed by another, if it is. */
function again(held: HeldEnvelope, index: number, result: Result): "interrupt" | "crash" | "retry" | undefined {
  if (held.cancelling.has(index)) return undefined;
  // An interrupted attempt with number 0 was never started, so that starting it is no second start.
  const startable = held.onLost(index) === "rerun" || result.attempt === 0;
  // Where a node died under it, the task may be why, as with a worker that died.
  const why = held.broken.get(index) === true && result.attempt > 0 ? "crash" : "interrupt";
  if (result.outcome.class === "lost") return startable ? why : undefined;
  const retries = held.spec(index).retries ?? 0;
  if (result.outcome.class === "fail" && (held.retried[index] ?? 0) < retries) return "retry";
  return undefined;
}

/** What the user gets: an attempt that was interrupted while a cancel was on its way counts as cancelled. */
function final(held: HeldEnvelope, index: number, result: Result): Result {
  if (result.outcome.class !== "lost") return result;
  if (!held.cancelling.has(index)) {
    if (!held.broken.has(index)) return result;
    const reason = "One of its nodes was lost, and the task may be started only once (on_lost: fail)";
    return { ...result, outcome: { ...result.outcome, reason } };
  }
  return { ...result, outcome: { ...result.outcome, class: "cancelled", cause: "cancel", exit_code: 143 } };
}

/**
 * Results that a relay of a new epoch has to be told again. Its epoch is written down only when it has them all: a
 * crash before that begins anew.
 */
export class Recall {
  private readonly open = new Map<EnvelopeId, Set<number>>();
  /** The relay of this epoch knows all envelopes. */
  announced: string | undefined;

  add(re: EnvelopeId, indices: readonly number[]): void {
    const open = this.open.get(re) ?? new Set();
    for (const index of indices) open.add(index);
    if (open.size > 0) this.open.set(re, open);
  }

  /** These are stored, or their user has them. */
  over(re: EnvelopeId, indices: readonly number[]): void {
    const open = this.open.get(re);
    if (open === undefined) return;
    for (const index of indices) open.delete(index);
    if (open.size === 0) this.open.delete(re);
  }

  settle(desk: Desk): void {
    if (this.announced === undefined || this.open.size > 0) return;
    desk.record({ t: "epoch", epoch: this.announced });
    this.announced = undefined;
  }
}

/** Envelopes of results that the relay has not confirmed. */
export class Deposits {
  private readonly inFlight = new Map<string, { held: HeldEnvelope; indices: number[]; bytes: number }>();
  private inFlightBytes = 0;
  private readonly boot: string;
  private count = 0;
  readonly recall = new Recall();

  /** `boot` is random per start: ids of two starts never meet. */
  constructor(boot: string) {
    this.boot = boot;
  }

  /** Sends what waits, unless enough is on its way: then results gather, and the next envelope is larger. */
  flush(desk: Desk): void {
    if (this.inFlight.size >= depositsInFlightMax) return;
    for (const [held, indices] of desk.memory.unreported) {
      desk.memory.unreported.delete(held);
      const rest = this.send(desk, held, indices);
      if (rest.length > 0) desk.memory.reportAgain(held, rest);
      if (this.inFlightBytes >= depositWindowBytes) return;
    }
  }

  /** The relay has these on stable storage. */
  stored(desk: Desk, ids: readonly string[]): void {
    for (const id of ids) {
      const sent = this.inFlight.get(id);
      if (sent === undefined) continue;
      this.drop(id, sent.bytes);
      desk.record({ t: "reported", re: sent.held.id, indices: sent.indices });
      this.recall.over(sent.held.id, sent.indices);
    }
    this.recall.settle(desk);
  }

  /** The link is gone: whatever was not confirmed is sent again. */
  forget(desk: Desk): void {
    this.again(desk, [...this.inFlight.keys()]);
  }

  /** These were not stored: their results wait again. */
  again(desk: Desk, ids: readonly string[]): void {
    for (const id of ids) {
      const sent = this.inFlight.get(id);
      if (sent === undefined) continue;
      this.drop(id, sent.bytes);
      const { held, indices } = sent;
      const open = indices.filter((index) => held.phases[index] === phase.finished);
      if (open.length > 0 && desk.memory.held.has(held.id)) desk.memory.reportAgain(held, open);
    }
  }

  /** Finished tasks that the relay does not have. */
  waiting(desk: Desk): number {
    let sum = 0;
    for (const { indices } of this.inFlight.values()) sum += indices.length;
    for (const indices of desk.memory.unreported.values()) sum += indices.length;
    return sum;
  }

  private drop(id: string, bytes: number): void {
    this.inFlight.delete(id);
    this.inFlightBytes -= bytes;
  }

  /** Sends results of one envelope as far as the window allows; returns the rest. */
  private send(desk: Desk, held: HeldEnvelope, waiting: readonly number[]): number[] {
    let indices: number[] = [];
    let results: Result[] = [];
    let bytes = 0;
    const close = (): void => {
      if (indices.length === 0) return;
      const id = hashUuid("gc-deposit-v1", this.boot, String(this.count++));
      this.inFlight.set(id, { held, indices, bytes });
      this.inFlightBytes += bytes;
      desk.effect({ t: "deposit", id, held, indices, results });
      indices = [];
      results = [];
      bytes = 0;
    };
    for (const [k, index] of waiting.entries()) {
      const result = held.results[index];
      if (result === undefined) continue;
      if (this.inFlightBytes + bytes >= depositWindowBytes) {
        close();
        return waiting.slice(k);
      }
      const size = resultBytes + carriedBytes(result);
      if (indices.length === resultsPerEnvelopeMax || (bytes > 0 && bytes + size > outputBytesPerEnvelope)) close();
      indices.push(index);
      results.push(result);
      bytes += size;
    }
    close();
    return [];
  }
}

/** Which results an envelope still has to keep for a relay that forgot everything. */
export function unreceipted(held: HeldEnvelope): number[] {
  const indices: number[] = [];
  held.phases.forEach((now, index) => {
    if (now === phase.reported) indices.push(index);
  });
  return indices;
}
