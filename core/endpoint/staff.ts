/**
 * Leases and workers: who gets what, what a worker that comes back still has, what becomes of the tasks of a dead one.
 * Nothing is concluded from silence: a task is lost only when its worker's process is proved dead and its spool was
 * read.
 */
import { dispatch } from "../engine/dispatch.ts";
import type { HeldEnvelope } from "../engine/held_envelope.ts";
import type { Gang, PoolWorker } from "../engine/pool.ts";
import { barrenStartsMax } from "../limits.ts";
import { planted } from "../planted.ts";
import type { Resources, TaskSpec } from "../schema/task.ts";
import type { ToWorker } from "../schema/worker_message.ts";
import { type EnvelopeId, envelopeOf, indexOf, type TaskId } from "../task/id.ts";
import { phase } from "../task/lifecycle.ts";
import type { Desk, EndpointEvent, LocalSettings } from "./decision.ts";
import { finishWaiting, notRun, poison } from "./intake.ts";
import { takeFinished } from "./reporting.ts";

type LotTask = { tid: TaskId; attempt: number; over?: TaskSpec; nodes?: string[]; workers?: string[] };
type Lot = { base: TaskSpec; tasks: LotTask[] };

/** Tasks of one envelope that are leased to one worker: for the journal, and for the worker. */
interface Share {
  readonly held: HeldEnvelope;
  readonly indices: number[];
  readonly attempts: number[];
  readonly lot: Lot;
  /** Of a task on whole nodes, which is alone on its workers. */
  gang?: { nodes: string[]; workers: string[] };
}

/** Tasks that one turn leases at most. */
const leasesPerEvent = 2000;

/** Gives waiting tasks to workers with room, and starts workers that are missing. */
export function lease(desk: Desk, now_ms: number, onLeased: (tid: TaskId, worker: string) => void): void {
  if (desk.memory.paused !== undefined) return;
  const byWorker = new Map<PoolWorker, Share[]>();
  dispatch(desk.memory.ready, desk.pool, leasesPerEvent, now_ms, ({ worker, held, index, gang }, needs) => {
    const attempt = (held.attempts[index] ?? 0) + 1;
    const tid = held.tid(index);
    desk.pool.assign(worker, tid, { held, index, attempt, needs, since_ms: now_ms });
    // The record itself is written once per envelope and worker, below; the phase must change now.
    held.step(index, phase.leased);
    const share = shareOf(byWorker, worker, held);
    share.indices.push(index);
    share.attempts.push(attempt);
    if (gang !== undefined) {
      share.gang = { nodes: gang.map(({ host }) => host), workers: gang.map(({ id }) => id) };
      desk.pool.reserve(tid, share.gang.workers);
    }
    share.lot.tasks.push(lotTask(held, index, tid, attempt, share.gang));
  });
  for (const [worker, shares] of byWorker) {
    for (const { held, indices, attempts, gang } of shares) {
      for (const index of indices) held.phases[index] = phase.ready;
      desk.record({ t: "leased", worker: worker.id, re: held.id, indices, attempts, ...gang });
    }
  }
  for (const [worker, shares] of byWorker) {
    desk.effect({ t: "to_worker", worker: worker.id, messages: [{ t: "run", lots: shares.map(({ lot }) => lot) }] });
    for (const { lot } of shares) for (const { tid } of lot.tasks) onLeased(tid, worker.id);
  }
}

/** A task as its worker is told of it. */
function lotTask(
  held: HeldEnvelope,
  index: number,
  tid: TaskId,
  attempt: number,
  gang?: { readonly nodes: readonly string[]; readonly workers: readonly string[] },
): LotTask {
  const over = held.over(index);
  const task: LotTask = over === undefined ? { tid, attempt } : { tid, attempt, over };
  return gang === undefined ? task : { ...task, nodes: [...gang.nodes], workers: [...gang.workers] };
}

/** Where the next task of `held` for `worker` is noted. Envelopes are leased one after the other, so it is the last. */
function shareOf(byWorker: Map<PoolWorker, Share[]>, worker: PoolWorker, held: HeldEnvelope): Share {
  const shares = byWorker.get(worker);
  const last = shares?.at(-1);
  if (last?.held === held) return last;
  const share: Share = { held, indices: [], attempts: [], lot: { base: held.base, tasks: [] } };
  if (shares === undefined) byWorker.set(worker, [share]);
  else shares.push(share);
  return share;
}

/** A worker introduced itself: what it still has goes on; what it never got is sent again; what is over it forgets. */
export function welcomeWorker(desk: Desk, event: Extract<EndpointEvent, { t: "worker_up" }>): void {
  const { ready, now_ms } = event;
  if (event.block !== undefined && desk.memory.blocks.has(event.block) && !desk.memory.workers.has(event.worker)) {
    desk.record({ t: "worker_made", worker: event.worker, at_ms: now_ms, block: event.block });
  }
  if (!desk.memory.workers.has(event.worker)) {
    // It was taken for dead and its tasks were given away. What it finished is still welcome; it gets nothing new.
    desk.effect({ t: "to_worker", worker: event.worker, messages: [{ t: "stop", how: "now" }] });
    return;
  }
  const worker = desk.pool.workers.get(event.worker) ?? desk.pool.add(event.worker, now_ms, event.block);
  if (worker.state === "dead") return;
  desk.pool.introduce(worker, ready);
  desk.memory.ready.unpark();
  const messages: ToWorker[] = [];
  const holding = new Map(ready.holding.map((item) => [`${item.tid} ${item.attempt}`, item.phase]));
  const again: Lot[] = [];
  for (const { held, index } of leasedTo(desk, event.worker)) {
    const tid = held.tid(index);
    const attempt = held.attempts[index] ?? 0;
    if (!worker.assigned.has(tid)) {
      desk.pool.assign(worker, tid, { held, index, attempt, needs: needsOf(held, index), since_ms: now_ms });
    }
    const gang = held.gangs.get(index);
    if (gang !== undefined) desk.pool.reserve(tid, gang.workers);
    const has = holding.get(`${tid} ${attempt}`);
    if (has === undefined && held.phases[index] === phase.leased) {
      again.push({ base: held.base, tasks: [lotTask(held, index, tid, attempt, gang)] });
    } else if (has === "running" && held.phases[index] === phase.leased) held.step(index, phase.running);
    if (held.cancelling.has(index)) messages.push({ t: "cancel", tid, attempt, cause: "cancel" });
    else if (gang !== undefined && isBroken(desk, held, index, gang.workers)) {
      messages.push({ t: "cancel", tid, attempt, cause: "interrupt" });
    }
  }
  if (again.length > 0) messages.unshift({ t: "run", lots: again });
  for (const { tid, attempt, phase: has, workers } of ready.holding) {
    const assignment = worker.assigned.get(tid as TaskId);
    // Also what is over for us, or another attempt by now, still has its nodes until it has ended there.
    if (has !== "finished" && workers !== undefined) desk.pool.reserve(tid as TaskId, workers);
    if (has !== "finished" && (assignment === undefined || assignment.attempt !== attempt)) {
      messages.push({ t: "cancel", tid, attempt, cause: "interrupt" });
    }
  }
  const led = desk.pool.gangs.get(worker.id)?.tid;
  const ends = ready.holding.some(({ tid, phase: has }) => tid === led && has !== "finished");
  if (led !== undefined && !ends && !worker.assigned.has(led)) letGo(desk, worker, led);
  if (messages.length > 0) desk.effect({ t: "to_worker", worker: worker.id, messages });
}

/** A worker's link is down. Its process may well go on. */
export function missWorker(desk: Desk, id: string, now_ms: number): void {
  const worker = desk.pool.workers.get(id);
  if (worker === undefined || worker.state === "dead") return;
  worker.state = "gone";
  worker.since_ms = now_ms;
  desk.effect({ t: "examine", worker: id });
  if (planted("leaseNoFence")) revoke(desk, worker.id);
}

/** Started and finished attempts of a worker that answers. */
export function takeReport(desk: Desk, event: Extract<EndpointEvent, { t: "report" }>): void {
  const worker = desk.pool.workers.get(event.worker);
  for (const { tid, attempt } of event.report.started) {
    const held = desk.memory.heldOf(tid as TaskId);
    const index = indexOf(tid as TaskId);
    if (held === undefined || held.attempts[index] !== attempt || held.workers[index] !== event.worker) continue;
    if (held.phases[index] === phase.leased) held.step(index, phase.running);
  }
  const { finished } = event.report;
  if (finished.length === 0) return;
  const { done, pointless } = takeFinished(desk, finished);
  if (worker !== undefined) {
    for (const { tid, attempt } of finished) {
      const has = worker.assigned.get(tid as TaskId)?.attempt ?? attempt;
      if (has === attempt) letGo(desk, worker, tid as TaskId);
    }
    desk.pool.pace(worker, finished.length, event.now_ms);
  }
  desk.effect({ t: "to_worker", worker: event.worker, messages: [{ t: "result_ack", done }] });
  for (const { worker: other, tid, attempt } of pointless) {
    const elsewhere = desk.pool.workers.get(other);
    if (elsewhere !== undefined) desk.pool.release(elsewhere, tid, true);
    desk.effect({ t: "to_worker", worker: other, messages: [{ t: "cancel", tid, attempt, cause: "interrupt" }] });
  }
}

/** A worker is proved dead: its spool speaks first, then its tasks go back to the queue or are lost. */
export function buryWorker(desk: Desk, event: Extract<EndpointEvent, { t: "buried" }>): void {
  const { worker: id, now_ms } = event;
  const worker = desk.pool.workers.get(id);
  if (!desk.memory.workers.has(id)) return;
  takeFinished(desk, event.finished);
  const started = new Set(event.started.map(({ tid, attempt }) => `${tid} ${attempt}`));
  for (const { held, index } of [...leasedTo(desk, id)]) {
    const ran = held.phases[index] === phase.running || started.has(`${held.tid(index)} ${held.attempts[index]}`);
    afterDeath(desk, held, index, ran, event.blame !== false, now_ms);
  }
  desk.record({ t: "worker_buried", worker: id });
  const gang = desk.pool.gangOf(id);
  desk.pool.remove(id);
  if (gang?.workers[0] === id) dismiss(desk, gang.workers);
  else if (gang !== undefined) breakGang(desk, gang, event.blame !== false);
  desk.effect({ t: "remove_worker", worker: id });
  const level = worker?.stopping === true ? "info" : "warn";
  desk.effect({ t: "log", level, event: "worker.ended", fields: { worker: id, reason: event.reason } });
  if (worker?.state === "starting" && !worker.stopping) barren(desk, event.reason);
}

/** What becomes of one task of a dead worker. */
function afterDeath(desk: Desk, held: HeldEnvelope, index: number, ran: boolean, blame: boolean, now_ms: number): void {
  const attempt = held.attempts[index] ?? 0;
  if (held.cancelling.has(index)) {
    const result = notRun("cancelled", "cancel", 143, "Cancelled; its worker died meanwhile", now_ms);
    return finishWaiting(desk, held, [index], result);
  }
  if (!ran) return desk.record({ t: "requeued", re: held.id, indices: [index], why: "unstarted" });
  if (held.onLost(index) === "fail") {
    const reason = `The worker that ran attempt ${attempt} died, and the task may be started only once (on_lost: fail)`;
    return finishWaiting(desk, held, [index], notRun("lost", "lost", 125, reason, now_ms));
  }
  if (held.phases[index] === phase.leased) held.step(index, phase.running);
  desk.record({ t: "requeued", re: held.id, indices: [index], why: blame ? "crash" : "unstarted" });
  poison(desk, held, index, now_ms);
}

/** A task is over on a worker. Those that were kept for it and are to go may go now. */
function letGo(desk: Desk, worker: PoolWorker, tid: TaskId): void {
  const gang = desk.pool.gangs.size === 0 ? undefined : desk.pool.gangs.get(worker.id);
  desk.pool.release(worker, tid);
  if (gang?.tid === tid) dismiss(desk, gang.workers);
}

/** Workers that are to go were not told as long as a task had them: with nothing of their own they go at once. */
function dismiss(desk: Desk, ids: readonly string[]): void {
  for (const id of ids) {
    if (desk.pool.workers.get(id)?.stopping !== true) continue;
    desk.effect({ t: "to_worker", worker: id, messages: [{ t: "stop", how: "drain" }] });
  }
}

/** A worker that somebody else leads is lost: the task is ended where it is led, and the attempt counts as lost. */
export function breakGang(desk: Desk, { tid, workers }: Gang, blame: boolean): void {
  const [lead = ""] = workers;
  const held = desk.memory.heldOf(tid);
  const index = indexOf(tid);
  if (held === undefined || held.workers[index] !== lead || held.broken.has(index)) return;
  held.broken.set(index, blame);
  const attempt = held.attempts[index] ?? 0;
  desk.effect({ t: "to_worker", worker: lead, messages: [{ t: "cancel", tid, attempt, cause: "interrupt" }] });
}

/** Whether some of the workers of a task were buried, perhaps while its lead could not be told. */
function isBroken(desk: Desk, held: HeldEnvelope, index: number, workers: readonly string[]): boolean {
  if (workers.every((id) => desk.memory.workers.has(id))) return false;
  held.broken.set(index, held.broken.get(index) ?? false);
  return true;
}

/** After a restart: who belongs together before anybody has said a word, so that nobody is given other work. */
export function reserveGangs(desk: Desk): void {
  for (const held of desk.memory.held.values()) {
    for (const [index, { workers }] of held.gangs) desk.pool.reserve(held.tid(index), workers);
  }
}

/** Workers that die before they say a word: after some in a row the engine pauses, with the reason. */
function barren(desk: Desk, reason: string): void {
  const starts = ++desk.pool.barren;
  if (starts < barrenStartsMax || desk.memory.paused !== undefined) return;
  desk.record({ t: "paused", reason: `${starts} workers in a row ended before they were ready: ${reason}` });
}

/** Starts workers that are missing. */
export function hire(desk: Desk, settings: LocalSettings, makeId: () => string, now_ms: number): void {
  if (desk.memory.paused !== undefined) return;
  let alive = 0;
  for (const worker of desk.pool.workers.values()) if (worker.state !== "dead" && !worker.stopping) alive++;
  for (; alive < settings.workers; alive++) {
    const worker = makeId();
    desk.record({ t: "worker_made", worker, at_ms: now_ms });
    desk.pool.add(worker, now_ms);
    desk.effect({ t: "start_worker", worker });
  }
}

/** All tasks whose current attempt a worker has. */
export function* leasedTo(desk: Desk, worker: string): Generator<{ held: HeldEnvelope; index: number }> {
  for (const held of desk.memory.held.values()) {
    if (held.unfinished === 0) continue;
    for (let index = 0; index < held.count; index++) {
      const now = held.phases[index];
      if ((now === phase.leased || now === phase.running) && held.workers[index] === worker) yield { held, index };
    }
  }
}

/** Takes everything away from a worker without proof; a planted mistake, and what `noAdopt` does after a restart. */
export function revoke(desk: Desk, worker: string): void {
  for (const { held, index } of [...leasedTo(desk, worker)]) {
    desk.record({ t: "requeued", re: held.id, indices: [index], why: "unstarted" });
    const known = desk.pool.workers.get(worker);
    if (known !== undefined) desk.pool.release(known, held.tid(index));
  }
}

/** Tells the workers that have these tasks to end them. */
export function cancelRunning(desk: Desk, tids: readonly TaskId[]): void {
  for (const tid of tids) {
    const held = desk.memory.held.get(envelopeOf(tid) as EnvelopeId);
    const index = indexOf(tid);
    const worker = held?.workers[index];
    if (held === undefined || worker === undefined) continue;
    const attempt = held.attempts[index] ?? 0;
    desk.effect({ t: "to_worker", worker, messages: [{ t: "cancel", tid, attempt, cause: "cancel" }] });
  }
}

function needsOf(held: HeldEnvelope, index: number): Resources {
  return held.spec(index).resources ?? {};
}
