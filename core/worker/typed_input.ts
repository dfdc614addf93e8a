/**
 * Input that is typed or piped while a task runs: every byte reaches the task once, in order, however often its
 * message comes. What does not fit is not acknowledged, and the client sends it again; nothing here grows without
 * bound.
 */
import { followWindowBytes } from "../limits.ts";
import type { FromWorker, Input } from "../schema/worker_message.ts";
import type { HeldAttempt } from "./attempt.ts";
import type { WorkerEffect } from "./decision.ts";

/** Input that was taken in here and not yet by the task, at most. */
const inputAheadMax = 2 * followWindowBytes;

/** Whether a task takes input from the attached client. */
export function takesInput(held: Pick<HeldAttempt, "spec">): boolean {
  return held.spec.stdin?.kind === "stream";
}

/** The process is there: it gets what came before it. */
export function passEarlyInput(held: HeldAttempt, effects: WorkerEffect[]): void {
  for (const piece of held.early ?? []) effects.push({ t: "input", key: held.key, ...piece });
  held.early = undefined;
}

/** Takes in one `input` for `held`; undefined when the task is not here (any more). */
export function takeInput(held: HeldAttempt | undefined, message: Input, effects: WorkerEffect[]): void {
  const { tid, offset, end } = message;
  const bytes = message.bytes?.[0] ?? new Uint8Array(0);
  const until = offset + bytes.byteLength;
  if (held === undefined || held.phase === "clearing" || held.phase === "over" || !takesInput(held)) {
    effects.push(acknowledge(tid, until, true));
    return;
  }
  if (offset > held.input_at) return;
  if (until <= held.input_at && !end) {
    effects.push(acknowledge(tid, held.input_taken, false));
    return;
  }
  if (until - held.input_taken > inputAheadMax) return;
  const fresh = bytes.subarray(Math.max(held.input_at - offset, 0));
  held.input_at = Math.max(held.input_at, until);
  const piece = { bytes: fresh.byteLength > 0 ? fresh : undefined, end };
  if (held.early !== undefined) held.early.push(piece);
  else effects.push({ t: "input", key: held.key, ...piece });
}

function acknowledge(tid: string, offset: number, closed: boolean): WorkerEffect {
  const message: FromWorker = { t: "input_ack", tid, offset, closed };
  return { t: "send", messages: [message] };
}
