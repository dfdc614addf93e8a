/**
 * Looks at the output of tasks that somebody follows, and tells when it grew. One timer for all of them, none when
 * nobody follows; often while something comes, seldom while nothing does. (Watching files by the kernel's notices
 * costs memory that is not given back, bun.md §9.)
 */
import type { Clock } from "../host/host.ts";
import type { AttemptKey } from "./attempt.ts";

const often_ms = 5;
const seldom_ms = 50;

/** Sizes of the two streams, or undefined when the task does not run. */
type Sizes = { stdout: number; stderr: number } | undefined;

export class Watching {
  readonly #clock: Clock;
  readonly #sizes: (key: AttemptKey) => Sizes;
  readonly #grown: (key: AttemptKey, stdout: number, stderr: number) => void;
  readonly #seen = new Map<AttemptKey, { stdout: number; stderr: number }>();
  #delay_ms = often_ms;
  #cancel: (() => void) | undefined;

  constructor(
    clock: Clock,
    sizes: (key: AttemptKey) => Sizes,
    grown: (key: AttemptKey, stdout: number, stderr: number) => void,
  ) {
    this.#clock = clock;
    this.#sizes = sizes;
    this.#grown = grown;
  }

  /** Looks at this task at once, and then again and again; or stops. */
  watch(key: AttemptKey, on: boolean): void {
    if (!on) {
      this.#seen.delete(key);
      if (this.#seen.size === 0) this.stop();
      return;
    }
    this.#seen.set(key, { stdout: 0, stderr: 0 });
    this.#look(key);
    this.#delay_ms = often_ms;
    this.#cancel ??= this.#clock.after(this.#delay_ms, () => this.#round());
  }

  stop(): void {
    this.#cancel?.();
    this.#cancel = undefined;
    this.#seen.clear();
  }

  #round(): void {
    let grew = false;
    for (const key of [...this.#seen.keys()]) grew = this.#look(key) || grew;
    this.#delay_ms = grew ? often_ms : Math.min(this.#delay_ms * 1.5, seldom_ms);
    this.#cancel = this.#seen.size === 0 ? undefined : this.#clock.after(this.#delay_ms, () => this.#round());
  }

  #look(key: AttemptKey): boolean {
    const seen = this.#seen.get(key);
    const now = this.#sizes(key);
    if (seen === undefined || now === undefined) return false;
    if (seen.stdout === now.stdout && seen.stderr === now.stderr) return false;
    this.#seen.set(key, now);
    this.#grown(key, now.stdout, now.stderr);
    return true;
  }
}
