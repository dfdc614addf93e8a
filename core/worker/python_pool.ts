/**
 * The warm interpreters of a worker: at most as many as ever were busy at once, and each only for calls that want the
 * same Python, the same environment and the same place on the node. An interpreter that nobody needs for ten minutes
 * goes.
 */
import type { Clock } from "../host/host.ts";
import type { Exit } from "./attempt.ts";
import type { Interpreter } from "./python_interpreter.ts";

const idleFor_ms = 600_000;

export class InterpreterPool {
  readonly #clock: Clock;
  readonly #pids = new Set<number>();
  /** Longest idle first. */
  #idle: Interpreter[] = [];
  #busy = 0;
  #most = 0;
  #cancel: (() => void) | undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Whether a process is an interpreter of ours. */
  has(pid: number): boolean {
    return this.#pids.has(pid);
  }

  /** An idle one for `key`, the one that was used last, or undefined; counts as busy from now on. */
  take(key: string): Interpreter | undefined {
    this.#busy += 1;
    this.#most = Math.max(this.#most, this.#busy);
    for (let i = this.#idle.length - 1; i >= 0; i--) {
      if (this.#idle[i]?.key === key) return this.#idle.splice(i, 1)[0];
    }
    if (this.#busy + this.#idle.length > this.#most) this.#idle.shift()?.kill();
    return undefined;
  }

  /** A new process that `take` asked for. */
  add(interpreter: Interpreter): void {
    this.#pids.add(interpreter.pid);
  }

  /** A call is over. `reusable`: nothing is left of it. */
  give(interpreter: Interpreter | undefined, reusable: boolean): void {
    this.#busy -= 1;
    if (interpreter === undefined) return;
    if (!reusable) return interpreter.kill();
    interpreter.idle_since_ms = this.#clock.monotonic();
    this.#idle.push(interpreter);
    this.#cancel ??= this.#clock.after(idleFor_ms, () => this.#expire());
  }

  /** The process of one has ended. */
  ended(interpreter: Interpreter, exit: Exit): void {
    this.#pids.delete(interpreter.pid);
    this.#idle = this.#idle.filter((one) => one !== interpreter);
    interpreter.ended(exit, this.#clock);
  }

  close(): void {
    this.#cancel?.();
    for (const interpreter of this.#idle) interpreter.kill();
    this.#idle = [];
  }

  #expire(): void {
    this.#cancel = undefined;
    const now_ms = this.#clock.monotonic();
    while (this.#idle[0] !== undefined && now_ms - this.#idle[0].idle_since_ms >= idleFor_ms)
      this.#idle.shift()?.kill();
    const [first] = this.#idle;
    if (first === undefined) return;
    this.#cancel = this.#clock.after(first.idle_since_ms + idleFor_ms - now_ms, () => this.#expire());
  }
}
