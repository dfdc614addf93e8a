/**
 * The directory in which an attempt runs. Making and removing one costs as much as a third of a small process
 * (performance.md §3), so each slot has one that is used again as long as tasks leave nothing in it. What a task does
 * leave stays, under the attempt's name, until the endpoint has the result.
 */
import * as fs from "node:fs";
import { join } from "node:path";
import { removeTree } from "../host/files.ts";

/**
 * Time stamps of directories are as coarse as a tick of the kernel (4 ms at most). After this time any change shows.
 */
const coarse_ms = 20;

/** The sandbox of one slot. */
export class Sandbox {
  readonly path: string;
  readonly #dir: string;
  readonly #monotonic: () => number;
  #ready = false;
  /** Time stamp of the directory, when it was first seen, and whether it was seen empty long enough after that. */
  #stamp = { ctime_ms: 0, seen_ms: 0, settled: false };

  /** `dir`: where sandboxes are; `slot`: a name that no other slot uses there. */
  constructor(dir: string, slot: string, monotonic: () => number) {
    this.#dir = dir;
    this.path = join(dir, slot);
    this.#monotonic = monotonic;
  }

  /** An empty directory that only we may enter. */
  prepare(): string {
    if (!this.#ready) {
      removeTree(this.path);
      fs.mkdirSync(this.path, { recursive: true, mode: 0o700 });
      this.#ready = true;
    }
    return this.path;
  }

  /** The task is over. Returns whether it left something, which is now under its name. */
  leave(tid: string, attempt: number): boolean {
    if (!this.#ready || this.#isUntouched()) return false;
    this.#ready = false;
    try {
      fs.renameSync(this.path, sandboxOf(this.#dir, tid, attempt));
      return true;
    } catch {
      // It removed its own sandbox; what may be left is removed by the next `prepare`.
      return false;
    }
  }

  remove(): void {
    removeTree(this.path);
  }

  /** Whether it is empty, and as it was made. A time stamp that has settled and not changed tells without a look. */
  #isUntouched(): boolean {
    try {
      const stat = fs.statSync(this.path);
      const now_ms = this.#monotonic();
      const stamp = this.#stamp;
      if (stat.ctimeMs === stamp.ctime_ms && stamp.settled) return true;
      if ((stat.mode & 0o7777) !== 0o700 || fs.readdirSync(this.path).length > 0) return false;
      if (stat.ctimeMs !== stamp.ctime_ms) this.#stamp = { ctime_ms: stat.ctimeMs, seen_ms: now_ms, settled: false };
      else stamp.settled = now_ms - stamp.seen_ms > coarse_ms;
      return true;
    } catch {
      return false;
    }
  }
}

/** Where the sandbox of an attempt is after its end, if it left something. */
export function sandboxOf(dir: string, tid: string, attempt: number): string {
  return join(dir, `${tid}.${attempt}`);
}

/** Removes what an attempt left, in the background: it may be large. */
export function removeSandbox(dir: string, tid: string, attempt: number, failed: (error: unknown) => void): void {
  fs.promises.rm(sandboxOf(dir, tid, attempt), { recursive: true, force: true }).catch(failed);
}
