/**
 * Which waiting task goes to which worker. Pure: walks the ready queue against the pool and says what to lease. Order
 * is kept strictly within a priority: a large task at the head waits for room and nothing overtakes it, so it cannot
 * starve. Tasks on whole nodes step aside into a line of their own, where `gang_dispatch.ts` chooses among them; they
 * are looked at before any ordinary task that came later.
 */

import type { Resources } from "../schema/task.ts";
import { phase } from "../task/lifecycle.ts";
import { endOf, fitsBefore, packGangs, type Start } from "./gang_dispatch.ts";
import type { HeldEnvelope } from "./held_envelope.ts";
import { LeastLoaded } from "./least_loaded.ts";
import type { Pool, PoolWorker } from "./pool.ts";
import type { ReadyQueue, Verdict } from "./ready_queue.ts";
import { wholeNodes } from "./whole_nodes.ts";

/** One choice of the dispatcher. */
export interface Choice {
  worker: PoolWorker;
  held: HeldEnvelope;
  index: number;
  /** For a task on whole nodes, those of all its workers; `worker` leads them. */
  gang?: readonly PoolWorker[];
}

const ordinary: Resources = {};

/**
 * Leases waiting tasks while some worker has room. `lease` must put the task into another phase and assign it in the
 * pool (with its gang, where it has one) before it returns. At most `limit` tasks, so that one turn stays short.
 */
export function dispatch(
  ready: ReadyQueue<HeldEnvelope>,
  pool: Pool,
  limit: number,
  now_ms: number,
  lease: (choice: Choice, needs: Resources) => void,
): void {
  if (ready.empty() && pool.line.empty) return;
  const all = [...pool.usable()];
  let open = openTo(pool, all);
  let least: LeastLoaded | undefined;
  let left = limit;
  const start: Start = ({ held, index }, gang) => {
    const [worker] = gang;
    if (worker === undefined || left === 0) return;
    if ((held.crashes[index] ?? 0) > 0) worker.solo = true;
    lease({ worker, held, index, gang }, needsOf(held, index));
    left--;
  };
  /** Priority of the tasks in line that were looked at last; those of lower ones, and newcomers, were not. */
  let packed = Number.POSITIVE_INFINITY;
  const pack = (from?: number): void => {
    packed = from ?? packed;
    if (pool.line.empty) return;
    packGangs(pool, from, now_ms, start);
    open = openTo(pool, all);
  };
  ready.walk((held, index): Verdict => {
    if (left === 0) return "stop";
    if (held.cancelling.has(index)) return "take";
    const needs = needsOf(held, index);
    const nodes = needs === ordinary ? undefined : wholeNodes(needs);
    if (nodes !== undefined) {
      if (pool.line.full(held.header.priority)) return "stop";
      pool.line.add(held, index, nodes);
      packed = Number.POSITIVE_INFINITY;
      return "take";
    }
    if (all.length === 0) return "stop";
    const { priority } = held.header;
    if (packed > priority) pack(priority);
    if (left === 0) return "stop";
    const isolated = (held.crashes[index] ?? 0) > 0 || needs.exclusive === true;
    if (least?.of !== open) least = new LeastLoaded(open, (one) => !one.solo && fitsNow(one, ordinary));
    const single = needs === ordinary && !isolated;
    const roomy = single ? least.first() : roomiest(open, needs, isolated);
    const worker = roomy ?? beforeClaim(pool, all, held, index, needs, isolated, now_ms);
    if (worker === undefined) {
      return all.some((candidate) => couldEverRun(candidate, needs)) ? "stop" : "park";
    }
    if (isolated) worker.solo = true;
    lease({ worker, held, index }, needs);
    pool.line.odometer += 1 / Math.max(1, worker.slots);
    left--;
    return held.phases[index] === phase.ready ? "stop" : "take";
  });
  if (left > 0) pack();
}

/** Workers that take ordinary tasks: nobody has them as whole nodes, or waits to. */
function openTo(pool: Pool, all: PoolWorker[]): PoolWorker[] {
  const { claim } = pool.line;
  if (claim === undefined && pool.gangs.size === 0) return all;
  return all.filter(({ id }) => pool.gangOf(id) === undefined && claim?.nodes.has(id) !== true);
}

/** A node that is kept free for somebody, for a task that ends before that one can begin. */
function beforeClaim(
  pool: Pool,
  all: readonly PoolWorker[],
  held: HeldEnvelope,
  index: number,
  needs: Resources,
  isolated: boolean,
  now_ms: number,
): PoolWorker | undefined {
  const { claim } = pool.line;
  if (claim?.free_ms === undefined) return undefined;
  const walltime_s = held.over(index)?.walltime_s ?? held.base.walltime_s;
  if (!fitsBefore(claim, endOf(walltime_s === undefined ? undefined : walltime_s * 1000, now_ms))) return undefined;
  // What would wait behind others there has no certain end.
  const idle = all.filter(({ id, assigned, slots }) => {
    return claim.nodes.has(id) && assigned.size < slots && pool.gangOf(id) === undefined;
  });
  return roomiest(idle, needs, isolated);
}

/** Resources of one task; the common case (none named) costs nothing. */
function needsOf(held: HeldEnvelope, index: number): Resources {
  return held.over(index)?.resources ?? held.base.resources ?? ordinary;
}

/** Whether the worker, empty, would be large enough. */
export function couldEverRun(worker: PoolWorker, needs: Resources): boolean {
  return (
    (needs.cores ?? 1) <= worker.total.cores &&
    (needs.gpus ?? 0) <= worker.total.gpus &&
    (needs.memory_mib === undefined || worker.total.memory_mib === 0 || needs.memory_mib <= worker.total.memory_mib)
  );
}

function roomiest(workers: readonly PoolWorker[], needs: Resources, isolated: boolean): PoolWorker | undefined {
  let best: PoolWorker | undefined;
  for (const worker of workers) {
    if (worker.solo || (isolated && worker.assigned.size > 0)) continue;
    if (!fitsNow(worker, needs)) continue;
    if (best === undefined || worker.assigned.size - worker.slots < best.assigned.size - best.slots) best = worker;
  }
  return best;
}

function fitsNow(worker: PoolWorker, needs: Resources): boolean {
  if (!couldEverRun(worker, needs)) return false;
  const cores = needs.cores ?? 1;
  if (cores === 1 && needs.gpus === undefined && needs.memory_mib === undefined) {
    const ahead = worker.prefetch;
    return worker.assigned.size < worker.slots + ahead && worker.used.cores < worker.total.cores + ahead;
  }
  return (
    worker.assigned.size < worker.slots &&
    worker.used.cores + cores <= Math.max(worker.total.cores, worker.slots) &&
    worker.used.gpus + (needs.gpus ?? 0) <= worker.total.gpus &&
    (worker.total.memory_mib === 0 || worker.used.memory_mib + (needs.memory_mib ?? 0) <= worker.total.memory_mib)
  );
}
