/**
 * The directory in which an attempt runs. Making and removing one costs as much as a third of a small process
 * (performance.md §3), so each slot has one that is used again as long as tasks leave nothing in it. What a task does
 * leave stays, under the attempt's name, until the endpoint has the result.
 */
import * as fs from "node:fs";
import { join } from "node:path";
import { removeTree } from "../host/files.ts";

/** The sandbox of one slot. */
export class Sandbox {
  readonly path: string;
  readonly #dir: string;
  #ready = false;

  /** `dir`: where sandboxes are; `slot`: a name that no other slot uses there. */
  constructor(dir: string, slot: string) {
    this.#dir = dir;
    this.path = join(dir, slot);
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

  /** The task is over. */
  leave(tid: string, attempt: number): void {
    if (!this.#ready) return;
    let empty = false;
    try {
      empty = fs.readdirSync(this.path).length === 0 && (fs.statSync(this.path).mode & 0o7777) === 0o700;
    } catch {
      // It removed its own sandbox, or closed it to itself.
    }
    if (empty) return;
    this.#ready = false;
    try {
      fs.renameSync(this.path, sandboxOf(this.#dir, tid, attempt));
    } catch {
      // There is nothing to keep; what may be left is removed by the next `prepare`.
    }
  }

  remove(): void {
    removeTree(this.path);
  }
}

/** Where the sandbox of an attempt is after its end, if it left something. */
export function sandboxOf(dir: string, tid: string, attempt: number): string {
  return join(dir, `${tid}.${attempt}`);
}

/** Removes what an attempt left, in the background: it may be large. */
export function removeSandbox(dir: string, tid: string, attempt: number, failed: (error: unknown) => void): void {
  const path = sandboxOf(dir, tid, attempt);
  if (!fs.existsSync(path)) return;
  fs.promises.rm(path, { recursive: true, force: true }).catch(failed);
}
