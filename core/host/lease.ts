/**
 * At most one daemon of a kind per directory, also when two login nodes share it: a lease file names the holder, who
 * renews it every minute. It is taken over only when its holder is proved dead on this machine, or another machine has
 * not renewed it for five minutes. Ages are compared by the time stamps the file system itself gives, so that a clock
 * that is wrong by a day harms nobody; locks (flock) are not used, because many network file systems lack them.
 */
import * as fs from "node:fs";
import { GcError, messageOf, systemCode } from "../errors.ts";
import { fileError, readJsonIfThere, removeIfThere, writeJson } from "./files.ts";
import type { Host } from "./host.ts";
import { alive, bootId, identify, type ProcessIdentity } from "./processes.ts";

/** Who holds a lease. */
export interface LeaseHolder extends ProcessIdentity {
  v: 1;
  /** What it is, for people: `endpoint "lab"`. */
  what: string;
  host: string;
  /** Random, so that two holders are never mixed up. */
  token: string;
  taken_ms: number;
}

/** A lease that we hold. */
export interface Lease {
  readonly holder: LeaseHolder;
  /** Gives it back; nothing happens when somebody else took it over. */
  release(): void;
}

const renewEvery_ms = 60_000;
const strangerDeadAfter_ms = 5 * 60_000;

/** The holder of the lease at `path`, dead or alive, or undefined when nobody holds it. */
export function readLease(path: string): LeaseHolder | undefined {
  const value = readJsonIfThere(path);
  if (typeof value !== "object" || value === null) return undefined;
  const holder = value as Partial<LeaseHolder>;
  if (typeof holder.pid !== "number" || typeof holder.host !== "string" || typeof holder.token !== "string") {
    return undefined;
  }
  return holder as LeaseHolder;
}

/** Whether the holder lives: by its process here, by the age of the file elsewhere. */
export function leaseIsLive(path: string, holder: LeaseHolder, host: Pick<Host, "hostname">): boolean {
  if (holder.host === host.hostname && holder.boot_id === bootId()) return alive(holder);
  const age = age_ms(path);
  // The same machine before its last boot, or another one of the same name: only the latter renews after our boot.
  if (holder.host === host.hostname && age > process.getBuiltinModule("node:os").uptime() * 1000) return false;
  return age < strangerDeadAfter_ms;
}

/**
 * Takes the lease at `path` for this process and keeps renewing it; `what` names us for people, such as
 * `endpoint "lab"`. `lost` is told when somebody took it over, after which we must stop at once.
 * @throws GcError `<kind>.already_running` (kind: first word of `what`) with host and pid of a living holder.
 */
export function takeLease(path: string, what: string, host: Host, lost: () => void = () => {}): Lease {
  const own = identify(process.pid);
  const holder: LeaseHolder = {
    v: 1,
    what,
    host: host.hostname,
    pid: process.pid,
    starttime: own?.starttime ?? "",
    boot_id: own?.boot_id ?? bootId(),
    token: Buffer.from(host.random.bytes(16)).toString("hex"),
    taken_ms: host.clock.now(),
  };
  const beside = `${path}.${holder.token}`;
  writeJson(beside, holder);
  try {
    if (!linkOnce(beside, path)) takeOver(path, beside, what, host);
  } finally {
    removeIfThere(beside);
  }
  let cancel = (): void => {};
  const renew = (): void => {
    try {
      if (readLease(path)?.token !== holder.token) {
        lost();
        return;
      }
      touch(path);
    } catch (error) {
      host.log.warn("lease.not_renewed", { path, why: messageOf(error) });
    }
    cancel = host.clock.after(renewEvery_ms, renew);
  };
  cancel = host.clock.after(renewEvery_ms, renew);
  return {
    holder,
    release() {
      cancel();
      if (readLease(path)?.token === holder.token) removeIfThere(path);
    },
  };
}

/** Puts our file at `path` unless one is there. `link` is atomic on every file system that has it, NFS included. */
function linkOnce(beside: string, path: string): boolean {
  try {
    fs.linkSync(beside, path);
    return true;
  } catch (cause) {
    if (systemCode(cause) === "EEXIST") return false;
    if (!["EPERM", "ENOTSUP", "ENOSYS", "EMLINK"].includes(systemCode(cause) ?? "")) {
      throw fileError("create", path, cause, "cannot_create");
    }
  }
  try {
    fs.copyFileSync(beside, path, fs.constants.COPYFILE_EXCL);
    return true;
  } catch (cause) {
    if (systemCode(cause) === "EEXIST") return false;
    throw fileError("create", path, cause, "cannot_create");
  }
}

/** Replaces a dead holder's file by ours. Two that try at once are kept apart by a second, short-lived file. */
function takeOver(path: string, beside: string, what: string, host: Host): void {
  const gate = `${path}.takeover`;
  refuseIfLive(path, what, host);
  if (!linkOnce(beside, gate)) {
    const other = readLease(gate);
    if (other !== undefined && leaseIsLive(gate, other, host)) throw alreadyRunning(what, other);
    removeIfThere(gate);
    if (!linkOnce(beside, gate)) {
      throw new GcError("temporary", "lease.contended", `Cannot take "${path}": another process is taking it just now`);
    }
  }
  try {
    refuseIfLive(path, what, host);
    fs.renameSync(beside, path);
  } finally {
    removeIfThere(gate);
  }
}

/** Renews the time stamp by a write, because then the file server's clock sets it (utimes would send ours). */
function touch(path: string): void {
  const fd = fs.openSync(path, "r+");
  try {
    fs.writeSync(fd, "{", 0);
  } finally {
    fs.closeSync(fd);
  }
}

function refuseIfLive(path: string, what: string, host: Host): void {
  const holder = readLease(path);
  if (holder !== undefined && leaseIsLive(path, holder, host)) throw alreadyRunning(what, holder);
}

function alreadyRunning(what: string, holder: LeaseHolder): GcError {
  const kind = what.split(" ", 1)[0] ?? "daemon";
  const where = `on host "${holder.host}" as process ${holder.pid}`;
  return new GcError("unavailable", `${kind}.already_running`, `The ${what} is already running ${where}`);
}

/** Age of a file by the clock of its file system: a fresh file beside it says what time it is there. */
function age_ms(path: string): number {
  const probe = `${path}.probe.${process.pid}`;
  try {
    fs.writeFileSync(probe, "");
    return fs.statSync(probe).mtimeMs - fs.statSync(path).mtimeMs;
  } finally {
    removeIfThere(probe);
  }
}
