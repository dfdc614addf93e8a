/**
 * Mail from the relay: task envelopes, cancels and receipts, already verified. Everything may come twice and in any
 * order; what is known is answered as before.
 */
import type { HeldEnvelope } from "../engine/held_envelope.ts";
import { type LargestNode, misfit } from "../engine/largest_node.ts";
import { crashesMax, tombstone_ms } from "../limits.ts";
import type { CancelHeader, ReceiptHeader } from "../schema/envelope.ts";
import type { Result } from "../schema/result.ts";
import { type EnvelopeId, type TaskId, taskId } from "../task/id.ts";
import { phase } from "../task/lifecycle.ts";
import type { Desk, EndpointEvent } from "./decision.ts";
import { tombstoneUntil } from "./memory.ts";

type TasksEvent = Extract<EndpointEvent, { t: "tasks" }>;

/** A task envelope: ours from now on, unless it is, was, or may not be. */
export function takeTasks(desk: Desk, event: TasksEvent, largest?: LargestNode): void {
  const { header, digest } = event.arrival;
  const id = header.id as EnvelopeId;
  const known = desk.memory.held.get(id) ?? desk.memory.tombstones.get(id);
  if (known !== undefined) {
    const accepts = known.digest === digest ? [{ re: id, to: header.from, digest }] : [];
    if (accepts.length === 0) log(desk, "envelope.conflict", { id, from: header.from });
    desk.effect({ t: "ack_mail", seqs: [event.seq], accepts });
    return;
  }
  desk.record({
    t: "accepted",
    at_ms: event.now_ms,
    ...(event.refused === undefined ? {} : { refused: event.refused }),
    bytes: [event.bytes],
    arrival: event.arrival,
  });
  desk.effect({ t: "ack_mail", seqs: [event.seq], accepts: [{ re: id, to: header.from, digest }] });
  const held = desk.memory.get(id);
  if (event.refused !== undefined) {
    const refusal = notRun("rejected", "refused", 125, event.refused, event.now_ms);
    return finishWaiting(desk, held, [...held.phases.keys()], refusal);
  }
  if (held.cancelling.size > 0) finishWaiting(desk, held, [...held.cancelling], cancelledBeforeStart(event.now_ms));
  refuseMisfits(desk, held, largest ?? {}, event.now_ms);
}

/** Ends the tasks that no node of ours will ever be large enough for. */
function refuseMisfits(desk: Desk, held: HeldEnvelope, largest: LargestNode, now_ms: number): void {
  const misfits = new Map<string, number[]>();
  for (let index = 0; index < held.count; index++) {
    const needs = held.over(index)?.resources ?? held.base.resources;
    const why = needs === undefined ? undefined : misfit(needs, largest);
    if (why === undefined || held.phases[index] !== phase.ready) continue;
    misfits.set(why, [...(misfits.get(why) ?? []), index]);
  }
  for (const [why, indices] of misfits) {
    finishWaiting(desk, held, indices, notRun("rejected", "refused", 125, why, now_ms));
  }
}

/** A cancel: what waits ends at once, what runs is told to. Returns the tasks that a worker has to end. */
export function takeCancel(desk: Desk, seq: number, header: CancelHeader, now_ms: number): TaskId[] {
  desk.effect({ t: "ack_mail", seqs: [seq], accepts: [] });
  const re = header.re as EnvelopeId;
  const held = desk.memory.held.get(re);
  if (held === undefined) {
    if (desk.memory.tombstones.has(re)) return [];
    const early_until_ms = now_ms + tombstone_ms;
    desk.record({ t: "cancelled", re, by: header.from, indices: header.indices, early_until_ms });
    return [];
  }
  if (held.header.from !== header.from) {
    log(desk, "cancel.forbidden", { id: re, by: header.from });
    return [];
  }
  desk.record({ t: "cancelled", re, by: header.from, indices: header.indices });
  const waiting = [...held.cancelling].filter((index) => held.phases[index] === phase.ready);
  finishWaiting(desk, held, waiting, cancelledBeforeStart(now_ms));
  return [...held.cancelling].map((index) => taskId(re, index));
}

/** A receipt: the user has these results; when all have been received, the envelope is history. */
export function takeReceipt(
  desk: Desk,
  seq: number,
  header: ReceiptHeader,
  now_ms: number,
  wasFollowed: (tid: TaskId) => boolean,
): void {
  desk.effect({ t: "ack_mail", seqs: [seq], accepts: [] });
  const held = desk.memory.held.get(header.re as EnvelopeId);
  if (held === undefined || held.header.from !== header.from) return;
  const indices = header.indices.filter(
    (index) => held.phases[index] === phase.finished || held.phases[index] === phase.reported,
  );
  if (indices.length === 0) return;
  desk.record({ t: "receipted", re: held.id, indices });
  for (const index of indices) {
    const tid = held.tid(index);
    if (!held.spilled.has(index) && !attached(held, index) && !wasFollowed(tid)) continue;
    desk.effect({ t: "drop_output", tid, attempt: held.attempts[index] ?? 0 });
  }
  if (held.unreceipted === 0) bid(desk, held, now_ms);
}

/** Whether its client followed the output from the start, so that the worker left it in files. */
function attached(held: HeldEnvelope, index: number): boolean {
  return (held.over(index)?.attach ?? held.base.attach) === true;
}

/** Lets an envelope go; its id stays known. */
export function bid(desk: Desk, held: HeldEnvelope, now_ms: number): void {
  const { id: re, digest } = held;
  desk.record({ t: "gone", re, from: held.header.from, digest, until_ms: tombstoneUntil(held, now_ms) });
}

/** Ends tasks that wait, all with the same result. */
export function finishWaiting(desk: Desk, held: HeldEnvelope, indices: number[], result: Result): void {
  if (indices.length === 0) return;
  const attempts = indices.map((index) => held.attempts[index] ?? 0);
  const results = attempts.map((attempt) => ({ ...result, attempt }));
  desk.record({ t: "finished", re: held.id, indices, attempts, results });
}

/** Ends a task that waits, if too many workers died while they ran it. */
export function poison(desk: Desk, held: HeldEnvelope, index: number, now_ms: number): void {
  const crashes = held.crashes[index] ?? 0;
  if (crashes < crashesMax) return;
  const reason = `${crashes} workers died while they ran this task, so it is not started again`;
  finishWaiting(desk, held, [index], notRun("poisoned", "crashes", 125, reason, now_ms));
}

/** The result of a task that did not run (any more): no output. */
export function notRun(
  kind: Result["outcome"]["class"],
  cause: Result["outcome"]["cause"],
  exit_code: number,
  reason: string,
  now_ms: number,
): Result {
  const none = { total: 0, kept: 0 };
  const outcome = { class: kind, cause, exit_code, reason };
  return { outcome, stdout: none, stderr: none, attempt: 0, started_ms: now_ms, ended_ms: now_ms, host: "" };
}

export function cancelledBeforeStart(now_ms: number): Result {
  return notRun("cancelled", "cancel", 143, "Cancelled before it was started", now_ms);
}

function log(desk: Desk, event: string, fields: { [key: string]: string }): void {
  desk.effect({ t: "log", level: "warn", event, fields });
}
