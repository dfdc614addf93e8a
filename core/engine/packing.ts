/**
 * Which of the tasks that wait for whole nodes is started next on a block. Pure: the line and what is free go in, one
 * task comes out. Within one priority the sizes take turns in proportion to the work that waits in each, the largest
 * first where it matters, so that small tasks are left to fill the gaps until the end; a size that was passed over for
 * too long comes before everything else, and nodes are kept free for it (`gang_dispatch.ts`). Why so and not otherwise,
 * with figures: docs/adr/0003-packing.md.
 */
import type { GangLine, SizeClass, Tier, Waiting } from "./gang_line.ts";

/** A block as packing sees it. */
export interface Room {
  /** Nodes of the block. */
  readonly size: number;
  /** Nodes without any task, and not kept for somebody. */
  free: number;
  /** What runs on whole nodes there. */
  readonly running: readonly { readonly nodes: number; readonly ends_ms: number | undefined }[];
}

/** A size is passed over for so many times the nodes that wait in it, and for half a block at least. */
const patience = 2;
/** Small sizes first, so that their longest tasks start early … */
const smallFirst = 0.4;
/** … but those that take much of the block before them, because only small ones can fill what is left beside them. */
const largeFirst = 40;
/** A task whose walltime is more than this share of what all work will take is on the critical path. */
const critical = 0.5;

/** The task of this tier that should be started now; undefined when none fits. */
export function choose(line: GangLine, tier: Tier, room: Room, now_ms: number): Waiting | undefined {
  const fitting = tier.classes.filter(({ nodes }) => nodes <= room.free);
  if (fitting.length === 0) return undefined;
  const starved = mostStarved(line, fitting, room.size);
  if (starved !== undefined) return starved.items[0];
  // Two that need more than half cannot run side by side, so they are the critical path themselves.
  const [largest] = fitting;
  if (largest !== undefined && largest.nodes * 2 > room.size) return first(line, largest, room.size);
  const urgentOne = ending(line, room.size) ? urgent(line, fitting, room, now_ms) : undefined;
  return urgentOne ?? first(line, byShare(tier, fitting, room), room.size);
}

/** How far a size is beyond its patience, as a factor: from 1 on it is starved. */
export function hunger({ odometer }: GangLine, { nodes, items, served }: SizeClass, size: number): number {
  const overtaken = odometer - Math.max(items[0]?.since ?? odometer, served);
  return overtaken / Math.max(size / 2, patience * nodes * items.length);
}

/** The size of these that was passed over for longest beyond its patience. */
export function mostStarved(line: GangLine, classes: readonly SizeClass[], size: number): SizeClass | undefined {
  let worst: SizeClass | undefined;
  let most = 1;
  for (const one of classes) {
    const factor = one.nodes <= size ? hunger(line, one, size) : 0;
    if (factor < most) continue;
    worst = one;
    most = factor;
  }
  return worst;
}

/** Nobody has come for as long as it takes to fill the block anew: what waits is all there is, and may be ordered. */
function ending({ odometer, latest }: GangLine, size: number): boolean {
  return odometer - latest >= size;
}

/** Of one size the oldest; at the end the one that runs longest, as far as declared, so that short ones are left. */
function first(line: GangLine, { items }: SizeClass, size: number): Waiting | undefined {
  return (ending(line, size) ? longest(items) : undefined) ?? items[0];
}

function longest(items: readonly Waiting[]): Waiting | undefined {
  let best: Waiting | undefined;
  for (const item of items) {
    if (item.walltime_ms !== undefined && item.walltime_ms > (best?.walltime_ms ?? 0)) best = item;
  }
  return best;
}

/** A task that would end after everything else if it waited: known only where all walltimes are. */
function urgent(line: GangLine, fitting: readonly SizeClass[], room: Room, now_ms: number): Waiting | undefined {
  let work = 0;
  for (const { nodes, ends_ms } of room.running) {
    if (ends_ms === undefined) return undefined;
    work += nodes * Math.max(0, ends_ms - now_ms);
  }
  for (const { nodes, walltime_ms } of line.all()) {
    if (walltime_ms === undefined) return undefined;
    work += nodes * walltime_ms;
  }
  const best = longest(fitting.flatMap(({ items }) => longest(items) ?? []));
  return (best?.walltime_ms ?? 0) >= (critical * work) / room.size ? best : undefined;
}

/** The largest size that has less of the block than its share; when all have theirs, the largest that fits. */
function byShare(tier: Tier, fitting: readonly SizeClass[], room: Room): SizeClass {
  const weights = tier.classes.map(({ nodes, items }) => {
    const known = items.every(({ walltime_ms }) => walltime_ms !== undefined);
    const time = known ? items.reduce((sum, { walltime_ms = 0 }) => sum + walltime_ms, 0) / items.length : undefined;
    return { nodes, work: nodes * items.length, time };
  });
  const timed = weights.every(({ time }) => time !== undefined);
  const weigh = ({ nodes, work, time = 1 }: (typeof weights)[number]): number => {
    return work * (timed ? time : 1) * nodes ** -smallFirst * (1 + largeFirst * (nodes / room.size) ** 2);
  };
  const all = weights.reduce((sum, one) => sum + weigh(one), 0);
  const due = fitting.find(({ nodes }) => {
    const weight = weights.find((one) => one.nodes === nodes);
    const has = room.running.reduce((sum, one) => sum + (one.nodes === nodes ? nodes : 0), 0);
    return weight !== undefined && has + nodes / 2 <= (room.size * weigh(weight)) / all;
  });
  return due ?? (fitting[0] as SizeClass);
}
