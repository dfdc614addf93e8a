/**
 * Everything that belongs to a task: its process group, its session, all that descend from it, and what has left all
 * of these behind (a daemon that was forked twice), which is known by the task's id in its environment. On Linux the
 * worker makes itself the parent of orphans, so that a look at its own children tells whether a task left anything at
 * all.
 */
import * as fs from "node:fs";
import { libc } from "../host/libc.ts";
import { descendants, environmentValue, type ProcessRow, processTable, signal } from "../host/processes.ts";

/** A task, as its processes are found. */
export interface TreeOf {
  tid: string;
  attempt: number;
  /** The main process; also the number of its group and session. */
  pid: number;
}

/** The processes of all tasks of this worker. */
export class Trees {
  readonly #libc = libc();
  readonly #children: number | undefined;
  readonly #buffer = Buffer.alloc(64 * 1024);

  constructor() {
    if (this.#libc?.becomeSubreaper() !== true) return;
    try {
      this.#children = fs.openSync(`/proc/${process.pid}/task/${process.pid}/children`, "r");
    } catch {
      // A kernel without CONFIG_PROC_CHILDREN: then every look is a long one.
    }
  }

  /** Whether orphans come to us; then `strays` is exact, and a child of ours that dies says when to look again. */
  get adopts(): boolean {
    return this.#children !== undefined;
  }

  /**
   * Children of ours that are not in `known`: orphans of tasks. Dead ones are buried on the way. Undefined when it
   * cannot be told so cheaply.
   */
  strays(known: { has(pid: number): boolean }): number[] | undefined {
    if (this.#children === undefined) return undefined;
    const read = fs.readSync(this.#children, this.#buffer, 0, this.#buffer.byteLength, 0);
    if (read === 0) return [];
    const found: number[] = [];
    for (const word of this.#buffer.toString("latin1", 0, read).split(" ")) {
      const pid = Number(word);
      if (pid > 0 && !known.has(pid) && this.#libc?.reap(pid) !== true) found.push(pid);
    }
    return found;
  }

  /**
   * Every living process of a task. `sole`: no other task runs, so an orphan that hides its environment is of this
   * one.
   */
  members(task: TreeOf, known: { has(pid: number): boolean }, sole: boolean): ProcessRow[] {
    const table = processTable().filter((row) => row.state !== "Z" && row.state !== "X");
    const roots = new Set<number>();
    for (const row of table) if (this.#isOf(row, task)) roots.add(row.pid);
    if (sole) for (const pid of this.strays(known) ?? []) roots.add(pid);
    for (const pid of descendants([...roots, task.pid], table)) roots.add(pid);
    return table.filter(({ pid }) => roots.has(pid) && pid !== process.pid);
  }

  #isOf(row: ProcessRow, task: TreeOf): boolean {
    if (row.pid === task.pid || row.pgid === task.pid || row.session === task.pid) return true;
    return isOfTask(row.pid, task.tid, task.attempt);
  }
}

/**
 * Sends a signal to all of a task, once to each: some programs take a second TERM for an order to drop everything.
 * Those that are started meanwhile get theirs with the next signal.
 */
export function signalTree(members: readonly ProcessRow[], task: TreeOf, name: NodeJS.Signals): void {
  signal(-task.pid, name);
  for (const { pid, pgid, state } of members) {
    if (pgid !== task.pid) signal(pid, name);
    // A stopped process does nothing about a signal, except KILL, before it goes on.
    if (state === "T" && name !== "SIGKILL") signal(pid, "SIGCONT");
  }
}

/** Whether the environment of a process names this attempt of a task. */
export function isOfTask(pid: number, tid: string, attempt: number): boolean {
  if (environmentValue(pid, "GC_TASK_UUID") !== tid) return false;
  return environmentValue(pid, "GC_TASK_ATTEMPT") === String(attempt);
}
