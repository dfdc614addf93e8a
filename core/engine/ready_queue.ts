/**
 * Tasks that wait for a worker, by priority, then in the order they came. Holds envelopes, not tasks: a million queued
 * tasks of one envelope cost one entry.
 */
import { phase } from "../task/lifecycle.ts";

/** What the queue needs to know of an envelope; `HeldEnvelope` is one. */
export interface ReadyEnvelope {
  readonly header: { readonly priority: number };
  readonly count: number;
  readonly phases: Uint8Array;
  fresh: number;
  readonly back: number[];
  queued: boolean;
}

class Lane<E extends ReadyEnvelope> {
  items: (E | undefined)[] = [];
  head = 0;
  readonly priority: number;

  constructor(priority: number) {
    this.priority = priority;
  }

  first(): E | undefined {
    while (this.head < this.items.length && this.items[this.head] === undefined) this.head++;
    if (this.head > 1024 && this.head * 2 > this.items.length) {
      this.items = this.items.slice(this.head);
      this.head = 0;
    }
    return this.items[this.head];
  }
}

/** What becomes of a waiting task that is looked at. */
export type Verdict = "take" | "park" | "stop";

/** A queue of envelopes that have tasks in phase `ready`. */
export class ReadyQueue<E extends ReadyEnvelope = ReadyEnvelope> {
  private readonly lanes: Lane<E>[] = [];
  private readonly parked = new Map<E, number[]>();

  /** Puts an envelope at the end of its lane, unless it is queued already. */
  add(envelope: E): void {
    if (envelope.queued) return;
    envelope.queued = true;
    this.lane(envelope.header.priority).items.push(envelope);
  }

  /** Takes an envelope out. */
  remove(envelope: E): void {
    this.parked.delete(envelope);
    if (!envelope.queued) return;
    envelope.queued = false;
    const lane = this.lane(envelope.header.priority);
    const at = lane.items.indexOf(envelope, lane.head);
    if (at >= 0) lane.items[at] = undefined;
  }

  /**
   * Shows waiting tasks in order. `visit` says `take` (it is in another phase now), `park` (no worker there is can ever
   * run it: set it aside until `unpark`) or `stop`.
   */
  walk(visit: (envelope: E, index: number) => Verdict): void {
    for (const lane of this.lanes) {
      for (let at = lane.head; at < lane.items.length; at++) {
        const envelope = lane.items[at];
        if (envelope === undefined) continue;
        const verdict = this.walkEnvelope(envelope, visit);
        if (envelope.back.length === 0 && envelope.fresh >= envelope.count) {
          lane.items[at] = undefined;
          envelope.queued = false;
        }
        if (verdict === "stop") {
          lane.first();
          return;
        }
      }
      lane.first();
    }
  }

  /** Whether no envelope is queued. */
  empty(): boolean {
    return this.lanes.every((lane) => lane.first() === undefined);
  }

  /** Puts everything that was parked back into the queue: there is a new worker. */
  unpark(): void {
    for (const [envelope, indices] of this.parked) {
      for (const index of indices) envelope.back.push(index);
      this.add(envelope);
    }
    this.parked.clear();
  }

  /** Whether task `index` waits for a worker of a size that is not there. */
  isParked(envelope: E, index: number): boolean {
    return this.parked.get(envelope)?.includes(index) === true;
  }

  private walkEnvelope(envelope: E, visit: (envelope: E, index: number) => Verdict): "stop" | "go on" {
    let at = 0;
    let stopped = false;
    for (; at < envelope.back.length && !stopped; at++) {
      stopped = !this.show(envelope, envelope.back[at] ?? 0, visit);
      if (stopped) break;
    }
    envelope.back.splice(0, at);
    while (!stopped && envelope.fresh < envelope.count) {
      stopped = !this.show(envelope, envelope.fresh, visit);
      if (!stopped) envelope.fresh++;
    }
    return stopped ? "stop" : "go on";
  }

  /** Whether the walk may go on past this task. */
  private show(envelope: E, index: number, visit: (envelope: E, index: number) => Verdict): boolean {
    if (envelope.phases[index] !== phase.ready) return true;
    const verdict = visit(envelope, index);
    if (verdict === "park") {
      const parked = this.parked.get(envelope);
      if (parked === undefined) this.parked.set(envelope, [index]);
      else parked.push(index);
    }
    return verdict !== "stop";
  }

  private lane(priority: number): Lane<E> {
    const known = this.lanes.find((lane) => lane.priority === priority);
    if (known !== undefined) return known;
    const lane = new Lane<E>(priority);
    this.lanes.push(lane);
    this.lanes.sort((a, b) => b.priority - a.priority);
    return lane;
  }
}
