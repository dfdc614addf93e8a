/**
 * How gc ends a task: TERM to all of it, its grace, KILL, and at last no more waiting. Also what becomes of processes
 * that a task left behind when its main process ended. The first cause stays, whatever comes later.
 */
import { unreachable } from "../assert.ts";
import type { Ending, Exit, HeldAttempt } from "./attempt.ts";
import type { Now, WorkerEffect } from "./decision.ts";
import {
  type Deadlines,
  graceOf,
  leftBehindGrace_ms,
  leftBehindPatience_ms,
  unkillablePatience_ms,
} from "./walltime.ts";

/** Begins to end what runs. A second call changes nothing, but for SIGKILL, which comes at once. */
export function end(held: HeldAttempt, ending: Ending, deadlines: Deadlines, now: Now, effects: WorkerEffect[]): void {
  const begun = held.ending !== undefined;
  if (begun && ending.signal !== "SIGKILL") return;
  if (!begun && held.phase === "running") held.ending = ending;
  signalAll(held, ending.signal, effects);
  if (ending.signal === "SIGKILL") deadlines.set(held, "give_up", now.mono_ms + unkillablePatience_ms);
  else deadlines.set(held, "kill", now.mono_ms + graceOf(held));
}

/**
 * The main process has ended and others of the task have not. Whoever was told to end keeps its grace; whoever was
 * merely left behind has a moment to end by itself.
 */
export function mainEnded(held: HeldAttempt, exit: Exit, deadlines: Deadlines, now: Now): void {
  held.phase = "clearing";
  held.exit = exit;
  if (held.ending === undefined) deadlines.set(held, "terminate", now.mono_ms + leftBehindPatience_ms);
}

/** The deadline of an attempt has come. */
export function late(held: HeldAttempt, deadlines: Deadlines, now: Now, effects: WorkerEffect[]): void {
  switch (held.next) {
    case "walltime":
      return end(held, { cause: "walltime", signal: "SIGTERM" }, deadlines, now, effects);
    case "terminate":
      signalAll(held, "SIGTERM", effects);
      return deadlines.set(held, "kill", now.mono_ms + leftBehindGrace_ms);
    case "kill":
      signalAll(held, "SIGKILL", effects);
      return deadlines.set(held, "give_up", now.mono_ms + unkillablePatience_ms);
    case "give_up":
      deadlines.clear(held);
      effects.push({ t: "collect", key: held.key });
      return;
    case undefined:
      return;
    default:
      return unreachable(held.next);
  }
}

function signalAll(held: HeldAttempt, signal: NodeJS.Signals, effects: WorkerEffect[]): void {
  effects.push({ t: "signal", key: held.key, signal, scope: "tree" });
}
