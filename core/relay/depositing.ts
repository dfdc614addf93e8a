/**
 * What endpoints bring back: acknowledgements of mail with their signed accepts, results, and, after the relay lost its
 * store, the task envelopes that they hold. The first result of a task is its result. A part of `state.ts`; pure.
 */

import { checkRecord } from "../access/principal.ts";
import { digestOf, type Envelope, readEnvelope, verifyEnvelope } from "../envelope/envelope.ts";
import { GcError } from "../errors.ts";
import { planted } from "../planted.ts";
import type { AcceptHeader, KeyRecord, ResultHeader, TaskHeader } from "../schema/envelope.ts";
import type { Announce, Deposit, MailAck } from "../schema/relay_message.ts";
import type { Delivering } from "./delivering.ts";
import type { Desk, EndpointSession } from "./desk.ts";
import { withIndices } from "./index_set.ts";
import type { TaskRow } from "./mailbox.ts";
import type { Watching } from "./watching.ts";

/** Results that came too late are kept as evidence, up to so many envelopes for one task envelope. */
const lateMax = 8;

export class Depositing {
  private readonly desk: Desk;
  private readonly delivering: Delivering;
  private readonly watching: Watching;

  constructor(desk: Desk, delivering: Delivering, watching: Watching) {
    this.desk = desk;
    this.delivering = delivering;
    this.watching = watching;
  }

  /** Mail that arrived. A task envelope leaves the queue only for an accept that names its very bytes. */
  mailAck(session: EndpointSession, message: MailAck): void {
    const held = new Set<number>();
    for (const bytes of message.bytes ?? []) {
      try {
        const seq = this.accept(session, this.desk.own(session, bytes, "accept"));
        if (seq !== undefined) held.add(seq);
      } catch (error) {
        if (!(error instanceof GcError)) throw error;
        this.desk.refuse(session.link, error);
      }
    }
    if (planted("cumulativeAck")) this.holdUpTo(session, Math.max(...message.seqs));
    for (const seq of message.seqs) {
      const flying = session.flying.get(seq);
      if (flying === undefined) continue;
      if (!flying.is_task) this.desk.stage({ kind: "drop_letter", seq });
      else if (!held.has(seq) && !this.isHeld(seq)) continue;
      this.delivering.landed(session, seq);
      session.room = Math.max(0, session.room - flying.tasks);
    }
    if (session.behind) this.delivering.pump(session);
  }

  /**
   * Stores results.
   * @throws GcError permission `envelope.forged`, data `envelope.*`. Nothing of the request is stored then.
   */
  deposit(session: EndpointSession, message: Deposit): void {
    const envelopes = message.bytes.map((bytes) => this.desk.own(session, bytes, "result"));
    for (const envelope of envelopes) this.checkResult(session, envelope);
    for (const envelope of envelopes) this.result(session, envelope);
    const ids = envelopes.map(({ header }) => header.id);
    this.desk.send(session.link, { t: "stored", re: message.rid, ids });
  }

  /**
   * Task envelopes that the endpoint holds, each with its accept.
   * @throws GcError permission `envelope.*`, data `envelope.*`. Nothing of the request is stored then.
   */
  announce(session: EndpointSession, message: Announce): void {
    const pairs: { task: Envelope<TaskHeader>; accept: Envelope<AcceptHeader> }[] = [];
    for (let i = 0; i + 1 < message.bytes.length; i += 2) {
      const task = readEnvelope(message.bytes[i] as Uint8Array) as Envelope<TaskHeader>;
      const accept = this.desk.own(session, message.bytes[i + 1] as Uint8Array, "accept");
      if (
        task.header.kind !== "task" ||
        task.header.to !== session.link.peer.id ||
        accept.header.re !== task.header.id
      ) {
        throw new GcError("data", "envelope.kind", "An announcement is a task envelope to you and your accept of it");
      }
      // Here somebody else's words are shown, so unlike in all other mail the relay looks at who signed them.
      verifyEnvelope(task, task.header.sender);
      verifyEnvelope(accept, this.recordOf(session));
      pairs.push({ task, accept });
    }
    for (const { task, accept } of pairs) {
      this.know(session, task);
      this.accept(session, accept);
    }
    this.desk.send(session.link, { t: "ok", re: message.rid });
  }

  /** The number of the task envelope that is held by this accept; undefined when it says nothing that counts. */
  private accept(session: EndpointSession, envelope: Envelope<AcceptHeader>): number | undefined {
    const { header, bytes } = envelope;
    const row = this.desk.mailbox.task(header.re);
    if (row === undefined || row.endpoint !== session.no || (row.digest !== "" && row.digest !== header.digest))
      return undefined;
    if (row.state === "held" || row.state === "gone") return row.seq;
    verifyEnvelope(envelope, this.recordOf(session));
    this.hold(row);
    this.watching.tell(row, "accept", header.id, bytes);
    return row.seq;
  }

  private hold(row: TaskRow): void {
    // It stays due when it would have expired; what then happens to it is seen then (`retaining.ts`).
    this.desk.stage({ kind: "move_task", seq: row.seq, from: row.state, to: "held" });
  }

  /** The planted bug: an acknowledgement covers everything that came before it, sent or not. */
  private holdUpTo(session: EndpointSession, highest: number): void {
    for (const { seq } of this.desk.mailbox.queue(session.no, undefined, 10_000)) {
      const row = seq <= highest ? this.desk.mailbox.taskOf(seq) : undefined;
      if (row?.state === "queued") this.hold(row);
    }
  }

  private checkResult(session: EndpointSession, envelope: Envelope<ResultHeader>): void {
    const { header } = envelope;
    const row = this.desk.mailbox.task(header.re);
    // Where no accept was seen yet, the result speaks for it, so it must be signed as an accept must.
    if (row?.state !== "held" && row?.state !== "gone") verifyEnvelope(envelope, this.recordOf(session));
    if (row === undefined) return;
    const { mailbox } = this.desk;
    if (row.endpoint !== session.no || row.sender !== mailbox.findPrincipal(header.to)) {
      throw new GcError("permission", "envelope.forged", `The tasks ${header.re} were not sent to you by ${header.to}`);
    }
    if (row.count > 0 && header.indices.some((index) => index >= row.count)) {
      throw new GcError("data", "envelope.header", `The task envelope ${header.re} has only ${row.count} tasks`);
    }
  }

  private result(session: EndpointSession, envelope: Envelope<ResultHeader>): void {
    const { header, bytes } = envelope;
    let row = this.desk.mailbox.task(header.re) ?? this.unheardOf(session, header);
    // Receipted and past its time: neither side needs it here.
    if (row.state === "gone") return;
    if (row.state !== "held") {
      this.hold(row);
      row = this.desk.mailbox.taskOf(row.seq) ?? row;
    }
    const complete = row.count > 0 && row.done >= row.count;
    const { set, fresh } = complete ? { set: undefined, fresh: [] } : withIndices(row.done_set, header.indices);
    if (fresh.length === 0) return this.late(row, header, bytes);
    const done = row.done + fresh.length;
    const all = row.count > 0 && done >= row.count;
    const due_ms = all ? this.desk.at.now_ms + this.desk.limits.time_to_live_ms : undefined;
    const classes = countClasses(row, header, fresh);
    this.desk.stage({ kind: "mark_done", seq: row.seq, done, set: all ? undefined : set, classes, due_ms });
    this.watching.tell(row, "result", header.id, bytes);
  }

  /** The same envelope again is nothing; another one for tasks that have a result is evidence. Neither is shown. */
  private late(row: TaskRow, header: ResultHeader, bytes: Uint8Array): void {
    if (row.late >= lateMax || this.desk.mailbox.hasNews(row.seq, header.id)) return;
    const seq = this.desk.mailbox.nextSeq();
    this.desk.stage({ kind: "put_news", seq, task: row.seq, group: row.group, news: "late", id: header.id, bytes });
    this.desk.perform({ kind: "log", event: "relay.late_result", fields: { envelope: header.re, result: header.id } });
  }

  /** Results of tasks that this relay never saw: it lost its store, and their results are all that is left of them. */
  private unheardOf(session: EndpointSession, header: ResultHeader): TaskRow {
    const { now_ms } = this.desk.at;
    const user = this.desk.mailbox.principalNo(header.to, "user");
    this.putHeld(session, user, header.group, {
      id: header.re,
      count: 0,
      digest: "",
      rank: 0,
      expires_ms: now_ms + this.desk.limits.time_to_live_ms,
    });
    const row = this.desk.mailbox.task(header.re);
    if (row === undefined) throw new Error("A row was inserted");
    return row;
  }

  private know(session: EndpointSession, { header, bytes }: Envelope<TaskHeader>): void {
    const row = this.desk.mailbox.task(header.id);
    const life_ms = Math.min(Math.max(header.expires_ms - header.created_ms, 1000), this.desk.limits.time_to_live_ms);
    const expires_ms = this.desk.at.now_ms + life_ms;
    const facts = { count: header.count, digest: digestOf(bytes), expires_ms };
    if (row?.digest === "")
      this.desk.stage({ kind: "know_task", seq: row.seq, created_ms: this.desk.at.now_ms, ...facts });
    if (row !== undefined) return;
    const user = this.desk.mailbox.principalNo(header.from, "user");
    this.putHeld(session, user, header.group, { id: header.id, rank: -header.priority, ...facts });
  }

  /** A row for tasks that this endpoint has; `queued` for a moment, because only an accept makes it `held`. */
  private putHeld(
    session: EndpointSession,
    sender: number,
    group: string,
    facts: { id: string; count: number; digest: string; rank: number; expires_ms: number },
  ): void {
    const { mailbox, at } = this.desk;
    const seq = mailbox.nextSeq();
    const task = {
      ...facts,
      seq,
      sender,
      endpoint: session.no,
      group: mailbox.groupNo(sender, group),
      group_id: group,
      created_ms: at.now_ms,
      state: "queued" as const,
      due_ms: facts.expires_ms,
    };
    this.desk.stage({ kind: "put_task", task, body: undefined });
  }

  private isHeld(seq: number): boolean {
    return this.desk.mailbox.taskOf(seq)?.state !== "queued";
  }

  private recordOf(session: EndpointSession): KeyRecord {
    const { peer } = session.link;
    if (peer.record !== undefined) return peer.record;
    const stored = this.desk.mailbox.principal(peer.id)?.record;
    if (stored === undefined) throw new GcError("permission", "key.unknown", `The key of ${peer.id} is not known here`);
    return checkRecord(JSON.parse(stored));
  }
}

function countClasses(row: TaskRow, header: ResultHeader, fresh: readonly number[]): TaskRow["classes"] {
  const classes: { [name: string]: number } = { ...row.classes };
  const counted = fresh.length === header.indices.length ? undefined : new Set(fresh);
  for (const [i, name] of header.classes.entries()) {
    if (counted === undefined || counted.has(header.indices[i] ?? -1)) classes[name] = (classes[name] ?? 0) + 1;
  }
  return classes;
}
