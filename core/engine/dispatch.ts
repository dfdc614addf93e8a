/**
 * Which waiting task goes to which worker. Pure: walks the ready queue against the pool and says what to lease. Order
 * is kept strictly within a priority: a large task at the head waits for room and nothing overtakes it, so it cannot
 * starve.
 */

import type { Resources } from "../schema/task.ts";
import { phase } from "../task/lifecycle.ts";
import type { HeldEnvelope } from "./held_envelope.ts";
import type { Pool, PoolWorker } from "./pool.ts";
import type { ReadyQueue, Verdict } from "./ready_queue.ts";

/** One choice of the dispatcher. */
export interface Choice {
  worker: PoolWorker;
  held: HeldEnvelope;
  index: number;
}

const ordinary: Resources = {};

/**
 * Leases waiting tasks while some worker has room. `lease` must put the task into another phase and assign it in the
 * pool before it returns. At most `limit` tasks, so that one turn stays short.
 */
export function dispatch(
  ready: ReadyQueue<HeldEnvelope>,
  pool: Pool,
  limit: number,
  lease: (choice: Choice, needs: Resources) => void,
): void {
  const usable = [...pool.usable()];
  if (usable.length === 0) return;
  let left = limit;
  ready.walk((held, index): Verdict => {
    if (left === 0) return "stop";
    if (held.cancelling.has(index)) return "take";
    const needs = needsOf(held, index);
    const isolated = (held.crashes[index] ?? 0) > 0 || needs.exclusive === true;
    const worker = roomiest(usable, needs, isolated);
    if (worker === undefined) {
      return usable.some((candidate) => couldEverRun(candidate, needs)) ? "stop" : "park";
    }
    if (isolated) worker.solo = true;
    lease({ worker, held, index }, needs);
    left--;
    return held.phases[index] === phase.ready ? "stop" : "take";
  });
}

/** Resources of one task; the common case (none named) costs nothing. */
function needsOf(held: HeldEnvelope, index: number): Resources {
  return held.over(index)?.resources ?? held.base.resources ?? ordinary;
}

/** Whether the worker, empty, would be large enough. */
export function couldEverRun(worker: PoolWorker, needs: Resources): boolean {
  return (
    (needs.nodes ?? 1) <= 1 &&
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
