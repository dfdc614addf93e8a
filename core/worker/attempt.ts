/**
 * One attempt of a task as the worker holds it, from the message that brings it to the acknowledgement of its result.
 */
import type { Result } from "../schema/result.ts";
import type { TaskSpec } from "../schema/task.ts";
import type { Seat } from "./seats.ts";
import type { Needs } from "./slots.ts";

/** Names an attempt within a worker. First attempts, which are nearly all, are named by the task id alone. */
export type AttemptKey = string;

/** The key of attempt `attempt` of task `tid`. */
export function keyOf(tid: string, attempt: number): AttemptKey {
  return attempt === 1 ? tid : `${tid}.${attempt}`;
}

/** Why gc ends a task that has not ended by itself. The first cause stays. */
export interface Ending {
  cause: "cancel" | "interrupt" | "walltime" | "memory";
  signal: "SIGINT" | "SIGTERM" | "SIGKILL";
  /** For `memory`: what it used when it was ended, in MiB. */
  used_mib?: number;
}

/** How the main process of a task ended: a code, or the name of a signal. */
export interface Exit {
  code: number | null;
  signal: string | null;
}

/**
 * queued → running → (clearing →) over. `clearing`: the main process has ended, some that it left behind have not.
 * What is to happen next without an event from outside is in the deadlines, by `next`.
 */
export interface HeldAttempt {
  readonly key: AttemptKey;
  readonly tid: string;
  readonly attempt: number;
  readonly spec: TaskSpec;
  readonly needs: Needs;
  /** On several nodes: their names, and the ids of their workers, the lead first. */
  readonly nodes: readonly string[] | undefined;
  readonly workers: readonly string[] | undefined;
  /** What it has to itself while it runs, where slots are not all alike. */
  seat: Seat | undefined;
  phase: "queued" | "running" | "clearing" | "over";
  started_ms: number;
  ending: Ending | undefined;
  exit: Exit | undefined;
  /** What the deadline of this attempt means when it comes. */
  next: "walltime" | "terminate" | "kill" | "give_up" | undefined;
  /** Input that came before the process was there; undefined once it is, or if the task takes none. */
  early: { bytes: Uint8Array | undefined; end: boolean }[] | undefined;
  /** Input offset that is expected next, and offset that the task took. */
  input_at: number;
  input_taken: number;
  /** Sizes of the output so far, as last told. */
  stdout_bytes: number;
  stderr_bytes: number;
}

/** An attempt that has just come. `arrived_ms`: wall clock. */
export function newAttempt(
  tid: string,
  attempt: number,
  spec: TaskSpec,
  needs: Needs,
  arrived_ms: number,
  given: { nodes?: readonly string[] | undefined; workers?: readonly string[] | undefined } = {},
): HeldAttempt {
  return {
    key: keyOf(tid, attempt),
    tid,
    attempt,
    spec,
    needs,
    nodes: given.nodes,
    workers: given.workers,
    seat: undefined,
    phase: "queued",
    started_ms: arrived_ms,
    ending: undefined,
    exit: undefined,
    next: undefined,
    early: spec.stdin?.kind === "stream" ? [] : undefined,
    input_at: 0,
    input_taken: 0,
    stdout_bytes: 0,
    stderr_bytes: 0,
  };
}

/** A result that the endpoint has not acknowledged. */
export interface FinishedAttempt {
  tid: string;
  attempt: number;
  result: Result;
}
