/**
 * A map as it runs: inputs become tasks as fast as the limit of tasks in flight allows, results are shown and logged
 * as they come or in order. A line is logged when its output is out; the receipt for its result goes after that, so a
 * kill at any moment loses nothing and runs nothing twice.
 */
import { GcError } from "../../core/errors.ts";
import type { ResultClass } from "../../core/schema/envelope.ts";
import type { Result } from "../../core/schema/result.ts";
import type { TaskSpec } from "../../core/schema/task.ts";
import type { Deliveries, Delivery } from "../../core/submit/deliveries.ts";
import { type EnvelopeId, envelopeOf, indexOf, type PrincipalId, type TaskId, taskId } from "../../core/task/id.ts";
import { isWhole } from "../result.ts";
import type { TaskDesk } from "../task_desk.ts";
import { type HaltPolicy, isHalted } from "./halt.ts";
import type { Joblog } from "./joblog.ts";
import type { Item, MapOutput } from "./output.ts";
import type { Progress } from "./progress.ts";
import type { Submitting } from "./submitting.ts";

export interface MapParts {
  readonly desk: TaskDesk;
  readonly endpoint: PrincipalId;
  readonly submitting: Submitting;
  readonly deliveries: Deliveries;
  readonly output: MapOutput;
  readonly progress: Progress;
  readonly joblog: Joblog | undefined;
  readonly halt: HaltPolicy | undefined;
  /** Tasks that may be submitted and not ended. */
  readonly in_flight_max: number;
  readonly keep_order: boolean;
}

interface Ended {
  readonly item: Item;
  readonly id: TaskId;
  readonly from: PrincipalId;
  readonly class: ResultClass;
  readonly result: Result;
}

/** Tasks in the first batches, so that the first starts soon; later ones are larger. */
const batchFirst = 16;
const batchMax = 1000;
/** Results that wait for their turn; the input waits for the first of them then. */
const heldMax = 20_000;
const batchChars = 2 * 1024 * 1024;

export class Mapper {
  done = 0;
  failed = 0;
  total: number | undefined;
  /** Why no more tasks are started: the policy, or a signal. */
  halted: "now" | "soon" | undefined;
  private readonly before: number;
  private readonly parts: MapParts;
  private readonly inFlight = new Map<TaskId, Item>();
  private readonly earlier: Map<number, TaskId>;
  private readonly earlierIds: Set<TaskId>;
  /** Results of an earlier run's tasks whose input has not been read again yet. */
  private readonly early = new Map<TaskId, Omit<Ended, "item">>();
  /** Results that wait for their turn, by number. */
  private readonly held = new Map<number, Ended>();
  private nextShown = 1;
  private batch: { item: Item; spec: TaskSpec; size: number }[] = [];
  private batchSize = batchFirst;
  private all_read = false;
  private wake: (() => void) | undefined;

  constructor(parts: MapParts) {
    this.parts = parts;
    this.before = parts.joblog?.done.size ?? 0;
    this.done = this.before;
    this.failed = parts.joblog?.failed ?? 0;
    this.earlier = parts.joblog === undefined ? new Map() : parts.submitting.earlier();
    for (const seq of parts.joblog?.done.keys() ?? []) this.earlier.delete(seq);
    this.earlierIds = new Set(this.earlier.values());
  }

  /** Runs all tasks to their end. */
  async run(tasks: AsyncIterable<{ item: Item; spec: TaskSpec }[]>): Promise<void> {
    const reading = this.read(tasks).catch((error) => {
      this.parts.deliveries.stop();
      throw error;
    });
    const taking = this.take();
    await Promise.all([reading, taking]);
  }

  /** Starts no more tasks; `now`: cancels those in flight. */
  stop(when: "now" | "soon"): void {
    if (this.halted === "now") return;
    this.halted = when;
    this.batch = [];
    this.wake?.();
    if (when === "now") this.cancelAll();
    this.endIfDone();
  }

  private async read(tasks: AsyncIterable<{ item: Item; spec: TaskSpec }[]>): Promise<void> {
    let seq = 0;
    for await (const chunk of tasks) {
      for (const { item, spec } of chunk) {
        seq = item.seq;
        if (this.halted !== undefined) break;
        await this.offer(item, spec);
      }
      this.flush();
      if (this.halted !== undefined) break;
    }
    if (this.halted === undefined) this.total = seq;
    this.all_read = true;
    this.endIfDone();
  }

  private async offer(item: Item, spec: TaskSpec): Promise<void> {
    const { joblog, in_flight_max } = this.parts;
    if (joblog?.done.has(item.seq) === true) {
      joblog.requireSame(item.seq, item.command);
      if (this.nextShown === item.seq) await this.showHeld();
      return;
    }
    const isFull = (): boolean => this.inFlight.size + this.batch.length >= in_flight_max || this.held.size >= heldMax;
    while (isFull() && this.halted === undefined) {
      this.flush();
      await new Promise<void>((resolve) => {
        this.wake = resolve;
      });
    }
    if (this.halted !== undefined) return;
    const id = this.earlier.get(item.seq);
    if (id !== undefined) return this.attach(item, spec, id);
    this.queue(item, spec);
  }

  /** A task that an earlier run submitted: its result is waited for, or is here. */
  private async attach(item: Item, spec: TaskSpec, id: TaskId): Promise<void> {
    this.flush();
    const there = this.early.get(id);
    this.earlier.delete(item.seq);
    if (there === undefined) {
      this.inFlight.set(id, item);
      return;
    }
    this.early.delete(id);
    if (there.class === "cancelled") this.queue(item, spec);
    else await this.end({ ...there, item });
  }

  private queue(item: Item, spec: TaskSpec): void {
    const size = JSON.stringify(spec).length;
    const last = this.batch.at(-1);
    const chars = this.batch.reduce((sum, each) => sum + each.size, 0);
    const full = this.batch.length >= this.batchSize || chars + size > batchChars;
    if (full || (last !== undefined && last.item.seq + 1 !== item.seq)) this.flush();
    this.batch.push({ item, spec, size });
  }

  private flush(): void {
    const { batch } = this;
    if (batch.length === 0) return;
    this.batch = [];
    this.batchSize = Math.min(batchMax, this.batchSize * 2);
    this.parts.submitting.submit(batch).forEach((id, index) => {
      const item = batch[index]?.item;
      if (item !== undefined) this.inFlight.set(id, item);
    });
  }

  private async take(): Promise<void> {
    for await (const delivery of this.parts.deliveries) {
      const shown = await this.takeOne(delivery);
      if (shown.length > 0) this.parts.joblog?.sync();
      this.receipts(shown);
      this.wake?.();
      this.endIfDone();
    }
  }

  private async takeOne({ batches, expired }: Delivery): Promise<Ended[]> {
    const shown: Ended[] = [];
    for (const { id: envelope, from, indices, classes, results = [] } of batches) {
      for (const [place, index] of indices.entries()) {
        const id = taskId(envelope, index);
        const result = results[place];
        if (result === undefined) continue;
        const ended = { id, from, class: classes[place] ?? "lost", result };
        const item = this.inFlight.get(id);
        if (item !== undefined) shown.push(...(await this.end({ ...ended, item })));
        else if (this.earlierIds.has(id)) this.early.set(id, ended);
      }
    }
    for (const envelope of expired) {
      if (![...this.inFlight.keys()].some((id) => envelopeOf(id) === envelope)) continue;
      throw new GcError("unavailable", "task.expired", `No endpoint took the task ${envelope} before it expired`);
    }
    return shown;
  }

  /** Shows a result, or holds it until it is its turn; returns what was shown. */
  private async end(ended: Ended): Promise<Ended[]> {
    this.inFlight.delete(ended.id);
    // Cancelled because we stopped: it did not run, and is run when the map is resumed.
    if (this.halted !== undefined && ended.class === "cancelled") return [];
    this.done += 1;
    if (ended.class !== "ok") this.failed += 1;
    const shown: Ended[] = [];
    if (!this.parts.keep_order) {
      await this.show(ended);
      shown.push(ended);
    } else {
      this.held.set(ended.item.seq, ended);
      shown.push(...(await this.showHeld()));
    }
    const { halt } = this.parts;
    if (halt !== undefined && this.halted === undefined && isHalted(halt, this.done, this.failed, this.total)) {
      this.stop(halt.when);
    }
    return shown;
  }

  private async showHeld(): Promise<Ended[]> {
    const shown: Ended[] = [];
    for (;;) {
      const next = this.held.get(this.nextShown);
      if (next === undefined && this.parts.joblog?.done.has(this.nextShown) !== true) return shown;
      this.held.delete(this.nextShown);
      this.nextShown += 1;
      if (next === undefined) continue;
      await this.show(next);
      shown.push(next);
    }
  }

  private async show({ item, id, result }: Ended): Promise<void> {
    const { output, progress, joblog } = this.parts;
    progress.clear();
    await output.show(item, id, result);
    joblog?.add(item.seq, item.command, id, result);
    progress.show({ done: this.done, failed: this.failed, total: this.total, before: this.before });
  }

  private receipts(shown: readonly Ended[]): void {
    const byEnvelope = new Map<EnvelopeId, { from: PrincipalId; indices: number[] }>();
    for (const { id, from, result } of shown) {
      if (!isWhole(result)) continue;
      const noted = byEnvelope.get(envelopeOf(id));
      if (noted === undefined) byEnvelope.set(envelopeOf(id), { from, indices: [indexOf(id)] });
      else noted.indices.push(indexOf(id));
    }
    // Without a receipt a result is only kept longer.
    for (const [id, { from, indices }] of byEnvelope) this.parts.desk.client.receipt(id, from, indices).catch(() => {});
  }

  private cancelAll(): void {
    const { desk, endpoint } = this.parts;
    const byEnvelope = new Map<EnvelopeId, number[]>();
    for (const id of this.inFlight.keys()) {
      const indices = byEnvelope.get(envelopeOf(id)) ?? [];
      byEnvelope.set(envelopeOf(id), indices);
      indices.push(indexOf(id));
    }
    for (const [id, indices] of byEnvelope) desk.client.cancel(id, endpoint, indices).catch(() => {});
  }

  private endIfDone(): void {
    if ((this.all_read || this.halted !== undefined) && this.inFlight.size === 0) this.parts.deliveries.stop();
  }
}
