/**
 * The deciding half of an endpoint: mail, workers and questions in, journal records and effects out. Pure: it reads no
 * clock and touches no file; `daemon.ts` acts for it, and the simulation runs it under faults. Its rooms: `intake.ts`
 * (mail), `staff.ts` (workers and leases), `reporting.ts` (results), `questions.ts` (live).
 */
import type { HeldEnvelope } from "../engine/held_envelope.ts";
import { Pool } from "../engine/pool.ts";
import { ReadyQueue } from "../engine/ready_queue.ts";
import type { Decision } from "../host/turn.ts";
import { timeToLive_ms } from "../limits.ts";
import { Pace } from "../pace.ts";
import { planted } from "../planted.ts";
import type { Order, StatusAnswer } from "../schema/live_message.ts";
import { type EnvelopeId, hashUuid, type TaskId, taskId } from "../task/id.ts";
import { phase } from "../task/lifecycle.ts";
import { Blocks } from "./blocks.ts";
import type { Asker, Desk, EndpointEffect, EndpointEvent, EngineSettings } from "./decision.ts";
import { bid, takeCancel, takeReceipt, takeTasks } from "./intake.ts";
import type { JournalRecord } from "./journal_record.ts";
import { EndpointMemory } from "./memory.ts";
import { answerTasks, Conversations, orderRefusal, type Self, status } from "./questions.ts";
import { Deposits, unreceipted } from "./reporting.ts";
import {
  breakGang,
  buryWorker,
  cancelRunning,
  hire,
  lease,
  leasedTo,
  missWorker,
  reserveGangs,
  revoke,
  takeReport,
  welcomeWorker,
} from "./staff.ts";

/** The relay is told of more room when it is this much more than it knows of, or a quarter of all. */
const roomStep = 1000;
/** With more workers than these, reports come faster than blocks need to be looked at. */
const fewWorkers = 32;

/** One endpoint. */
export class EndpointState {
  readonly memory: EndpointMemory;
  readonly pool = new Pool();
  private readonly talks = new Conversations();
  private readonly deposits: Deposits;
  private relayUp = false;
  /** Room that the relay knows of; what is under way is in it. */
  private roomTold = 0;
  private mode: "running" | "draining" | "stopping" = "running";
  private workersMade = 0;
  private blocksMade = 0;
  private readonly leases = new Pace(5);
  private readonly looks = new Pace(50);
  private readonly expiries = new Pace(60_000);
  private exited = false;
  private readonly self: Self;
  private readonly settings: EngineSettings;
  private readonly blocks: Blocks | undefined;

  constructor(self: Self, settings: EngineSettings) {
    this.self = self;
    this.settings = settings;
    if (settings.kind === "batch") this.blocks = new Blocks(settings, () => this.makeBlockId());
    this.memory = new EndpointMemory(new ReadyQueue<HeldEnvelope>());
    this.deposits = new Deposits(self.boot);
  }

  /** Puts one record of the journal back, before the first event. */
  replay(record: JournalRecord): void {
    this.memory.apply(record);
  }

  /** After the last replayed record: workers that were alive are expected back; tasks that wait are queued. */
  begin(out: Decision<JournalRecord, EndpointEffect>, now_ms: number): void {
    const desk = this.desk(out);
    reserveGangs(desk);
    for (const [id, { made_ms, block }] of this.memory.workers) {
      this.pool.add(id, made_ms, block).state = "gone";
      if (planted("noAdopt")) revoke(desk, id);
      desk.effect({ t: "examine", worker: id });
    }
    this.blocks?.begin(desk, now_ms);
    this.settle(desk, now_ms);
  }

  /** Whether a restart or a stop may end the process now. */
  get idle(): boolean {
    return this.memory.unfinished === 0 && this.deposits.waiting(this.desk({ records: [], effects: [] })) === 0;
  }

  decide(event: EndpointEvent, out: Decision<JournalRecord, EndpointEffect>): void {
    const desk = this.desk(out);
    switch (event.t) {
      case "relay_up":
        return this.relayIsUp(desk, event.epoch, event.now_ms);
      case "relay_down":
        this.relayUp = false;
        return this.deposits.forget(desk);
      case "tasks":
        takeTasks(desk, event, this.settings.largest);
        // The relay counts down by what is acknowledged, whether it was new or not.
        this.roomTold -= event.arrival.header.count;
        return this.settle(desk, event.now_ms);
      case "cancel":
        cancelRunning(desk, takeCancel(desk, event.seq, event.header, event.now_ms));
        return this.settle(desk, event.now_ms);
      case "receipt":
        takeReceipt(desk, event.seq, event.header, event.now_ms, (tid) => this.talks.wasFollowed(tid));
        this.deposits.recall.over(event.header.re as EnvelopeId, event.header.indices);
        this.deposits.recall.settle(desk);
        for (const index of event.header.indices) this.talks.over(taskId(event.header.re as EnvelopeId, index));
        return;
      case "bad_mail":
        desk.effect({ t: "log", level: "warn", event: "mail.refused", fields: { reason: event.reason } });
        return desk.effect({ t: "ack_mail", seqs: [event.seq], accepts: [] });
      case "stored":
        this.deposits.stored(desk, event.ids);
        return this.settle(desk, event.now_ms);
      case "not_stored":
        this.deposits.again(desk, event.ids);
        return this.settle(desk, event.now_ms);
      case "announced":
        this.deposits.recall.announced = event.epoch;
        return this.deposits.recall.settle(desk);
      case "recalled":
        return this.recalled(desk, event);
      case "worker_up":
        welcomeWorker(desk, event);
        if (event.block !== undefined) this.blocks?.joined(desk, event.block, event.ready.slots, event.now_ms);
        this.talks.workerBack(desk, event.worker, this.pool.workers.get(event.worker)?.assigned.keys() ?? []);
        if (this.mode !== "running") this.stopWorkers(desk);
        return this.settle(desk, event.now_ms);
      case "worker_down":
        missWorker(desk, event.worker, event.now_ms);
        return this.blocks?.settle(desk, event.now_ms);
      case "report":
        takeReport(desk, event);
        return this.settle(desk, event.now_ms, true);
      case "from_worker":
        return this.fromWorker(desk, event);
      case "buried": {
        const { block } = this.memory.workers.get(event.worker) ?? {};
        buryWorker(desk, event);
        if (block !== undefined) this.blocks?.buried(desk, block, event.now_ms);
        return this.settle(desk, event.now_ms);
      }
      case "block_sent":
        this.blocks?.sent(desk, event);
        return this.settle(desk, event.now_ms);
      case "blocks_seen":
        this.blocks?.seen(desk, event);
        return this.settle(desk, event.now_ms);
      case "live":
        return this.live(desk, event);
      case "stop":
        return this.stop(desk, event.how, event.now_ms);
      case "tick":
        this.expire(desk, event.now_ms);
        return this.settle(desk, event.now_ms);
    }
  }

  /** What follows from any change: results go out, workers are hired, tasks are leased. */
  private settle(desk: Desk, now_ms: number, often = false): void {
    if (this.relayUp) {
      this.deposits.flush(desk);
      this.tellRoom(desk);
    }
    if (this.mode === "stopping") {
      this.blocks?.settle(desk, now_ms);
      return this.leave(desk);
    }
    if (this.mode === "running" && this.settings.kind === "local") {
      hire(desk, this.settings, () => this.makeWorkerId(), now_ms);
    }
    // Both look at every worker, so with many of them not after every report of one.
    const many = often && this.memory.workers.size > fewWorkers;
    const leaseLater_ms = many ? this.leases.next(now_ms) : undefined;
    if (leaseLater_ms !== undefined) return desk.effect({ t: "wake", at_ms: leaseLater_ms });
    this.leases.done(now_ms);
    lease(desk, now_ms, (tid, worker) => this.talks.leased(desk, tid, worker));
    const blocksLater_ms = many ? this.looks.next(now_ms) : undefined;
    if (blocksLater_ms !== undefined) return desk.effect({ t: "wake", at_ms: blocksLater_ms });
    this.looks.done(now_ms);
    this.blocks?.settle(desk, now_ms);
    if (this.mode === "draining" && this.memory.unfinished === 0) this.stop(desk, "now", now_ms);
  }

  private relayIsUp(desk: Desk, epoch: string, now_ms: number): void {
    this.relayUp = true;
    this.roomTold = Number.NEGATIVE_INFINITY;
    if (this.memory.epoch === "") desk.record({ t: "epoch", epoch });
    else if (this.memory.epoch !== epoch && this.deposits.recall.announced !== epoch) {
      const envelopes = [...this.memory.held.values()];
      const recall = new Map<EnvelopeId, number[]>();
      for (const held of envelopes) {
        const indices = unreceipted(held);
        if (indices.length > 0) recall.set(held.id, indices);
      }
      desk.effect({ t: "announce", epoch, envelopes, recall });
      desk.effect({ t: "log", level: "warn", event: "relay.new_epoch", fields: { envelopes: envelopes.length } });
    }
    this.settle(desk, now_ms);
  }

  private recalled(desk: Desk, event: Extract<EndpointEvent, { t: "recalled" }>): void {
    const held = this.memory.held.get(event.re);
    if (held === undefined) return;
    const again = event.indices.filter((index, k) => {
      if (held.phases[index] !== phase.reported) return false;
      held.step(index, phase.finished);
      held.results[index] = event.results[k];
      this.memory.unstored++;
      return true;
    });
    this.memory.reportAgain(held, again);
    this.deposits.recall.add(held.id, again);
    if (this.relayUp) this.deposits.flush(desk);
  }

  private tellRoom(desk: Desk): void {
    const { tasks_max } = this.settings;
    const room = this.mode === "running" ? Math.max(0, tasks_max - this.memory.unfinished - this.memory.unstored) : 0;
    const step = Math.max(1, Math.min(roomStep, Math.floor(tasks_max / 4)));
    if (room - this.roomTold < step && room >= this.roomTold) return;
    this.roomTold = room;
    desk.effect({ t: "credit", room });
  }

  private fromWorker(desk: Desk, event: Extract<EndpointEvent, { t: "from_worker" }>): void {
    const { message } = event;
    if (message.t === "leaving") {
      const worker = this.pool.workers.get(event.worker);
      if (worker !== undefined) worker.stopping = true;
      const gang = this.pool.gangOf(event.worker);
      if (gang !== undefined && gang.workers[0] !== event.worker) breakGang(desk, gang, false);
      return;
    }
    const tid = message.tid as TaskId;
    if (message.t === "input_ack") {
      const typist = this.talks.typist(tid);
      if (typist !== undefined) desk.effect({ t: "answer", asker: typist, message });
      return;
    }
    const asker = this.talks.asker(message.sid);
    if (asker !== undefined) desk.effect({ t: "answer", asker, message });
  }

  private live(desk: Desk, event: Extract<EndpointEvent, { t: "live" }>): void {
    const { asker, message } = event;
    switch (message.t) {
      case "follow":
        return this.talks.follow(desk, asker, message);
      case "input":
      case "signal":
      case "resize":
        return this.talks.toTask(desk, asker, message);
      case "ask_tasks":
        return answerTasks(desk, this.self, asker, message, this.blocks?.excuse(desk));
      case "ask_status":
        return desk.effect({ t: "answer", asker, message: this.status(desk, message.rid, asker) });
      case "ask_log":
        return; // The acting side answers it: the log is a file.
      case "order":
        return this.order(desk, asker, message, event.now_ms);
    }
  }

  private order(desk: Desk, asker: Asker, message: Order, now_ms: number): void {
    const refusal = orderRefusal(this.self, asker, message);
    const done = { t: "done", re: message.rid, ok: refusal === undefined } as const;
    if (refusal !== undefined) return desk.effect({ t: "answer", asker, message: { ...done, message: refusal } });
    if (message.what === "scale") {
      const { ok, words } = this.scale(desk, message.blocks);
      desk.effect({ t: "answer", asker, message: { ...done, ok, message: words } });
      return this.settle(desk, now_ms);
    }
    const interrupted = this.status(desk, 0, asker).running;
    const told = message.what === "stop" ? { interrupted } : {};
    desk.effect({ t: "answer", asker, message: { ...done, message: `Will ${message.what}`, ...told } });
    this.obey(desk, message.what, now_ms);
  }

  private scale(desk: Desk, blocks: number | undefined): { ok: boolean; words: string } {
    if (this.blocks !== undefined) return this.blocks.scale(desk, blocks);
    return { ok: false, words: "This endpoint runs no blocks: its engine is local" };
  }

  private obey(desk: Desk, what: "stop" | "drain" | "pause" | "resume", now_ms: number): void {
    if (what === "pause") return desk.record({ t: "paused", reason: "Its owner paused it" });
    if (what === "resume") {
      desk.record({ t: "resumed" });
      this.pool.barren = 0;
      this.blocks?.resume();
      return this.settle(desk, now_ms);
    }
    this.stop(desk, what === "stop" ? "now" : "drain", now_ms);
  }

  private stop(desk: Desk, how: "drain" | "now", now_ms: number): void {
    if (how === "drain") {
      this.mode = this.mode === "stopping" ? "stopping" : "draining";
      return this.settle(desk, now_ms);
    }
    this.mode = "stopping";
    this.blocks?.stop(now_ms);
    this.stopWorkers(desk);
    this.settle(desk, now_ms);
  }

  private stopWorkers(desk: Desk): void {
    if (this.mode !== "stopping") return;
    for (const worker of this.pool.workers.values()) {
      if (worker.state === "dead") continue;
      worker.stopping = true;
      desk.effect({ t: "to_worker", worker: worker.id, messages: [{ t: "stop", how: "now" }] });
    }
  }

  /** Stopping: when no worker is left, the process may go. Results that the relay lacks wait in the journal. */
  private leave(desk: Desk): void {
    if (this.pool.workers.size > 0 || this.memory.blocks.size > 0 || this.exited) return;
    this.exited = true;
    desk.effect({ t: "exit", code: 0 });
  }

  /** Lets go of what has been waiting for its user for 14 days, and of ids nobody can send any more. */
  private expire(desk: Desk, now_ms: number): void {
    if (this.expiries.next(now_ms) !== undefined) return;
    this.expiries.done(now_ms);
    for (const held of this.memory.held.values()) {
      if (held.unfinished > 0 || held.phases.includes(phase.finished)) continue;
      if (now_ms > Math.max(held.header.expires_ms, held.accepted_ms + timeToLive_ms)) bid(desk, held, now_ms);
    }
    for (const [id, { until_ms }] of this.memory.tombstones) if (until_ms < now_ms) this.memory.tombstones.delete(id);
    for (const [id, { until_ms }] of this.memory.earlyCancels) {
      if (until_ms < now_ms) this.memory.earlyCancels.delete(id);
    }
  }

  private status(desk: Desk, re: number, asker: Asker): StatusAnswer {
    const state = this.mode === "running" ? "running" : "draining";
    const answer = status(desk, this.self, re, state, this.deposits.waiting(desk));
    if (this.blocks === undefined || this.settings.kind !== "batch") return answer;
    const blocks = this.blocks.list(desk).map((block) => {
      // What a block printed may say more than others should know.
      const { last_words: _, ...open } = block;
      return asker.user.id === this.self.owner ? block : open;
    });
    const closed = this.blocks.closed();
    const reason = answer.reason ?? closed;
    return {
      ...answer,
      ...(reason === undefined ? {} : { reason }),
      blocks,
      blocks_kept: this.blocks.kept(desk),
      blocks_max: this.settings.max_blocks,
    };
  }

  /** The id of a block ends in zeros: those of its workers begin the same. */
  private makeBlockId(): { id: string; name: string } {
    const hash = hashUuid("gc-block-v1", this.self.boot, String(this.blocksMade++));
    const letters = BigInt(`0x${hash.replaceAll("-", "")}`)
      .toString(36)
      .padStart(25, "0");
    return { id: `${hash.slice(0, 28)}00000000`, name: `gc${letters.slice(1, 13)}` };
  }

  private makeWorkerId(): string {
    return hashUuid("gc-worker-v1", this.self.boot, String(this.workersMade++));
  }

  private desk(out: Decision<JournalRecord, EndpointEffect>): Desk {
    const { memory, pool } = this;
    return {
      memory,
      pool,
      record(record) {
        memory.apply(record);
        out.records.push(record);
      },
      effect(effect) {
        out.effects.push(effect);
      },
    };
  }

  /** Tasks whose current attempt a worker has; for the acting side's log. */
  countOf(worker: string): number {
    let count = 0;
    for (const _ of leasedTo(this.desk({ records: [], effects: [] }), worker)) count++;
    return count;
  }
}
