/**
 * Tasks on whole nodes against the workers of a pool: block by block, what `packing.ts` chooses is put on nodes next to
 * each other. Where a task was passed over for too long, nodes are kept free for it (a claim): they take nothing new
 * but what ends, as declared, before the last of them is free (EASY backfill). Pure.
 */
import type { Claim, Tier, Waiting } from "./gang_line.ts";
import { choose, hunger, mostStarved, type Room } from "./packing.ts";
import type { Assignment, Pool, PoolWorker } from "./pool.ts";
import { contiguous } from "./whole_nodes.ts";

/** Gives the task to these workers, the lead first, so that it is in another phase when this returns. */
export type Start = (task: Waiting, workers: readonly PoolWorker[]) => void;

/** A claim is held until so much beyond patience if a larger task is going to leave enough nodes anyway. */
const waitForLarger = 1.5;

/**
 * Starts what fits, of priority `from` and above: that of an ordinary task that is about to be started, if any. Nodes
 * are kept for those of a higher one that are left.
 */
export function packGangs(pool: Pool, from: number | undefined, now_ms: number, start: Start): void {
  const { line } = pool;
  line.sweep();
  // What has become free since goes to whoever waits for it before it goes to anybody else.
  renewClaim(pool, now_ms);
  for (const tier of [...line.tiers]) {
    if (from !== undefined && tier.priority < from) return;
    const below = tier !== line.tiers.at(-1) || (from !== undefined && tier.priority > from);
    for (const members of pool.blocks()) fill(pool, members, tier, now_ms, start);
    renewClaim(pool, now_ms);
    if ((line.claim?.task.held.header.priority ?? Number.NEGATIVE_INFINITY) < tier.priority) {
      makeClaim(pool, tier, below, now_ms);
    }
    while (backfill(pool, tier, now_ms, start));
  }
}

/** Whether a task that ends at this time may go on a node that is kept for another one. */
export function fitsBefore(claim: Claim, ends_ms: number | undefined): boolean {
  return claim.free_ms !== undefined && ends_ms !== undefined && ends_ms <= claim.free_ms;
}

/** The most nodes of one block that are free now for a task on whole nodes. */
export function freeNodes(pool: Pool): number {
  return Math.max(0, ...pool.blocks().map((members) => members.filter((worker) => isEmpty(pool, worker)).length));
}

/** The most nodes that one block has. */
export function widestBlock(pool: Pool): number {
  return Math.max(0, ...pool.blocks().map((members) => members.filter(stays).length));
}

function fill(pool: Pool, members: readonly PoolWorker[], tier: Tier, now_ms: number, start: Start): void {
  const { line } = pool;
  const { task: claimant, nodes } = line.claim ?? {};
  if (claimant?.held.header.priority === tier.priority && members.some(({ id }) => nodes?.has(id))) {
    const empty = members.filter((worker) => isEmpty(pool, worker));
    if (claimant.nodes <= empty.length && !place(pool, members, empty, claimant, start)) return;
  }
  for (;;) {
    if (tier.classes.length === 0) return;
    const task = choose(line, tier, roomIn(pool, members, now_ms), now_ms);
    if (task === undefined || !place(pool, members, freeOf(pool, members), task, start)) return;
  }
}

/** Puts a task on some of these nodes. False when it was not started after all: then nothing else should be tried. */
function place(
  pool: Pool,
  members: readonly PoolWorker[],
  free: readonly PoolWorker[],
  task: Waiting,
  start: Start,
): boolean {
  const usable = new Set(free);
  const at = members.flatMap((worker, k) => (usable.has(worker) ? [k] : []));
  const workers = contiguous(at, task.nodes).flatMap((k) => members[k] ?? []);
  start(task, workers);
  if (pool.gangOf(workers[0]?.id ?? "") === undefined) return false;
  pool.line.started(task);
  return true;
}

/** Who has been passed over for too long gets a claim, and takes it from whoever is of a lower priority. */
function makeClaim(pool: Pool, tier: Tier, below: boolean, now_ms: number): void {
  const { line } = pool;
  const widest = widestBlock(pool);
  const able = tier.classes.filter(({ nodes }) => nodes <= widest);
  const size = mostStarved(line, able, widest) ?? (below ? able.at(0) : undefined);
  const [task] = size?.items ?? [];
  if (size === undefined || task === undefined) return;
  const urgency = hunger(line, size, widest);
  if (urgency < waitForLarger && heirs(pool, task.nodes)) return;
  line.claim = claimIn(pool, task, new Set(), now_ms);
}

/** Nodes have become free or have gone, and so have tasks. */
function renewClaim(pool: Pool, now_ms: number): void {
  const { claim } = pool.line;
  if (claim === undefined) return;
  const possible = claim.task.nodes <= widestBlock(pool);
  pool.line.claim = possible ? claimIn(pool, claim.task, claim.nodes, now_ms) : undefined;
}

/** Whether a task as large as this one runs: when it ends there is room, without a node being idle before. */
function heirs(pool: Pool, nodes: number): boolean {
  for (const { workers } of pool.gangs.values()) if (workers.length >= nodes) return true;
  return false;
}

/** A claim in the block that has most to give; what was claimed before stays claimed, or the wait would never end. */
function claimIn(pool: Pool, task: Waiting, before: ReadonlySet<string>, now_ms: number): Claim {
  const reachable = (members: readonly PoolWorker[]): PoolWorker[] => {
    return members.filter((one) => one.state === "ready" && stays(one) && pool.gangOf(one.id) === undefined);
  };
  const able = pool.blocks().filter((members) => members.filter(stays).length >= task.nodes);
  const kept = able.find((members) => members.some(({ id }) => before.has(id)));
  const members = kept ?? able.toSorted((a, b) => reachable(b).length - reachable(a).length)[0] ?? [];
  const candidates = reachable(members);
  // What has to wait for a larger task in any case keeps no node idle meanwhile.
  const smaller = members.filter((one) => stays(one) && (pool.gangOf(one.id)?.workers.length ?? 0) < task.nodes);
  const needed = smaller.length < task.nodes ? 0 : task.nodes;
  const rank = (worker: PoolWorker): number => {
    if (worker.assigned.size === 0) return Number.NEGATIVE_INFINITY;
    return (before.has(worker.id) ? 0 : 1e18) + (lastEnd(worker) ?? 1e17 + worker.assigned.size);
  };
  candidates.sort((a, b) => rank(a) - rank(b) || members.indexOf(a) - members.indexOf(b));
  // Where nobody knows which nodes are free first, more are let run empty, and the first of them are taken: one task
  // that lasts would hold up everything. With twice as many both the wait and the idle time are shortest (B12).
  const last = candidates[needed - 1];
  const unknown = last !== undefined && last.assigned.size > 0 && lastEnd(last) === undefined;
  const chosen = candidates.slice(0, unknown ? 2 * (needed + 2) : needed);
  const free_ms = freeAt(pool, members, chosen, Math.max(0, task.nodes - chosen.length), now_ms);
  return { task, nodes: new Set(chosen.map(({ id }) => id)), free_ms };
}

/** When all these nodes, and `more` that larger tasks have now, are free at the latest. */
function freeAt(
  pool: Pool,
  members: readonly PoolWorker[],
  chosen: readonly PoolWorker[],
  more: number,
  now_ms: number,
): number | undefined {
  let last_ms = now_ms;
  for (const worker of chosen) {
    const end_ms = worker.assigned.size === 0 ? now_ms : lastEnd(worker);
    if (end_ms === undefined) return undefined;
    last_ms = Math.max(last_ms, end_ms);
  }
  if (more === 0) return last_ms;
  const ends = roomIn(pool, members, now_ms).running.toSorted((a, b) => (a.ends_ms ?? 1e18) - (b.ends_ms ?? 1e18));
  let missing = more;
  for (const { nodes: count, ends_ms } of ends) {
    if (ends_ms === undefined) return undefined;
    missing -= count;
    if (missing <= 0) return Math.max(last_ms, ends_ms);
  }
  return undefined;
}

/** A task with a walltime may use claimed nodes as long as these have to wait for others. Whether one did. */
function backfill(pool: Pool, { classes }: Tier, now_ms: number, start: Start): boolean {
  const { claim } = pool.line;
  if (claim?.free_ms === undefined) return false;
  for (const members of pool.blocks()) {
    const empty = members.filter((worker) => isEmpty(pool, worker));
    if (!empty.some(({ id }) => claim.nodes.has(id))) continue;
    for (const { nodes, items } of classes) {
      if (nodes > empty.length) continue;
      const fits = (task: Waiting): boolean =>
        task !== claim.task && fitsBefore(claim, endOf(task.walltime_ms, now_ms));
      const task = items.find(fits);
      if (task === undefined) continue;
      const started = place(pool, members, empty, task, start);
      renewClaim(pool, now_ms);
      return started;
    }
  }
  return false;
}

function roomIn(pool: Pool, members: readonly PoolWorker[], now_ms: number): Room {
  const running: { nodes: number; ends_ms: number | undefined }[] = [];
  for (const worker of members) {
    const gang = pool.gangs.get(worker.id);
    if (gang === undefined) continue;
    const assignment = worker.assigned.get(gang.tid);
    const end_ms = assignment === undefined ? undefined : assignedEnd(assignment);
    running.push({ nodes: gang.workers.length, ends_ms: end_ms === undefined ? undefined : Math.max(end_ms, now_ms) });
  }
  return { running, size: members.filter(stays).length, free: freeOf(pool, members).length };
}

function freeOf(pool: Pool, members: readonly PoolWorker[]): PoolWorker[] {
  return members.filter((worker) => isEmpty(pool, worker) && pool.line.claim?.nodes.has(worker.id) !== true);
}

function isEmpty(pool: Pool, worker: PoolWorker): boolean {
  return (
    worker.state === "ready" && stays(worker) && worker.assigned.size === 0 && pool.gangOf(worker.id) === undefined
  );
}

/** Whether it is, or will be again, a node that tasks can be given. */
function stays({ state, stopping }: PoolWorker): boolean {
  return !stopping && state !== "dead";
}

/** When a worker has nothing any more of what it has now; undefined when that is not declared. */
function lastEnd(worker: PoolWorker): number | undefined {
  // What waits behind others on a worker has not begun.
  if (worker.assigned.size > worker.slots) return undefined;
  let last_ms = 0;
  for (const assignment of worker.assigned.values()) {
    const end_ms = assignedEnd(assignment);
    if (end_ms === undefined) return undefined;
    last_ms = Math.max(last_ms, end_ms);
  }
  return last_ms;
}

function assignedEnd({ held, index, since_ms }: Assignment): number | undefined {
  const walltime_s = held.over(index)?.walltime_s ?? held.base.walltime_s;
  return walltime_s === undefined ? undefined : since_ms + walltime_s * 1000;
}

/** When a task that is started now ends at the latest. */
export function endOf(walltime_ms: number | undefined, now_ms: number): number | undefined {
  return walltime_ms === undefined ? undefined : now_ms + walltime_ms;
}
