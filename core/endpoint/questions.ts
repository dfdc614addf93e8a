/**
 * What a connected user asks of an endpoint: where tasks stand and why, how it is, what a task prints. Users see their
 * own tasks; the owner sees all and may give orders.
 */
import { couldEverRun } from "../engine/dispatch.ts";
import { freeNodes, widestBlock } from "../engine/gang_dispatch.ts";
import type { HeldEnvelope } from "../engine/held_envelope.ts";
import type { Pool } from "../engine/pool.ts";
import { wholeNodes } from "../engine/whole_nodes.ts";
import type { AskTasks, Order, StatusAnswer, TaskStanding } from "../schema/live_message.ts";
import type { Follow, Input, Resize, ToWorker, WorkerSignal } from "../schema/worker_message.ts";
import { type EnvelopeId, envelopeOf, indexOf, type TaskId } from "../task/id.ts";
import { phase } from "../task/lifecycle.ts";
import type { Asker, Desk } from "./decision.ts";

/** Facts about this process that answers show. */
export interface Self {
  owner: string;
  boot: string;
  host: string;
  pid: number;
  since_ms: number;
  software: string;
}

/** Bytes of typed input that are kept for a task that has no worker yet; more is sent again by the client. */
const earlyInputBytesMax = 1024 * 1024;

/** Who follows what, and what waits for a task to get a worker. Volatile. */
export class Conversations {
  /** Task → follower name → the latest `follow`. */
  private readonly followers = new Map<TaskId, Map<string, Follow>>();
  private readonly askers = new Map<string, Asker>();
  private readonly typed = new Map<TaskId, Asker>();
  private readonly early = new Map<TaskId, Input[]>();
  /** Tasks whose output somebody followed: their workers left it in files. */
  private readonly followed = new Set<TaskId>();

  /** Who hides behind the follower name of a chunk. */
  asker(sid: string): Asker | undefined {
    return this.askers.get(sid);
  }

  /** Who sends the input of a task. */
  typist(tid: TaskId): Asker | undefined {
    return this.typed.get(tid);
  }

  /** A `follow` of a user: to the worker that has the task, to the files when it is over, else kept until it starts. */
  follow(desk: Desk, asker: Asker, message: Follow): void {
    const tid = message.tid as TaskId;
    const own = own_task(desk, asker, tid);
    if (own === undefined) {
      if (!message.stop) this.nothingToFollow(desk, asker, message);
      return;
    }
    const { held, index } = own;
    const sid = `${asker.session} ${asker.user.id.slice(0, 8)}`;
    const forWorker: Follow = { ...message, sid };
    const list = this.followers.get(tid) ?? new Map<string, Follow>();
    if (message.stop) list.delete(sid);
    else {
      this.askers.set(sid, asker);
      this.followed.add(tid);
      list.set(sid, forWorker);
    }
    if (list.size > 0) this.followers.set(tid, list);
    else this.followers.delete(tid);
    const worker = held.workers[index];
    if ((held.phases[index] ?? 0) >= phase.finished) {
      desk.effect({ t: "serve_output", asker, tid, attempt: held.attempts[index] ?? 0, follow: message });
    } else if (worker !== undefined) desk.effect({ t: "to_worker", worker, messages: [forWorker] });
  }

  /** Input, signals and sizes go to the worker that has the task. */
  toTask(desk: Desk, asker: Asker, message: Input | WorkerSignal | Resize): void {
    const tid = message.tid as TaskId;
    const own = own_task(desk, asker, tid);
    if (own === undefined) return;
    const { held, index } = own;
    const worker = held.workers[index];
    if (message.t === "input") {
      this.typed.set(tid, asker);
      if ((held.phases[index] ?? 0) >= phase.finished) {
        const offset = message.offset;
        return desk.effect({ t: "answer", asker, message: { t: "input_ack", tid, offset, closed: true } });
      }
      if (worker === undefined) return this.keepInput(tid, message);
    }
    if (worker !== undefined) desk.effect({ t: "to_worker", worker, messages: [message] });
  }

  /** A task was given to a worker: those who wait for its output, and input that came early, go there too. */
  leased(desk: Desk, tid: TaskId, worker: string): void {
    const followers = this.followers.get(tid);
    const early = this.early.get(tid);
    if (followers === undefined && early === undefined) return;
    const messages: ToWorker[] = [...(followers?.values() ?? []), ...(early ?? [])];
    this.early.delete(tid);
    desk.effect({ t: "to_worker", worker, messages });
  }

  /** A worker is back: tell it again who follows its tasks. */
  workerBack(desk: Desk, worker: string, tids: Iterable<TaskId>): void {
    if (this.followers.size === 0) return;
    const messages: ToWorker[] = [];
    for (const tid of tids) for (const follow of this.followers.get(tid)?.values() ?? []) messages.push(follow);
    if (messages.length > 0) desk.effect({ t: "to_worker", worker, messages });
  }

  /** Whether the output of a task was followed since this start. */
  wasFollowed(tid: TaskId): boolean {
    return this.followed.has(tid);
  }

  /** A task is over and its last output has been passed on. */
  over(tid: TaskId): void {
    for (const sid of this.followers.get(tid)?.keys() ?? []) {
      let elsewhere = false;
      for (const [other, list] of this.followers) if (other !== tid && list.has(sid)) elsewhere = true;
      if (!elsewhere) this.askers.delete(sid);
    }
    this.followers.delete(tid);
    this.followed.delete(tid);
    this.typed.delete(tid);
    this.early.delete(tid);
  }

  private keepInput(tid: TaskId, message: Input): void {
    const early = this.early.get(tid) ?? [];
    const bytes = early.reduce((sum, one) => sum + (one.bytes?.[0]?.byteLength ?? 0), 0);
    if (bytes > earlyInputBytesMax) return;
    early.push(message);
    this.early.set(tid, early);
  }

  private nothingToFollow(desk: Desk, asker: Asker, { sid, tid, stdout_from, stderr_from }: Follow): void {
    for (const stream of ["stdout", "stderr"] as const) {
      const offset = stream === "stdout" ? stdout_from : stderr_from;
      desk.effect({ t: "answer", asker, message: { t: "chunk", sid, tid, stream, offset, end: true } });
    }
  }
}

/** Where tasks stand, in the order asked; tasks of others are unknown. `excuse`: why there are not more workers. */
export function answerTasks(desk: Desk, self: Self, asker: Asker, ask: AskTasks, excuse?: string): void {
  const tasks = ask.tids.map((tid) => {
    const own = own_task(desk, asker, tid as TaskId, self.owner);
    if (own !== undefined) return standing(desk, own.held, own.index, asker.user.id, excuse);
    return unknown(desk, asker, tid as TaskId);
  });
  desk.effect({ t: "answer", asker, message: { t: "answer_tasks", re: ask.rid, tasks } });
}

/** How the endpoint is. */
export function status(
  desk: Desk,
  self: Self,
  re: number,
  state: StatusAnswer["state"],
  unreported: number,
): StatusAnswer {
  let running = 0;
  const workers: StatusAnswer["workers"] = [];
  for (const worker of desk.pool.workers.values()) {
    const { id, host, pid, slots } = worker;
    const busy = Math.min(worker.assigned.size, slots);
    running += busy;
    workers.push({ id, host, pid, slots, running: busy, connected: worker.state === "ready" });
  }
  return {
    t: "answer_status",
    re,
    boot: self.boot,
    host: self.host,
    pid: self.pid,
    since_ms: self.since_ms,
    software: self.software,
    state: desk.memory.paused === undefined ? state : "paused",
    ...(desk.memory.paused === undefined ? {} : { reason: desk.memory.paused }),
    waiting: desk.memory.unfinished - running,
    running,
    unreported,
    workers,
  };
}

/** Why an order is not carried out; undefined when it may be. */
export function orderRefusal(self: Self, asker: Asker, order: Order): string | undefined {
  if (asker.user.id !== self.owner) return "Only the owner of the endpoint may do that";
  if (order.boot !== self.boot)
    return "The order was meant for an earlier start of this endpoint; ask for its status first";
  return undefined;
}

function own_task(
  desk: Desk,
  asker: Asker,
  tid: TaskId,
  owner?: string,
): { held: HeldEnvelope; index: number } | undefined {
  const held = desk.memory.held.get(envelopeOf(tid) as EnvelopeId);
  const index = indexOf(tid);
  if (held === undefined || !(index < held.count)) return undefined;
  if (held.header.from !== asker.user.id && asker.user.id !== owner) return undefined;
  return { held, index };
}

function unknown(desk: Desk, asker: Asker, tid: TaskId): TaskStanding {
  const stone = desk.memory.tombstones.get(envelopeOf(tid) as EnvelopeId);
  if (stone?.from === asker.user.id) {
    return { tid, phase: "finished", attempt: 0, reason: "It ended and its result was fetched" };
  }
  return { tid, phase: "unknown", attempt: 0, reason: "This endpoint does not have it (yet)" };
}

/** What the owner sees of others' tasks is where they stand, never what they printed. */
function standing(desk: Desk, held: HeldEnvelope, index: number, asker: string, excuse?: string): TaskStanding {
  const tid = held.tid(index);
  const attempt = held.attempts[index] ?? 0;
  const now = held.phases[index] ?? 0;
  const worker = desk.pool.workers.get(held.workers[index] ?? "");
  const host = worker === undefined || worker.host === "" ? {} : { host: worker.host };
  const common = { tid, attempt, ...host };
  if (now >= phase.finished) {
    const result = held.header.from === asker ? held.results[index] : undefined;
    const reason = result?.outcome.reason ?? "It has ended; the relay has its result";
    return { ...common, phase: "finished", reason, ...(result === undefined ? {} : { result }) };
  }
  if (now === phase.ready) return { ...common, phase: "waiting", ...whyWaiting(desk, held, index, excuse) };
  if (worker === undefined || worker.state !== "ready") {
    return { ...common, phase: "suspect", reason: "Its worker does not answer at the moment; it may well be running" };
  }
  if (now === phase.running) return { ...common, phase: "running", reason: `It runs on ${worker.host}` };
  return { ...common, phase: "sent", reason: `A worker on ${worker.host} has it and will start it next` };
}

type Why = Pick<TaskStanding, "reason" | "hint" | "stalled">;

function whyWaiting(desk: Desk, held: HeldEnvelope, index: number, excuse?: string): Why {
  const { memory, pool } = desk;
  if (memory.paused !== undefined)
    return { reason: `The endpoint is paused: ${memory.paused}`, hint: "gc endpoint resume NAME", stalled: true };
  const usable = [...pool.usable()];
  if (usable.length === 0) {
    if (excuse !== undefined) return { reason: excuse, hint: "gc endpoint blocks NAME" };
    return { reason: "No worker is ready yet", hint: "gc endpoint status NAME" };
  }
  const needs = held.spec(index).resources ?? {};
  const nodes = wholeNodes(needs);
  if (nodes !== undefined) return whyNodes(pool, nodes, excuse);
  if (!usable.some((worker) => couldEverRun(worker, needs))) {
    const largest = Math.max(...usable.map((worker) => worker.total.cores));
    const asked = Object.entries(needs).map(([name, value]) => `${name} ${value}`);
    return { reason: `It asks for ${asked.join(", ")}, and the largest worker has ${largest} cores` };
  }
  if ((held.crashes[index] ?? 0) > 0) {
    return { reason: `${held.crashes[index]} workers died while they ran it, so it waits for a worker of its own` };
  }
  const busy = usable.reduce((sum, worker) => sum + worker.assigned.size, 0);
  const more = excuse === undefined ? "" : `. ${excuse}`;
  return { reason: `All workers are busy (${busy} tasks ahead or running)${more}` };
}

function whyNodes(pool: Pool, nodes: number, excuse?: string): Why {
  const more = excuse === undefined ? "" : `. ${excuse}`;
  const widest = widestBlock(pool);
  const count = `${nodes} ${nodes === 1 ? "node" : "nodes"}`;
  if (widest < nodes) return { reason: `It waits for a block with ${count}; the largest one has ${widest} now${more}` };
  const kept = pool.line.claim === undefined ? "" : ", some of them kept for a task that waited longer";
  return { reason: `It waits for ${nodes} free nodes of one block (${freeNodes(pool)} free${kept})${more}` };
}
