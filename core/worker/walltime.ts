/**
 * Where a walltime is enforced. Whatever must happen to a running task at some time is one deadline per attempt: end
 * of its walltime (→ TERM), end of its grace (→ KILL), end of our patience with what cannot be killed. The worker
 * keeps one timer for the earliest, and none while no task has a deadline. Times are monotonic: a clock that is set
 * ends no task.
 */
import type { AttemptKey, HeldAttempt } from "./attempt.ts";

/** Between TERM and KILL when the task does not say. */
const graceDefault_s = 10;
/** Time for what a task left behind to end by itself, such as a `tee` that still writes; then TERM. */
export const leftBehindPatience_ms = 200;
/** Between TERM and KILL for what was left behind. */
export const leftBehindGrace_ms = 2_000;
/** After KILL: processes that a file server holds (state D) cannot be waited for. */
export const unkillablePatience_ms = 5_000;

/** Milliseconds between TERM and KILL of this attempt. */
export function graceOf(attempt: HeldAttempt): number {
  return (attempt.spec.grace_s ?? graceDefault_s) * 1000;
}

/** The deadlines of one worker. */
export class Deadlines {
  readonly #at = new Map<AttemptKey, number>();
  /** When the timer is set to ring; it may ring for nothing. */
  #armed_ms = Number.POSITIVE_INFINITY;

  /** Sets the deadline of an attempt; its old one is void. */
  set(attempt: HeldAttempt, next: NonNullable<HeldAttempt["next"]>, at_ms: number): void {
    attempt.next = next;
    this.#at.set(attempt.key, at_ms);
  }

  clear(attempt: HeldAttempt): void {
    if (attempt.next === undefined) return;
    attempt.next = undefined;
    this.#at.delete(attempt.key);
  }

  /** Keys whose time has come; each is to be set anew or cleared. The timer has rung. */
  due(now_ms: number): AttemptKey[] {
    this.#armed_ms = Number.POSITIVE_INFINITY;
    const keys: AttemptKey[] = [];
    for (const [key, at_ms] of this.#at) if (at_ms <= now_ms) keys.push(key);
    return keys;
  }

  /** When the timer must be set anew: the earliest deadline, if it is earlier than the timer. */
  rearm(): number | undefined {
    if (this.#at.size === 0) return undefined;
    let earliest = Number.POSITIVE_INFINITY;
    for (const at_ms of this.#at.values()) if (at_ms < earliest) earliest = at_ms;
    if (earliest >= this.#armed_ms) return undefined;
    this.#armed_ms = earliest;
    return earliest;
  }
}
