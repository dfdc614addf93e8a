/**
 * Results from the moment they are known until the endpoint acknowledges them: stored before they are told, told
 * again on every new link, forgotten one by one. Results are gathered for a moment while more work waits
 * (performance.md R1), so that one fdatasync serves many; when nothing waits they go at once. All that comes behind
 * (the endpoint's journal, the relay, the client) is paid per report, so the longer moment for batches is what they
 * live by.
 */

import type { Decision } from "../host/turn.ts";
import { gather_ms, gatherBatch_ms } from "../limits.ts";
import { planted } from "../planted.ts";
import { carriedBytes } from "../task/result_size.ts";
import { type AttemptKey, type FinishedAttempt, type HeldAttempt, keyOf } from "./attempt.ts";
import type { WorkerEffect, WorkerRecord } from "./decision.ts";

type Out = Decision<WorkerRecord, WorkerEffect>;

/** Attempts that were acknowledged and are still recognised if they come again. */
const rememberedMax = 20_000;
/** While nothing can be stored, it is tried again after this time. */
const storageRetry_ms = 1_000;
/** Estimated size of one report at most, far below the largest frame. */
const reportBytesMax = 4 * 1024 * 1024;

export class Unacknowledged {
  readonly #finished = new Map<AttemptKey, FinishedAttempt>();
  /** In two generations: forgetting the oldest one by one would cost more with every one forgotten. */
  #acknowledged = new Set<AttemptKey>();
  #acknowledgedBefore = new Set<AttemptKey>();
  /** Neither stored nor told. */
  #fresh: FinishedAttempt[] = [];
  /** Stored, or queued to be, and to be told again. */
  #again: FinishedAttempt[] = [];
  #starts: HeldAttempt[] = [];
  /** How long the moment is that was begun last and is not over. */
  #gathering_ms = Number.POSITIVE_INFINITY;
  /** Among the fresh is one that nobody should wait for long. */
  #urgent = false;
  #storable = true;

  /** `stored`: results of an earlier life, in the spool. */
  constructor(stored: readonly FinishedAttempt[]) {
    for (const item of stored) this.#finished.set(keyOf(item.tid, item.attempt), item);
  }

  get(key: AttemptKey): FinishedAttempt | undefined {
    return this.#finished.get(key);
  }

  wasAcknowledged(key: AttemptKey): boolean {
    return this.#acknowledged.has(key) || this.#acknowledgedBefore.has(key);
  }

  /** Whether no result is left, stored or not. */
  get none(): boolean {
    return this.#finished.size === 0;
  }

  /** Whether every result was stored and told at least once. */
  get allTold(): boolean {
    return this.#fresh.length === 0 && this.#again.length === 0;
  }

  values(): IterableIterator<FinishedAttempt> {
    return this.#finished.values();
  }

  /** `urgent`: somebody may be waiting for this very result. */
  add(key: AttemptKey, item: FinishedAttempt, urgent: boolean): void {
    this.#finished.set(key, item);
    this.#fresh.push(item);
    this.#urgent ||= urgent;
  }

  /** A task has started; told with the next report, unless it is over by then. */
  started(held: HeldAttempt, out: Out): void {
    this.#starts.push(held);
    this.#gather(gatherBatch_ms, out);
  }

  /** The endpoint seems not to have got this one. */
  tellAgain(item: FinishedAttempt): void {
    this.#again.push(item);
  }

  /** A new link: whatever is not acknowledged is told again. */
  tellAllAgain(): void {
    if (planted("workerFireOnce")) return;
    const fresh = new Set(this.#fresh);
    this.#again = [...this.#finished.values()].filter((item) => !fresh.has(item));
  }

  /** Tells what there is: at once, or in a moment if `more_waits`. */
  tell(more_waits: boolean, hurry: boolean, out: Out): void {
    if (this.allTold || !this.#storable) return;
    if (!more_waits) this.flush(hurry, out);
    else this.#gather(this.#urgent ? gather_ms : gatherBatch_ms, out);
  }

  /** The moment is over. */
  gathered(hurry: boolean, out: Out): void {
    this.#gathering_ms = Number.POSITIVE_INFINITY;
    if (this.#storable) this.flush(hurry, out);
    else out.effects.push({ t: "try_storage" });
  }

  /** Tells now, unless nothing can be stored: then all waits until it can. */
  flush(hurry: boolean, out: Out): void {
    if (!this.#storable) return;
    const started = this.#starts.filter(({ phase }) => phase !== "over").map(({ tid, attempt }) => ({ tid, attempt }));
    const fresh = this.#fresh;
    const all = this.#again.length === 0 ? fresh : [...this.#again, ...fresh];
    this.#starts = [];
    this.#fresh = [];
    this.#again = [];
    this.#urgent = false;
    const kept = [...portions(fresh)];
    for (const finished of kept) out.records.push({ t: "finished", finished });
    if (started.length > 0) out.effects.push({ t: "report", started, finished: [], hurry });
    for (const finished of all === fresh ? kept : portions(all))
      out.effects.push({ t: "report", started: [], finished, hurry });
    if (planted("discardOnSend")) for (const { tid, attempt } of all) this.#finished.delete(keyOf(tid, attempt));
  }

  /** Whether things can be stored, as far as is known. If not, no task may start. */
  get storable(): boolean {
    return this.#storable;
  }

  storageWorks(): void {
    this.#storable = true;
  }

  /** These could not be stored: they wait, and so does every start. */
  unsafe(finished: readonly FinishedAttempt[], out: Out): void {
    this.#storable = false;
    this.#again.push(...finished.filter((item) => this.#finished.has(keyOf(item.tid, item.attempt))));
    this.#gathering_ms = Number.POSITIVE_INFINITY;
    this.#gather(storageRetry_ms, out);
  }

  /** The endpoint has it in its journal. Returns it, or undefined if it was acknowledged before. */
  acknowledge(tid: string, attempt: number): FinishedAttempt | undefined {
    const key = keyOf(tid, attempt);
    const item = this.#finished.get(key);
    if (item === undefined) return undefined;
    this.#finished.delete(key);
    this.#acknowledged.add(key);
    if (this.#acknowledged.size > rememberedMax / 2) {
      this.#acknowledgedBefore = this.#acknowledged;
      this.#acknowledged = new Set();
    }
    return item;
  }

  #gather(delay_ms: number, out: Out): void {
    if (delay_ms >= this.#gathering_ms) return;
    this.#gathering_ms = delay_ms;
    out.effects.push({ t: "gather", delay_ms });
  }
}

/** Cuts a list of results so that each part fits into a frame. */
function* portions(items: readonly FinishedAttempt[]): Generator<FinishedAttempt[]> {
  let portion: FinishedAttempt[] = [];
  let bytes = 0;
  for (const item of items) {
    const size = 600 + carriedBytes(item.result) * 1.5;
    if (portion.length > 0 && bytes + size > reportBytesMax) {
      yield portion;
      portion = [];
      bytes = 0;
    }
    portion.push(item);
    bytes += size;
  }
  if (portion.length > 0) yield portion;
}
