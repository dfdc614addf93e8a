/**
 * Starts a task on the processors of its seat. A process inherits the mask of the thread that makes it, so we take on
 * the mask for the moment of the start: nothing runs before it is bound, and nothing is paid for a wrapper. Where the
 * system call cannot be made, the program `taskset` does it; where that is missing, it is said once and not done.
 */
import { findCommand } from "../host/command.ts";
import type { Log } from "../host/host.ts";
import type { Libc } from "../host/libc.ts";

export class Pinning {
  readonly #log: Log;
  readonly #path: string | undefined;
  readonly #calls: Libc | undefined;
  #taskset: string | undefined;
  #said = false;

  /** `path`: where `taskset` is looked for. `calls`: undefined where there are none. */
  constructor(log: Log, path: string | undefined, calls: Libc | undefined) {
    this.#log = log;
    this.#path = path;
    this.#calls = calls;
  }

  /** Calls `start` bound to `cpus`; what it is given comes before the words of the command. */
  bound<T>(cpus: readonly number[], start: (prefix: readonly string[]) => T): T {
    const calls = this.#calls;
    const before = calls?.affinity();
    if (calls === undefined || before === undefined) return start(this.#wrapper(cpus));
    if (!calls.setAffinity(cpus)) {
      this.#notDone(cpus, "the system refuses");
      return start([]);
    }
    try {
      return start([]);
    } finally {
      calls.setAffinity(before);
    }
  }

  #wrapper(cpus: readonly number[]): string[] {
    this.#taskset ??= findCommand("taskset", this.#path) ?? "";
    if (this.#taskset !== "") return [this.#taskset, "-c", cpus.join(",")];
    this.#notDone(cpus, "neither the system call nor the program taskset can be used");
    return [];
  }

  #notDone(cpus: readonly number[], why: string): void {
    if (this.#said) return;
    this.#said = true;
    this.#log.warn("worker.not_bound", { cpus: cpus.join(","), why });
  }
}
