/**
 * Whether tasks keep to the memory they asked for. Only those that named an amount are looked at, and seldom: one walk
 * over the process table for all of them, more often only while one is near its limit. What counts is resident memory
 * of all processes of a task, shared pages divided by who shares them, so that a pool of forked workers is not counted
 * many times.
 */
import * as fs from "node:fs";
import type { Clock } from "../host/host.ts";
import { environmentValue, type ProcessRow, processTable } from "../host/processes.ts";

/** A task that named an amount. */
export interface Watched {
  readonly tid: string;
  /** Its main process, which is also its group and session. */
  readonly pid: number;
  readonly limit_mib: number;
}

/** How the memory of processes is learned; tests bring their own. */
export interface Gauge {
  table(): readonly ProcessRow[];
  /** Resident memory of one process in KiB, cheaply; shared pages count in full. */
  resident_kib(pid: number): number;
  /** The same with shared pages divided; undefined where the system does not tell. */
  proportional_kib(pid: number): number | undefined;
  /** The task that a process belongs to by its environment. */
  taskOf(pid: number): string | undefined;
}

const seldom_ms = 1000;
const often_ms = 200;
/** From this share of its limit on, a task is looked at often. */
const nearShare = 0.5;

export class MemoryWatch<T extends Watched> {
  readonly #clock: Clock;
  readonly #gauge: Gauge;
  readonly #over: (task: T, used_mib: number) => void;
  readonly #byEnvironment: boolean;
  readonly #tasks = new Set<T>();
  #cancel: (() => void) | undefined;

  /** `by_environment`: processes of tasks may be no descendants of ours, as in containers. */
  constructor(clock: Clock, by_environment: boolean, over: (task: T, used_mib: number) => void, gauge = procGauge) {
    this.#clock = clock;
    this.#byEnvironment = by_environment;
    this.#over = over;
    this.#gauge = gauge;
  }

  watch(task: T): void {
    this.#tasks.add(task);
    this.#cancel ??= this.#clock.after(often_ms, () => this.look());
  }

  forget(task: T): void {
    if (!this.#tasks.delete(task) || this.#tasks.size > 0) return;
    this.stop();
  }

  stop(): void {
    this.#cancel?.();
    this.#cancel = undefined;
  }

  /** Looks at all of them now, and sets the next time. */
  look(): void {
    let near = false;
    for (const [task, pids] of this.#processes()) {
      const limit_kib = task.limit_mib * 1024;
      const resident = sum(pids, (pid) => this.#gauge.resident_kib(pid));
      if (resident > limit_kib * nearShare) near = true;
      if (resident <= limit_kib) continue;
      const exact = sum(pids, (pid) => this.#gauge.proportional_kib(pid) ?? this.#gauge.resident_kib(pid));
      if (exact > limit_kib) this.#over(task, Math.ceil(exact / 1024));
    }
    this.stop();
    if (this.#tasks.size > 0) this.#cancel = this.#clock.after(near ? often_ms : seldom_ms, () => this.look());
  }

  #processes(): Map<T, number[]> {
    const byPid = new Map([...this.#tasks].map((task) => [task.pid, task]));
    const byTid = new Map([...this.#tasks].map((task) => [task.tid, task]));
    const found = new Map<T, number[]>([...this.#tasks].map((task) => [task, []]));
    const rows = new Map(this.#gauge.table().map((row) => [row.pid, row]));
    for (const row of rows.values()) {
      const own = ownerOf(row, byPid, rows);
      const tid = own === undefined && this.#byEnvironment ? this.#gauge.taskOf(row.pid) : undefined;
      const task = own ?? (tid === undefined ? undefined : byTid.get(tid));
      if (task !== undefined) found.get(task)?.push(row.pid);
    }
    return found;
  }
}

/** By group, session, or descent. */
function ownerOf<T>(row: ProcessRow, byPid: Map<number, T>, rows: Map<number, ProcessRow>): T | undefined {
  for (let at: ProcessRow | undefined = row, depth = 0; at !== undefined && depth < 1000; depth++) {
    const task = byPid.get(at.pid) ?? byPid.get(at.pgid) ?? byPid.get(at.session);
    if (task !== undefined) return task;
    at = at.ppid > 1 ? rows.get(at.ppid) : undefined;
  }
  return undefined;
}

function sum(pids: readonly number[], of: (pid: number) => number): number {
  return pids.reduce((total, pid) => total + of(pid), 0);
}

/** Linux; elsewhere nothing is known, and nobody is ended. */
const procGauge: Gauge = {
  table: () => processTable().filter(({ state }) => state !== "Z" && state !== "X"),
  resident_kib: (pid) => kib(`/proc/${pid}/status`, /^VmRSS:\s+(\d+) kB$/m) ?? 0,
  proportional_kib: (pid) => kib(`/proc/${pid}/smaps_rollup`, /^Pss:\s+(\d+) kB$/m),
  taskOf: (pid) => environmentValue(pid, "GC_TASK_UUID"),
};

function kib(path: string, pattern: RegExp): number | undefined {
  try {
    const match = pattern.exec(fs.readFileSync(path, "latin1"));
    return match === null ? undefined : Number(match[1]);
  } catch {
    return undefined;
  }
}
