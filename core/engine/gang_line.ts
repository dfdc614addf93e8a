/**
 * Tasks that wait for whole nodes, out of the queue of ordinary ones: by priority, then by size, then in the order they
 * came. How long one has waited is told by an odometer, not by a clock: it counts the nodes that tasks were started on,
 * so that patience means the same for tasks of seconds and of days. What is chosen is decided by `packing.ts`.
 * Volatile: after a restart it is filled again from the queue.
 */
import { phase } from "../task/lifecycle.ts";
import type { HeldEnvelope } from "./held_envelope.ts";

/** One task that waits for whole nodes. */
export interface Waiting {
  readonly held: HeldEnvelope;
  readonly index: number;
  readonly nodes: number;
  readonly walltime_ms: number | undefined;
  /** The odometer when it came. */
  readonly since: number;
}

/** Tasks of one priority that want the same number of nodes, oldest first. */
export interface SizeClass {
  readonly nodes: number;
  readonly items: Waiting[];
  /** The odometer when one of them was started last. */
  served: number;
}

/** Tasks of one priority. */
export interface Tier {
  readonly priority: number;
  /** Largest first. */
  readonly classes: SizeClass[];
}

/** Nodes that are kept free for one task. */
export interface Claim {
  readonly task: Waiting;
  /** Ids of their workers. */
  readonly nodes: ReadonlySet<string>;
  /** When they are all free at the latest; undefined where somebody there declared no walltime. */
  readonly free_ms: number | undefined;
}

/** Tasks of the same or a higher priority that are held here; the rest waits in the queue, in order. */
const heldMax = 4096;

export class GangLine {
  /** Highest priority first; those without tasks are left out. */
  tiers: Tier[] = [];
  /** Nodes that tasks were started on so far. */
  odometer = 0;
  /** The odometer when a task came last. */
  latest = 0;
  /** One task at a time has nodes kept free, so that there is no way for two to wait for each other. */
  claim: Claim | undefined;

  /** What is in line: after a restart the queue may show a task twice. */
  private readonly known = new Map<HeldEnvelope, Set<number>>();

  get empty(): boolean {
    return this.tiers.length === 0;
  }

  /** The most nodes that a task waits for; 0 when none does. */
  get widest(): number {
    return this.tiers.reduce((most, { classes }) => Math.max(most, classes[0]?.nodes ?? 0), 0);
  }

  /** Whether a task of this priority has to wait in the queue. */
  full(priority: number): boolean {
    let tasks = 0;
    for (const tier of this.tiers) {
      if (tier.priority < priority) break;
      for (const { items } of tier.classes) tasks += items.length;
    }
    return tasks >= heldMax;
  }

  add(held: HeldEnvelope, index: number, nodes: number): void {
    const known = this.known.get(held) ?? new Set();
    if (known.has(index)) return;
    this.known.set(held, known.add(index));
    const { priority } = held.header;
    const walltime_s = held.over(index)?.walltime_s ?? held.base.walltime_s;
    const walltime_ms = walltime_s === undefined ? undefined : walltime_s * 1000;
    const task: Waiting = { held, index, nodes, walltime_ms, since: this.odometer };
    this.latest = this.odometer;
    const { items } = this.classOf(priority, nodes);
    let at = items.length;
    while (at > 0 && (items[at - 1]?.held.accepted_ms ?? 0) > held.accepted_ms) at--;
    items.splice(at, 0, task);
  }

  /** A task was started. */
  started(task: Waiting): void {
    this.odometer += task.nodes;
    if (this.claim?.task === task) this.claim = undefined;
    const tier = this.tiers.find(({ priority }) => priority === task.held.header.priority);
    const size = tier?.classes.find(({ nodes }) => nodes === task.nodes);
    if (size === undefined) return;
    size.served = this.odometer;
    const at = size.items.indexOf(task);
    if (at >= 0) size.items.splice(at, 1);
    this.forget(task);
    this.tidy();
  }

  /** Lets go of tasks that were ended while they waited. */
  sweep(): void {
    let gone = false;
    for (const { classes } of this.tiers) {
      for (const size of classes) {
        if (size.items.every(waits)) continue;
        gone = true;
        const left = size.items.filter(waits);
        for (const item of size.items) if (!waits(item)) this.forget(item);
        size.items.splice(0, size.items.length, ...left);
      }
    }
    if (gone) this.tidy();
    if (this.claim !== undefined && !waits(this.claim.task)) this.claim = undefined;
  }

  *all(): Generator<Waiting> {
    for (const { classes } of this.tiers) for (const { items } of classes) yield* items;
  }

  private forget({ held, index }: Waiting): void {
    const known = this.known.get(held);
    known?.delete(index);
    if (known?.size === 0) this.known.delete(held);
  }

  private classOf(priority: number, nodes: number): SizeClass {
    let tier = this.tiers.find((one) => one.priority === priority);
    if (tier === undefined) {
      tier = { priority, classes: [] };
      this.tiers.push(tier);
      this.tiers.sort((a, b) => b.priority - a.priority);
    }
    let size = tier.classes.find((one) => one.nodes === nodes);
    if (size === undefined) {
      size = { nodes, items: [], served: 0 };
      tier.classes.push(size);
      tier.classes.sort((a, b) => b.nodes - a.nodes);
    }
    return size;
  }

  private tidy(): void {
    for (const { classes } of this.tiers) {
      for (let at = classes.length - 1; at >= 0; at--) if (classes[at]?.items.length === 0) classes.splice(at, 1);
    }
    this.tiers = this.tiers.filter(({ classes }) => classes.length > 0);
  }
}

function waits({ held, index }: Waiting): boolean {
  return held.phases[index] === phase.ready;
}
