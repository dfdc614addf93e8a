/**
 * All durable facts of an endpoint, changed only by `apply(record)`, in life and in replay alike. What is volatile
 * (which worker answers, who follows) is elsewhere.
 */
import { assert } from "../assert.ts";
import { HeldEnvelope, spills } from "../engine/held_envelope.ts";
import type { ReadyQueue } from "../engine/ready_queue.ts";
import { tombstone_ms } from "../limits.ts";
import { planted } from "../planted.ts";
import type { Result } from "../schema/result.ts";
import { type EnvelopeId, envelopeOf, type TaskId } from "../task/id.ts";
import { phase } from "../task/lifecycle.ts";
import type { Accepted, JournalRecord } from "./journal_record.ts";

/** A remembered id: `from` and `digest` let a late copy be answered as before. */
export interface Tombstone {
  from: string;
  digest: string;
  until_ms: number;
}

/** A pilot job, from before it is asked for until it is proved over. */
export interface BlockRow {
  readonly name: string;
  readonly nodes: number;
  readonly walltime_s: number;
  readonly planned_ms: number;
  /** The scheduler's id of it, once known. */
  job: string | undefined;
}

/** All durable facts of an endpoint. */
export class EndpointMemory {
  readonly held = new Map<EnvelopeId, HeldEnvelope>();
  readonly tombstones = new Map<EnvelopeId, Tombstone>();
  readonly earlyCancels = new Map<EnvelopeId, { by: string; indices: number[]; until_ms: number }>();
  readonly workers = new Map<string, { made_ms: number; block?: string }>();
  readonly blocks = new Map<string, BlockRow>();
  epoch = "";
  paused: string | undefined;
  /** Blocks to keep, where the owner said so. */
  blocks_kept: number | undefined;
  unfinished = 0;
  /** Results that the relay does not have. */
  unstored = 0;
  /** Results that wait for the relay: envelope → indices. */
  readonly unreported = new Map<HeldEnvelope, number[]>();

  readonly ready: ReadyQueue<HeldEnvelope>;
  private latest: HeldEnvelope | undefined;

  constructor(ready: ReadyQueue<HeldEnvelope>) {
    this.ready = ready;
  }

  apply(record: JournalRecord): void {
    switch (record.t) {
      case "accepted":
        return this.accept(record);
      case "leased": {
        const held = this.get(record.re);
        record.indices.forEach((index, k) => {
          held.step(index, phase.leased);
          held.attempts[index] = record.attempts[k] ?? 0;
          held.workers[index] = record.worker;
          const { nodes, workers } = record;
          if (nodes !== undefined && workers !== undefined) held.gangs.set(index, { nodes, workers });
        });
        return;
      }
      case "finished":
        return this.finish(record.re, record.indices, record.results);
      case "requeued":
        return this.requeue(record.re, record.indices, record.why);
      case "reported": {
        const held = this.held.get(record.re);
        if (held === undefined) return;
        for (const index of record.indices) {
          if (held.phases[index] !== phase.finished) continue;
          held.step(index, phase.reported);
          held.results[index] = undefined;
          this.unstored--;
        }
        return;
      }
      case "receipted":
        return this.receipt(record.re, record.indices);
      case "cancelled": {
        const held = this.held.get(record.re);
        if (held === undefined) {
          const { by, indices, early_until_ms: until_ms = 0 } = record;
          this.earlyCancels.set(record.re, { by, indices, until_ms });
        } else this.markCancelled(held, record.indices);
        return;
      }
      case "gone":
        this.forget(record.re);
        this.tombstones.set(record.re, { from: record.from, digest: record.digest, until_ms: record.until_ms });
        return;
      case "epoch":
        this.epoch = record.epoch;
        return;
      case "worker_made":
        this.workers.set(record.worker, {
          made_ms: record.at_ms,
          ...(record.block === undefined ? {} : { block: record.block }),
        });
        return;
      case "block_planned": {
        const { block, name, nodes, walltime_s, at_ms } = record;
        this.blocks.set(block, { name, nodes, walltime_s, planned_ms: at_ms, job: undefined });
        return;
      }
      case "block_submitted": {
        const row = this.blocks.get(record.block);
        if (row !== undefined) row.job = record.job;
        return;
      }
      case "block_over":
        this.blocks.delete(record.block);
        return;
      case "worker_buried":
        this.workers.delete(record.worker);
        return;
      case "paused":
        this.paused = record.reason;
        return;
      case "resumed":
        this.paused = undefined;
        return;
      case "scaled":
        this.blocks_kept = record.blocks;
        return;
    }
  }

  /** The held envelope of a task; undefined when it is not, or not any more, here. Tasks of one come in a row. */
  heldOf(tid: TaskId): HeldEnvelope | undefined {
    if (this.latest !== undefined && tid.startsWith(this.latest.prefix)) return this.latest;
    this.latest = this.held.get(envelopeOf(tid));
    return this.latest;
  }

  /** The held envelope `id`. */
  get(id: EnvelopeId): HeldEnvelope {
    const held = this.held.get(id);
    assert(held !== undefined, "a journal record names an envelope that is held");
    return held;
  }

  /** Results that were on their way when their envelope of results was lost go to the queue of reports again. */
  reportAgain(held: HeldEnvelope, indices: readonly number[]): void {
    const waiting = this.unreported.get(held);
    if (waiting === undefined) this.unreported.set(held, [...indices]);
    else for (const index of indices) waiting.push(index);
  }

  private accept(record: Accepted): void {
    const held = new HeldEnvelope(record.arrival, record.at_ms);
    assert(!this.held.has(held.id), "an envelope is accepted once");
    this.held.set(held.id, held);
    this.unfinished += held.count;
    this.ready.add(held);
    const early = this.earlyCancels.get(held.id);
    if (early !== undefined) {
      this.earlyCancels.delete(held.id);
      if (early.by === held.header.from) this.markCancelled(held, early.indices);
    }
  }

  private markCancelled(held: HeldEnvelope, indices: readonly number[]): void {
    const chosen = indices.length > 0 ? indices : held.phases.keys();
    for (const index of chosen) {
      if (index < held.count && (held.phases[index] ?? 9) < phase.finished) held.cancelling.add(index);
    }
  }

  private finish(re: EnvelopeId, indices: readonly number[], results: readonly Result[]): void {
    const held = this.get(re);
    indices.forEach((index, k) => {
      const before = held.phases[index] ?? 9;
      if (before >= phase.finished) {
        const mistake = planted("resultOverwrite") || planted("lateOverwrite");
        assert(mistake, "a result is never overwritten");
        if (before === phase.reported) held.step(index, phase.finished);
        held.results[index] = results[k];
      } else {
        held.step(index, phase.finished);
        const result = results[k];
        held.results[index] = result;
        if (result !== undefined && spills(result)) held.spilled.add(index);
        held.workers[index] = undefined;
        held.gangs.delete(index);
        held.broken.delete(index);
        held.cancelling.delete(index);
        held.unfinished--;
        this.unfinished--;
        this.unstored++;
      }
    });
    this.reportAgain(held, indices);
  }

  private requeue(
    re: EnvelopeId,
    indices: readonly number[],
    why: "unstarted" | "interrupt" | "crash" | "retry",
  ): void {
    const held = this.get(re);
    for (const index of indices) {
      held.step(index, phase.ready);
      held.workers[index] = undefined;
      held.gangs.delete(index);
      held.broken.delete(index);
      if (why === "crash") held.crashes[index] = (held.crashes[index] ?? 0) + 1;
      if (why === "retry") held.retried[index] = (held.retried[index] ?? 0) + 1;
      if (why === "retry" || why === "interrupt") held.spent[index] = held.attempts[index] ?? 0;
      held.back.push(index);
    }
    this.ready.add(held);
  }

  private receipt(re: EnvelopeId, indices: readonly number[]): void {
    const held = this.held.get(re);
    if (held === undefined) return;
    for (const index of indices) {
      const before = held.phases[index];
      if (before !== phase.finished && before !== phase.reported) continue;
      held.step(index, phase.receipted);
      held.results[index] = undefined;
      if (before === phase.finished) this.unstored--;
      held.unreceipted--;
    }
  }

  private forget(re: EnvelopeId): void {
    const held = this.held.get(re);
    if (held === undefined) return;
    this.held.delete(re);
    this.latest = undefined;
    this.unreported.delete(held);
    this.unfinished -= held.unfinished;
    held.unfinished = 0;
    this.ready.remove(held);
  }
}

/** When an id that is gone at `now_ms` may be forgotten: 30 days after its task could still have been sent. */
export function tombstoneUntil(held: HeldEnvelope, now_ms: number): number {
  return Math.max(held.header.expires_ms, now_ms) + tombstone_ms;
}
