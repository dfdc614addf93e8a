/**
 * The workers of an endpoint as its engine sees them: who answers, what fits, what each of them has. Volatile: after a
 * restart it is filled again by what the workers say of themselves.
 */

import { gatherBatch_ms } from "../limits.ts";
import type { Resources } from "../schema/task.ts";
import type { Ready } from "../schema/worker_message.ts";
import type { TaskId } from "../task/id.ts";
import type { HeldEnvelope } from "./held_envelope.ts";

/** One task that was given to a worker. */
export interface Assignment {
  held: HeldEnvelope;
  index: number;
  attempt: number;
  needs: Resources;
}

/** One worker process. */
export interface PoolWorker {
  readonly id: string;
  host: string;
  pid: number;
  /** `starting`: not heard of yet. `gone`: its link is down, nothing is concluded. `dead`: being buried. */
  state: "starting" | "ready" | "gone" | "dead";
  stopping: boolean;
  since_ms: number;
  slots: number;
  prefetchMax: number;
  prefetch: number;
  total: { cores: number; memory_mib: number; gpus: number };
  used: { cores: number; memory_mib: number; gpus: number };
  /** It runs a task that killed a worker before: nothing else goes there meanwhile. */
  solo: boolean;
  readonly assigned: Map<TaskId, Assignment>;
  finishedSince_ms: number;
  finishedCount: number;
}

/**
 * How many tasks a worker is given beyond its slots: what it finishes in twice this time. So it has enough to do while
 * it gathers results before it tells of them.
 */
const prefetchWindow_ms = 1.5 * gatherBatch_ms;
/** Where tasks last longer than this, none is sent ahead: the way there costs little, and other workers come up. */
const prefetchedLast_ms = 500;

/** The workers of one endpoint. */
export class Pool {
  readonly workers = new Map<string, PoolWorker>();
  /** Workers in a row that ended before they were ready. */
  barren = 0;

  add(id: string, now_ms: number): PoolWorker {
    const worker: PoolWorker = {
      id,
      host: "",
      pid: 0,
      state: "starting",
      stopping: false,
      since_ms: now_ms,
      slots: 0,
      prefetchMax: 0,
      prefetch: 0,
      total: { cores: 0, memory_mib: 0, gpus: 0 },
      used: { cores: 0, memory_mib: 0, gpus: 0 },
      solo: false,
      assigned: new Map(),
      finishedSince_ms: now_ms,
      finishedCount: 0,
    };
    this.workers.set(id, worker);
    return worker;
  }

  /** Takes in what a worker says of itself. */
  introduce(worker: PoolWorker, ready: Ready): void {
    worker.state = "ready";
    if (ready.leaving === true) worker.stopping = true;
    this.barren = 0;
    worker.host = ready.host;
    worker.pid = ready.pid;
    worker.slots = ready.slots;
    worker.prefetchMax = ready.prefetch;
    // Until it has shown how fast it is, nothing waits behind its tasks that another worker may start at once.
    worker.prefetch = 0;
    worker.total = {
      cores: ready.resources.cores ?? ready.slots,
      memory_mib: ready.resources.memory_mib ?? 0,
      gpus: ready.resources.gpus ?? 0,
    };
  }

  assign(worker: PoolWorker, tid: TaskId, assignment: Assignment): void {
    worker.assigned.set(tid, assignment);
    const { needs } = assignment;
    if (needs.exclusive === true) worker.solo = true;
    worker.used.cores += needs.cores ?? 1;
    worker.used.memory_mib += needs.memory_mib ?? 0;
    worker.used.gpus += needs.gpus ?? 0;
  }

  /** Takes a task off a worker; does nothing when it does not have it (any more). */
  release(worker: PoolWorker, tid: TaskId): void {
    const assignment = worker.assigned.get(tid);
    if (assignment === undefined) return;
    worker.assigned.delete(tid);
    worker.used.cores -= assignment.needs.cores ?? 1;
    worker.used.memory_mib -= assignment.needs.memory_mib ?? 0;
    worker.used.gpus -= assignment.needs.gpus ?? 0;
    if (worker.assigned.size === 0) worker.solo = false;
  }

  /** Adjusts how far ahead a worker is supplied, from how fast it has been finishing tasks. */
  pace(worker: PoolWorker, finished: number, now_ms: number): void {
    worker.finishedCount += finished;
    const elapsed_ms = now_ms - worker.finishedSince_ms;
    if (elapsed_ms >= 0 && elapsed_ms < prefetchWindow_ms) {
      worker.prefetch = Math.min(worker.prefetchMax, Math.max(worker.prefetch, worker.finishedCount * 2));
      return;
    }
    const windows = Math.max(1, elapsed_ms / prefetchWindow_ms);
    const perWindow = Math.ceil(worker.finishedCount / windows);
    const taskLasts_ms = (worker.slots * elapsed_ms) / Math.max(1, worker.finishedCount);
    const ahead = taskLasts_ms > prefetchedLast_ms ? 0 : Math.max(worker.slots, perWindow * 2);
    worker.prefetch = Math.min(worker.prefetchMax, ahead);
    worker.finishedCount = 0;
    worker.finishedSince_ms = now_ms;
  }

  /** Workers that could be given tasks. */
  *usable(): Generator<PoolWorker> {
    for (const worker of this.workers.values()) {
      if (worker.state === "ready" && !worker.stopping) yield worker;
    }
  }
}
