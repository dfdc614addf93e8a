/**
 * What a worker decides: which task starts when, what ends it, and what the endpoint is told. It never touches a
 * process or a file; `daemon.ts` does, and brings back what happened as events. The promises kept here:
 *
 * - The same (tid, attempt) never runs twice, however often its message comes.
 * - The first cause wins: what ended a task decides its outcome, whatever comes later.
 * - A result is stored before it is told, and kept until the endpoint acknowledges it (`unacknowledged.ts`).
 */
import { assert, unreachable } from "../assert.ts";
import type { Decision, Part } from "../host/turn.ts";
import { planted } from "../planted.ts";
import type { Outcome, Result } from "../schema/result.ts";
import type { Follow, Ready, Resize, Run, ToWorker, WorkerCancel, WorkerSignal } from "../schema/worker_message.ts";
import {
  type AttemptKey,
  type Ending,
  type Exit,
  type FinishedAttempt,
  type HeldAttempt,
  keyOf,
  newAttempt,
} from "./attempt.ts";
import { Batches } from "./batches.ts";
import type { Harvest, Now, WorkerEffect, WorkerEvent, WorkerFacts, WorkerRecord } from "./decision.ts";
import { end, late, mainEnded } from "./ending.ts";
import { Followers } from "./followers.ts";
import { endedByUs, outcomeOf, resultOf } from "./outcome.ts";
import { Slots } from "./slots.ts";
import { passEarlyInput, takeInput } from "./typed_input.ts";
import { Unacknowledged } from "./unacknowledged.ts";
import { WaitingLine } from "./waiting_line.ts";
import { Deadlines } from "./walltime.ts";

type Out = Decision<WorkerRecord, WorkerEffect>;

export class WorkerState implements Pick<Part<WorkerEvent, WorkerRecord, WorkerEffect>, "decide"> {
  readonly #facts: WorkerFacts;
  readonly #slots: Slots;
  readonly #held = new Map<AttemptKey, HeldAttempt>();
  readonly #results: Unacknowledged;
  readonly #line = new WaitingLine();
  readonly #batches = new Batches();
  /** Newest attempt of tasks that came here more than once. */
  readonly #newest = new Map<string, AttemptKey>();
  readonly #followers = new Followers();
  readonly #deadlines = new Deadlines();
  #stopping = false;
  /** Nobody will acknowledge: leave once nothing runs. */
  #deserted = false;
  #left = false;

  /** `finished`: results from an earlier life of this worker that may not have been acknowledged. */
  constructor(facts: WorkerFacts, finished: readonly FinishedAttempt[] = []) {
    this.#facts = facts;
    this.#slots = new Slots(facts.slots, facts.resources, facts.sharing);
    this.#results = new Unacknowledged(finished);
  }

  decide(event: WorkerEvent, out: Out): void {
    switch (event.t) {
      case "up":
        return this.#introduce(out);
      case "down":
        for (const key of this.#followers.clear()) out.effects.push({ t: "watch", key, on: false });
        return;
      case "messages":
        for (const message of event.messages) this.#hear(message, event.now, out);
        return this.#proceed(out);
      case "started":
        return this.#started(event.key, event.now, out);
      case "not_started":
        return this.#notStarted(event.key, event.outcome, event.now, out);
      case "start_held":
        return this.#startHeld(event.key, out);
      case "exited":
        return this.#exited(event.key, event.exit, event.now, out);
      case "ended":
        return this.#ended(event.key, event.exit, event.harvest, event.now, out);
      case "grown":
        return this.#grown(event.key, event.stdout, event.stderr, out);
      case "input_taken":
        return this.#inputTaken(event.key, event.offset, event.closed, out);
      case "over_memory":
        return this.#overMemory(event.key, event.used_mib, event.now, out);
      case "tick":
        return this.#tick(event.now, out);
      case "flush":
        this.#results.gathered(this.#held.size === 0, out);
        return this.#leaveIfDone(out);
      case "unsafe":
        this.#left = false;
        return this.#results.unsafe(event.finished, out);
      case "storage_works":
        this.#results.storageWorks();
        return this.#proceed(out);
      case "leave":
        this.#deserted = true;
        if (!this.#stopping) out.effects.push({ t: "send", messages: [{ t: "leaving" }] });
        return this.#stop(event.how, event.now, out);
      default:
        return unreachable(event);
    }
  }

  /** Attempts that were started and are not over. */
  running(): { tid: string; attempt: number }[] {
    const running = [...this.#held.values()].filter(({ phase }) => phase !== "queued");
    return running.map(({ tid, attempt }) => ({ tid, attempt }));
  }

  /** Results that the endpoint has not acknowledged. */
  unacknowledged(): FinishedAttempt[] {
    return [...this.#results.values()];
  }

  #hear(message: ToWorker, now: Now, out: Out): void {
    switch (message.t) {
      case "run":
        return this.#enqueue(message, now);
      case "result_ack":
        for (const { tid, attempt } of message.done) this.#acknowledge(tid, attempt, out);
        return;
      case "cancel":
        return this.#cancel(message, now, out);
      case "signal":
        return this.#signal(message, out);
      case "follow":
        return this.#follow(message, out);
      case "input": {
        const attempt = this.#held.get(this.#newestOf(message.tid));
        return takeInput(attempt, message, out.effects);
      }
      case "resize":
        return this.#resize(message, out);
      case "stop":
        return this.#stop(message.how, now, out);
      default:
        return unreachable(message);
    }
  }

  #enqueue(message: Run, now: Now): void {
    for (const { base, tasks } of message.lots) {
      for (const { tid, attempt, over, nodes, workers } of tasks) {
        const key = keyOf(tid, attempt);
        if (this.#known(key) && !planted("workerNoDedupe")) continue;
        if (attempt > 1) this.#newest.set(tid, key);
        const spec = over === undefined ? base : { ...base, ...over };
        const needs = this.#slots.needsOf(spec.resources);
        this.#admit(key, newAttempt(tid, attempt, spec, needs, now.wall_ms, { nodes, workers }), now);
      }
    }
  }

  /** Whether this attempt came before; if it is over, its result seems to be missing and is told again. */
  #known(key: AttemptKey): boolean {
    if (this.#held.has(key) || this.#results.wasAcknowledged(key)) return true;
    const finished = this.#results.get(key);
    if (finished !== undefined) this.#results.tellAgain(finished);
    return finished !== undefined;
  }

  #admit(key: AttemptKey, held: HeldAttempt, now: Now): void {
    this.#held.set(key, held);
    this.#batches.enter(held.tid);
    if (this.#stopping) return this.#endQueued(held, endedByUs({ cause: "interrupt", signal: "SIGTERM" }), now);
    const why = this.#slots.impossible(held.needs);
    if (why !== undefined) {
      const reason = `It can never run here: ${why}`;
      return this.#endQueued(held, { class: "fail", cause: "refused", exit_code: 125, reason }, now);
    }
    this.#line.push(held);
  }

  /**
   * Starts what fits, in the order it came, and tells what there is to tell. Ends every event that may allow either.
   */
  #proceed(out: Out): void {
    for (let next = this.#line.first(); next !== undefined && this.#results.storable; next = this.#line.first()) {
      if (!this.#slots.fits(next.needs)) break;
      this.#line.shift();
      this.#start(next, out);
    }
    this.#results.tell(this.#line.first() !== undefined, this.#held.size === 0, out);
    this.#rearm(out);
    this.#leaveIfDone(out);
  }

  #start(held: HeldAttempt, out: Out): void {
    const { key, tid, attempt, spec } = held;
    held.seat = this.#slots.take(held.needs);
    held.phase = "running";
    out.records.push({ t: "started", tid, attempt, sync: spec.on_lost === "fail" });
    out.effects.push({ t: "start", key, tid, attempt, spec, seat: held.seat, nodes: held.nodes });
    if (this.#followers.has(key)) out.effects.push({ t: "watch", key, on: true });
  }

  #started(key: AttemptKey, now: Now, out: Out): void {
    const held = this.#held.get(key);
    if (held === undefined || held.phase !== "running") return;
    held.started_ms = now.wall_ms;
    passEarlyInput(held, out.effects);
    this.#results.started(held, out);
    const { walltime_s } = held.spec;
    if (walltime_s !== undefined && held.ending === undefined) {
      this.#deadlines.set(held, "walltime", now.mono_ms + walltime_s * 1000);
    }
    this.#rearm(out);
  }

  #notStarted(key: AttemptKey, outcome: Outcome, now: Now, out: Out): void {
    const held = this.#held.get(key);
    if (held === undefined || held.phase !== "running") return;
    this.#slots.give(held.needs, held.seat);
    this.#finish(held, resultOf(held, outcome, undefined, now.wall_ms, this.#facts.host), out);
    this.#proceed(out);
  }

  #startHeld(key: AttemptKey, out: Out): void {
    const held = this.#held.get(key);
    if (held !== undefined && held.phase === "running") {
      this.#slots.give(held.needs, held.seat);
      held.phase = "queued";
      this.#line.putBack(held);
    }
    this.#results.unsafe([], out);
  }

  #cancel(message: WorkerCancel, now: Now, out: Out): void {
    const key = keyOf(message.tid, message.attempt);
    const held = this.#held.get(key);
    const ending: Ending = { cause: message.cause, signal: message.signal ?? "SIGTERM" };
    if (held === undefined) {
      const finished = this.#results.get(key);
      if (finished !== undefined) this.#results.tellAgain(finished);
      return;
    }
    if (held.phase === "queued") return this.#endQueued(held, endedByUs(ending), now);
    end(held, ending, this.#deadlines, now, out.effects);
  }

  #endQueued(held: HeldAttempt, outcome: Outcome, now: Now): void {
    held.phase = "over";
    const result = resultOf(held, outcome, undefined, now.wall_ms, this.#facts.host);
    this.#keep(held, { ...result, attempt: 0 });
  }

  #exited(key: AttemptKey, exit: Exit, now: Now, out: Out): void {
    const held = this.#held.get(key);
    if (held === undefined || held.phase !== "running") return;
    mainEnded(held, exit, this.#deadlines, now);
    this.#rearm(out);
  }

  #ended(key: AttemptKey, exit: Exit, harvest: Harvest, now: Now, out: Out): void {
    const held = this.#held.get(key);
    if (held === undefined || held.phase === "queued" || held.phase === "over") return;
    this.#slots.give(held.needs, held.seat);
    const outcome = outcomeOf(held, exit, harvest);
    this.#finish(held, resultOf(held, outcome, harvest, now.wall_ms, this.#facts.host), out);
    this.#proceed(out);
  }

  #overMemory(key: AttemptKey, used_mib: number, now: Now, out: Out): void {
    const held = this.#held.get(key);
    if (held === undefined || held.ending !== undefined) return;
    end(held, { cause: "memory", signal: "SIGKILL", used_mib }, this.#deadlines, now, out.effects);
    this.#rearm(out);
  }

  #tick(now: Now, out: Out): void {
    for (const key of this.#deadlines.due(now.mono_ms)) {
      const held = this.#held.get(key);
      assert(held !== undefined, "Only an attempt that is held has a deadline");
      late(held, this.#deadlines, now, out.effects);
    }
    this.#rearm(out);
  }

  #finish(held: HeldAttempt, result: Result, out: Out): void {
    this.#deadlines.clear(held);
    held.phase = "over";
    this.#keep(held, result);
    if (!this.#followers.has(held.key)) return;
    out.effects.push({ t: "watch", key: held.key, on: false });
    this.#pump(held.key, out);
  }

  #keep(held: HeldAttempt, result: Result): void {
    this.#held.delete(held.key);
    const urgent = !this.#batches.leave(held.tid) || held.spec.attach === true;
    this.#results.add(held.key, { tid: held.tid, attempt: held.attempt, result }, urgent);
  }

  #introduce(out: Out): void {
    const { host, pid, slots, prefetch, resources } = this.#facts;
    const held = [...this.#held.values()].map(({ tid, attempt, phase, workers }) => {
      const given = workers === undefined ? {} : { workers: [...workers] };
      return { tid, attempt, phase: phase === "queued" ? ("queued" as const) : ("running" as const), ...given };
    });
    const over = [...this.#results.values()].map(({ tid, attempt }) => ({ tid, attempt, phase: "finished" as const }));
    const holding = [...held, ...over];
    const leaving = this.#stopping ? { leaving: true } : {};
    const ready: Ready = { t: "ready", host, pid, slots, prefetch, resources, holding, ...leaving };
    out.effects.push({ t: "send", messages: [ready] });
    this.#results.tellAllAgain();
    this.#results.flush(true, out);
  }

  #acknowledge(tid: string, attempt: number, out: Out): void {
    const finished = this.#results.acknowledge(tid, attempt);
    if (finished === undefined) return;
    this.#followers.drop(keyOf(tid, attempt));
    if (attempt > 1 && this.#newest.get(tid) === keyOf(tid, attempt)) this.#newest.delete(tid);
    out.effects.push({ t: "forget", tid, attempt, failed: finished.result.outcome.class !== "ok" });
  }

  #newestOf(tid: string): AttemptKey {
    return this.#newest.get(tid) ?? tid;
  }

  #signal(message: WorkerSignal, out: Out): void {
    const held = this.#held.get(this.#newestOf(message.tid));
    if (held?.phase !== "running") return;
    out.effects.push({ t: "signal", key: held.key, signal: message.signal, scope: "group" });
  }

  #resize(message: Resize, out: Out): void {
    const held = this.#held.get(this.#newestOf(message.tid));
    if (held?.phase !== "running" || held.spec.tty === undefined) return;
    const { columns, rows } = message;
    out.effects.push({ t: "resize", key: held.key, columns, rows });
  }

  #follow(message: Follow, out: Out): void {
    const key = this.#newestOf(message.tid);
    const before = this.#followers.has(key);
    const held = this.#held.get(key);
    const attempt = held?.attempt ?? this.#results.get(key)?.attempt;
    // Not here any more: the endpoint knows better, and serves it from the files.
    if (attempt === undefined) return;
    this.#followers.follow(key, attempt, message);
    const after = this.#followers.has(key);
    if (before !== after && held !== undefined && held.phase !== "queued") {
      out.effects.push({ t: "watch", key, on: after });
    }
    this.#pump(key, out);
  }

  #grown(key: AttemptKey, stdout: number, stderr: number, out: Out): void {
    const held = this.#held.get(key);
    if (held === undefined) return;
    held.stdout_bytes = stdout;
    held.stderr_bytes = stderr;
    this.#pump(key, out);
  }

  #pump(key: AttemptKey, out: Out): void {
    if (!this.#followers.has(key)) return;
    const held = this.#held.get(key);
    const result = this.#results.get(key)?.result;
    const sizes =
      held === undefined
        ? { stdout: result?.stdout.total ?? 0, stderr: result?.stderr.total ?? 0, over: true }
        : { stdout: held.stdout_bytes, stderr: held.stderr_bytes, over: false };
    this.#followers.pump(key, sizes, (order) => out.effects.push({ t: "chunk", order }));
  }

  #inputTaken(key: AttemptKey, offset: number, closed: boolean, out: Out): void {
    const held = this.#held.get(key);
    if (held === undefined) return;
    held.input_taken = offset;
    out.effects.push({ t: "send", messages: [{ t: "input_ack", tid: held.tid, offset, closed }] });
  }

  #stop(how: "drain" | "now", now: Now, out: Out): void {
    this.#stopping = true;
    const ending: Ending = { cause: "interrupt", signal: "SIGTERM" };
    for (const held of [...this.#held.values()]) {
      if (held.phase === "queued") this.#endQueued(held, endedByUs(ending), now);
      else if (how === "now") end(held, ending, this.#deadlines, now, out.effects);
    }
    this.#proceed(out);
  }

  #leaveIfDone(out: Out): void {
    if (!this.#stopping || this.#left || this.#held.size > 0 || !this.#results.allTold) return;
    if (!this.#results.none && !this.#deserted) return;
    this.#left = true;
    out.effects.push({ t: "exit" });
  }

  #rearm(out: Out): void {
    const at_ms = this.#deadlines.rearm();
    if (at_ms !== undefined) out.effects.push({ t: "wake", at_ms });
  }
}
