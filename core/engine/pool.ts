/**
 * The workers of an endpoint as its engine sees them: who answers, what fits, what each of them has. Volatile: after a
 * restart it is filled again by what the workers say of themselves.
 */

import { gatherBatch_ms } from "../limits.ts";
import type { Resources } from "../schema/task.ts";
import type { Ready } from "../schema/worker_message.ts";
import type { TaskId } from "../task/id.ts";
import { GangLine } from "./gang_line.ts";
import type { HeldEnvelope } from "./held_envelope.ts";
import { byName } from "./whole_nodes.ts";

/** One task that was given to a worker. */
export interface Assignment {
  held: HeldEnvelope;
  index: number;
  attempt: number;
  needs: Resources;
  /** When it was given to the worker, or when that was heard of: it runs no longer than its walltime from then. */
  since_ms: number;
}

/** The workers that one task on whole nodes has. The lead runs it; the others are kept free of everything else. */
export interface Gang {
  readonly tid: TaskId;
  /** Ids, the lead's first. Some may not have come up yet after a restart. */
  readonly workers: readonly string[];
}

/** One worker process. */
export interface PoolWorker {
  readonly id: string;
  /** The block it belongs to; undefined for a worker of this machine. */
  readonly block: string | undefined;
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
  /** Tasks that wait for whole nodes. */
  readonly line = new GangLine();
  /** By the id of the lead. */
  readonly gangs = new Map<string, Gang>();
  /** Worker → lead of the gang it is in. */
  private readonly reserved = new Map<string, string>();
  private sorted: PoolWorker[][] | undefined;
  /** Workers in a row that ended before they were ready. */
  barren = 0;

  add(id: string, now_ms: number, block?: string): PoolWorker {
    const worker: PoolWorker = {
      id,
      block,
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
    this.sorted = undefined;
    return worker;
  }

  /** A worker is buried: what it led is over, and who followed it is free. */
  remove(id: string): void {
    this.disband(id);
    this.workers.delete(id);
    this.sorted = undefined;
  }

  /** Takes in what a worker says of itself. */
  introduce(worker: PoolWorker, ready: Ready): void {
    worker.state = "ready";
    if (ready.leaving === true) worker.stopping = true;
    this.barren = 0;
    worker.host = ready.host;
    this.sorted = undefined;
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

  /** Keeps these workers for one task of the first of them. */
  reserve(tid: TaskId, workers: readonly string[]): void {
    const [lead] = workers;
    if (lead === undefined || this.gangs.get(lead)?.tid === tid) return;
    this.disband(lead);
    this.gangs.set(lead, { tid, workers });
    for (const id of workers) this.reserved.set(id, lead);
  }

  /** The gang that a worker is in, as lead or not. */
  gangOf(id: string): Gang | undefined {
    const lead = this.reserved.size === 0 ? undefined : this.reserved.get(id);
    return lead === undefined ? undefined : this.gangs.get(lead);
  }

  private disband(lead: string): void {
    for (const id of this.gangs.get(lead)?.workers ?? []) if (this.reserved.get(id) === lead) this.reserved.delete(id);
    this.gangs.delete(lead);
  }

  /**
   * Takes a task off a worker; does nothing when it does not have it (any more). Its gang is free again, unless it is
   * still being ended there (`ending`).
   */
  release(worker: PoolWorker, tid: TaskId, ending = false): void {
    if (!ending && this.gangs.size > 0 && this.gangs.get(worker.id)?.tid === tid) this.disband(worker.id);
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

  /** All workers by block, in the order of their hosts. */
  blocks(): readonly (readonly PoolWorker[])[] {
    if (this.sorted !== undefined) return this.sorted;
    const byBlock = new Map<string, PoolWorker[]>();
    for (const worker of this.workers.values()) {
      const key = worker.block ?? worker.id;
      const members = byBlock.get(key);
      if (members === undefined) byBlock.set(key, [worker]);
      else members.push(worker);
    }
    this.sorted = [...byBlock.values()];
    for (const members of this.sorted) members.sort((a, b) => byName(a.host, b.host));
    return this.sorted;
  }
}
