/**
 * Processes of this machine: who they are beyond a reusable number, starting one that outlives us, signals, and finding
 * what a task left behind. Linux answers from /proc; elsewhere `ps` is asked, and environments cannot be searched.
 */
import * as fs from "node:fs";
import { GcError, systemCode } from "../errors.ts";

/** A process beyond its number: numbers are reused, start times within one boot are not. */
export interface ProcessIdentity {
  pid: number;
  /** Clock ticks since boot (Linux) or the start date in words. */
  starttime: string;
  boot_id: string;
}

/** One line of the process table. */
export interface ProcessRow {
  pid: number;
  ppid: number;
  pgid: number;
  session: number;
  /** One letter: R, S, D, Z (a zombie, dead already), T, … */
  state: string;
  starttime: string;
}

let bootIdOnce: string | undefined;

/** Changes with every boot of this machine; empty where the system does not tell. */
export function bootId(): string {
  if (bootIdOnce === undefined) {
    try {
      bootIdOnce = fs.readFileSync("/proc/sys/kernel/random/boot_id", "latin1").trim();
    } catch {
      bootIdOnce = "";
    }
  }
  return bootIdOnce;
}

/** The identity of a living process, or undefined when there is none (a zombie is none). */
export function identify(pid: number): ProcessIdentity | undefined {
  const row = processRow(pid);
  if (row === undefined || row.state === "Z" || row.state === "X") return undefined;
  return { pid, starttime: row.starttime, boot_id: bootId() };
}

/** Whether the very process that `identity` names lives on this machine. */
export function alive(identity: ProcessIdentity): boolean {
  if (identity.boot_id !== bootId()) return false;
  return identify(identity.pid)?.starttime === identity.starttime;
}

/** The row of one process, or undefined when there is none. */
export function processRow(pid: number): ProcessRow | undefined {
  if (process.platform !== "linux") return processTableByPs([String(pid)])[0];
  try {
    return parseStat(fs.readFileSync(`/proc/${pid}/stat`, "latin1"));
  } catch {
    return undefined;
  }
}

/** All processes that we may see. */
export function processTable(): ProcessRow[] {
  if (process.platform !== "linux") return processTableByPs(undefined);
  const rows: ProcessRow[] = [];
  for (const pid of pidsInProc()) {
    const row = processRow(pid);
    if (row !== undefined) rows.push(row);
  }
  return rows;
}

/** Pids below `roots`, children of children included; `roots` themselves are not in it. */
export function descendants(roots: Iterable<number>, table: readonly ProcessRow[] = processTable()): Set<number> {
  const childrenOf = new Map<number, number[]>();
  for (const row of table) {
    const siblings = childrenOf.get(row.ppid);
    if (siblings === undefined) childrenOf.set(row.ppid, [row.pid]);
    else siblings.push(row.pid);
  }
  const found = new Set<number>();
  const open = [...roots];
  for (let pid = open.pop(); pid !== undefined; pid = open.pop()) {
    for (const child of childrenOf.get(pid) ?? []) {
      if (found.has(child)) continue;
      found.add(child);
      open.push(child);
    }
  }
  return found;
}

/**
 * The value of a variable in the environment of a process, as it was when the process started its program; undefined
 * when it has none, or is not ours to read. The only way to recognise a daemon that left group, session and parents.
 */
export function environmentValue(pid: number, variable: string): string | undefined {
  let environ: Buffer;
  try {
    environ = fs.readFileSync(`/proc/${pid}/environ`);
  } catch {
    return undefined;
  }
  const needle = `${variable}=`;
  let at = environ.indexOf(needle);
  while (at > 0 && environ[at - 1] !== 0) at = environ.indexOf(needle, at + 1);
  if (at < 0) return undefined;
  const end = environ.indexOf(0, at);
  return environ.toString("utf8", at + needle.length, end < 0 ? environ.byteLength : end);
}

/** Sends a signal to a process, or with a negative number to a group; false when there is none any more. */
export function signal(pid: number, name: NodeJS.Signals): boolean {
  try {
    process.kill(pid, name);
    return true;
  } catch (cause) {
    if (systemCode(cause) === "ESRCH") return false;
    // EPERM: it changed its user. Nothing we could do about it; whoever asks will see it alive.
    return true;
  }
}

/** Calls `act` whenever this process gets the signal, instead of what the signal does by itself. */
export function onSignal(name: NodeJS.Signals, act: () => void): void {
  process.on(name, act);
}

/** How a detached process is started. */
export interface DetachOptions {
  /** Where its standard output and error go, appended. */
  log_path: string;
  env: { [name: string]: string };
  cwd: string;
}

/**
 * Freed memory goes back to the system after a second instead of 10 ms: a daemon that has work needs it again at once,
 * and every page that has to come back costs a fault (measured: a tenth of all CPU time in bench B2; idle, nothing
 * changes).
 */
const allocator: { readonly [name: string]: string } = {
  MIMALLOC_PURGE_DELAY: "1000",
  MIMALLOC_PURGE_HOLES_MIN_INTERVAL: "5000",
};

/**
 * Starts a process of gc that outlives us: session of its own, no input, output appended to a file of mode 0600.
 * Returns its pid.
 * @throws GcError `process.cannot_start`.
 */
export function spawnDetached(argv: readonly string[], options: DetachOptions): number {
  const fd = fs.openSync(options.log_path, "a", 0o600);
  try {
    const child = Bun.spawn([...argv], {
      cwd: options.cwd,
      env: { ...allocator, ...options.env },
      stdio: ["ignore", fd, fd],
      detached: true,
    });
    child.unref();
    return child.pid;
  } catch (cause) {
    throw new GcError("unavailable", "process.cannot_start", `Cannot start "${argv[0]}"`, { cause });
  } finally {
    fs.closeSync(fd);
  }
}

function pidsInProc(): number[] {
  const pids: number[] = [];
  for (const name of fs.readdirSync("/proc")) {
    const pid = Number(name);
    if (Number.isInteger(pid)) pids.push(pid);
  }
  return pids;
}

/** `pid (name) state ppid pgrp session … starttime(22) …`; the name may hold blanks and parentheses (proc(5)). */
function parseStat(text: string): ProcessRow | undefined {
  const close = text.lastIndexOf(")");
  const fields = text.slice(close + 2).split(" ");
  const [state, ppid, pgid, session] = fields;
  const starttime = fields[19];
  if (close < 0 || state === undefined || starttime === undefined) return undefined;
  return {
    pid: Number.parseInt(text, 10),
    ppid: Number(ppid),
    pgid: Number(pgid),
    session: Number(session),
    state,
    starttime,
  };
}

function processTableByPs(pids: string[] | undefined): ProcessRow[] {
  const which = pids === undefined ? ["-A"] : ["-p", pids.join(",")];
  const columns = "pid=,ppid=,pgid=,sess=,state=,lstart=";
  const done = Bun.spawnSync(["ps", ...which, "-o", columns], { env: { PATH: "/usr/bin:/bin", LC_ALL: "C" } });
  const rows: ProcessRow[] = [];
  for (const line of done.stdout.toString().split("\n")) {
    const [pid, ppid, pgid, session, state, ...started] = line.trim().split(/\s+/);
    if (pid === undefined || state === undefined) continue;
    rows.push({
      pid: Number(pid),
      ppid: Number(ppid),
      pgid: Number(pgid),
      session: Number(session) || 0,
      state: state.slice(0, 1),
      starttime: started.join(" "),
    });
  }
  return rows;
}
