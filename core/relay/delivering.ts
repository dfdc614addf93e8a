/**
 * Mail from the relay to endpoints: letters first, then task envelopes in the order of their priority, as far as the
 * window and the endpoint's credit allow. What is sent stays in the mailbox until that very item is acknowledged.
 * A part of `state.ts`; pure.
 */
import { GcError } from "../errors.ts";
import { offerAgain_ms, windowBytes, windowEnvelopes } from "../limits.ts";
import { planted } from "../planted.ts";
import type { Credit, Mail } from "../schema/relay_message.ts";
import type { Desk, EndpointSession, Flying } from "./desk.ts";
import type { QueuedTask } from "./mailbox.ts";

/** Bytes in one mail message, so that a frame stays far below its bound. */
const mailBytes = 1024 * 1024;

/** What an endpoint says of itself is shown to people, a thousand endpoints in one answer. */
const statusLengthMax = 8 * 1024;

/** A letter that was stored in this turn. */
export interface StoredLetter {
  readonly seq: number;
  readonly kind: "receipt" | "cancel";
  readonly bytes: Uint8Array;
}

export class Delivering {
  private readonly desk: Desk;
  /** No mail is to be offered again before this, monotonic clock; undefined: none is on its way. */
  private again_ms: number | undefined;

  constructor(desk: Desk) {
    this.desk = desk;
  }

  /** A new session of an endpoint; an older one of the same key is shut out. */
  connect(session: EndpointSession): void {
    const { link } = session;
    const older = this.desk.endpoints.get(link.peer.id);
    if (older !== undefined) this.shutOut(older, link.peer.instance);
    this.desk.endpoints.set(link.peer.id, session);
  }

  disconnect(session: EndpointSession): void {
    if (this.desk.endpoints.get(session.link.peer.id) === session) this.desk.endpoints.delete(session.link.peer.id);
  }

  credit(session: EndpointSession, message: Credit): void {
    session.room = message.room;
    if (message.status !== undefined && JSON.stringify(message.status).length <= statusLengthMax) {
      session.status = message.status as { [key: string]: unknown };
    }
    const known = this.desk.mailbox.principal(session.link.peer.id);
    const name = message.name ?? known?.name ?? "";
    const allow = message.allow ?? known?.allow;
    const is_public = message.public ?? known?.is_public ?? false;
    const same = known?.name === name && known.is_public === is_public && sameList(known.allow, allow);
    if (!same) this.desk.stage({ kind: "hint", no: session.no, name, allow, is_public });
    this.pump(session);
  }

  /** A task envelope was stored for this endpoint just now. */
  offerTask(endpoint_id: string, task: QueuedTask, bytes: Uint8Array): void {
    const session = this.desk.endpoints.get(endpoint_id);
    if (session === undefined || session.behind) return this.jumpQueue(session, task);
    if (!fits(session, task)) {
      session.behind = true;
      return this.jumpQueue(session, task);
    }
    const mail: Mail = { t: "mail", seqs: [], bytes: [] };
    this.put(session, mail, task, bytes);
    if (isBehind(task, session.cursor)) session.cursor = { rank: task.rank, seq: task.seq };
    this.desk.send(session.link, mail);
  }

  /** Letters were stored for this endpoint just now, in this order. Receipts go out without asking the mailbox. */
  offerLetters(endpoint_id: string, letters: readonly StoredLetter[]): void {
    const session = this.desk.endpoints.get(endpoint_id);
    if (session === undefined) return;
    const mail: Mail = { t: "mail", seqs: [], bytes: [] };
    for (const { seq, kind, bytes } of letters) {
      const item = { seq, rank: 0, count: 0, size: bytes.byteLength };
      if (session.behind || kind === "cancel" || !fits(session, item)) {
        session.behind = true;
        break;
      }
      this.put(session, mail, item, bytes);
      session.letter_cursor = seq;
    }
    if (mail.seqs.length > 0) this.desk.send(session.link, mail);
    if (session.behind) this.pump(session);
  }

  /** Sends what fits. */
  pump(session: EndpointSession): void {
    if (this.desk.endpoints.get(session.link.peer.id) !== session) return;
    session.behind = false;
    const mail = new MailBag(this.desk, session);
    this.pumpLetters(session, mail);
    if (!session.behind) this.pumpTasks(session, mail);
    mail.close();
  }

  /** Forgets that mail is on its way; the endpoint has it, or it will be sent again. */
  landed(session: EndpointSession, seq: number): Flying | undefined {
    const flying = session.flying.get(seq);
    if (flying === undefined) return undefined;
    session.flying.delete(seq);
    session.flying_bytes -= flying.bytes;
    session.flying_tasks -= flying.tasks;
    return flying;
  }

  isFlying(endpoint_id: string, seq: number): boolean {
    return this.desk.endpoints.get(endpoint_id)?.flying.has(seq) === true;
  }

  /** Mail without an answer for a minute is offered again. */
  tick(): void {
    if (this.again_ms === undefined || this.again_ms > this.desk.at.mono_ms) return;
    for (const session of this.desk.endpoints.values()) {
      let again = false;
      for (const [seq, flying] of session.flying) {
        if (flying.sent_mono_ms + offerAgain_ms > this.desk.at.mono_ms) break;
        this.landed(session, seq);
        again = true;
      }
      if (!again) continue;
      session.cursor = undefined;
      session.letter_cursor = 0;
      this.pump(session);
    }
    this.again_ms = this.oldest();
  }

  /** On the monotonic clock, when `tick` may have something to do. */
  nextTick(): number | undefined {
    return this.again_ms;
  }

  private oldest(): number | undefined {
    let next: number | undefined;
    for (const session of this.desk.endpoints.values()) {
      const oldest = session.flying.values().next().value;
      if (oldest === undefined) continue;
      const due = oldest.sent_mono_ms + offerAgain_ms;
      if (next === undefined || due < next) next = due;
    }
    return next;
  }

  private pumpLetters(session: EndpointSession, mail: MailBag): void {
    const limit = windowEnvelopes + session.flying.size;
    for (const letter of this.desk.mailbox.letters(session.no, session.letter_cursor, limit)) {
      if (!session.flying.has(letter.seq)) {
        if (letter.kind === "cancel" && !this.sendBefore(session, mail, letter.about)) return;
        const item = { seq: letter.seq, rank: 0, count: 0, size: letter.size };
        if (!fits(session, item)) {
          session.behind = true;
          return;
        }
        const bytes = this.desk.mailbox.bytes("letters", letter.seq);
        if (bytes !== undefined) this.put(session, mail.page(), item, bytes);
      }
      session.letter_cursor = letter.seq;
    }
  }

  /**
   * The endpoint must have the tasks that a cancel speaks of before it has the cancel, else it knows nothing to cancel:
   * so they jump the queue. Returns whether the cancel may follow.
   */
  private sendBefore(session: EndpointSession, mail: MailBag, about: string): boolean {
    const task = this.desk.mailbox.task(about);
    if (task?.state !== "queued" || task.endpoint !== session.no || session.flying.has(task.seq)) return true;
    const bytes = this.desk.mailbox.bytes("tasks", task.seq);
    if (bytes === undefined) return true;
    const item = { seq: task.seq, rank: task.rank, count: task.count, size: bytes.byteLength };
    if (!fits(session, { ...item, count: 0 })) {
      session.behind = true;
      return false;
    }
    this.put(session, mail.page(), item, bytes);
    return true;
  }

  private pumpTasks(session: EndpointSession, mail: MailBag): void {
    for (;;) {
      const limit = windowEnvelopes + (session.cursor === undefined ? session.flying.size : 0);
      const page = this.desk.mailbox.queue(session.no, session.cursor, limit);
      for (const task of page) {
        if (!session.flying.has(task.seq)) {
          if (!fits(session, task)) {
            session.behind = true;
            return;
          }
          const bytes = this.desk.mailbox.bytes("tasks", task.seq);
          if (bytes === undefined) this.missing(task.seq);
          else this.put(session, mail.page(), task, bytes);
        }
        session.cursor = { rank: task.rank, seq: task.seq };
      }
      if (page.length < limit) return;
    }
  }

  private put(session: EndpointSession, mail: Mail, item: QueuedTask, bytes: Uint8Array): void {
    mail.seqs.push(item.seq);
    mail.bytes.push(bytes);
    const is_task = item.count > 0;
    const { mono_ms } = this.desk.at;
    session.flying.set(item.seq, {
      is_task,
      tasks: item.count,
      bytes: bytes.byteLength,
      rank: item.rank,
      sent_mono_ms: mono_ms,
    });
    session.flying_bytes += bytes.byteLength;
    session.flying_tasks += item.count;
    this.again_ms ??= mono_ms + offerAgain_ms;
    if (planted("deleteOnSend")) {
      if (is_task)
        this.desk.stage({
          kind: "move_task",
          seq: item.seq,
          from: "queued",
          to: "held",
          due_ms: Number.MAX_SAFE_INTEGER,
        });
      else this.desk.stage({ kind: "drop_letter", seq: item.seq });
    }
  }

  /** A task that comes before what was sent already, and could not be sent now: the queue is read from its head
   * again. */
  private jumpQueue(session: EndpointSession | undefined, task: QueuedTask): void {
    if (session?.cursor !== undefined && !isBehind(task, session.cursor)) session.cursor = undefined;
  }

  private shutOut(session: EndpointSession, instance: string): void {
    const { link } = session;
    const error = new GcError(
      "permission",
      "endpoint.fenced",
      `The endpoint ${link.peer.id} connected from elsewhere`,
      {
        hint: "gc endpoint status",
      },
    );
    if (link.peer.instance !== instance) this.desk.refuse(link, error);
    this.desk.perform({ kind: "close", link, reason: "the same endpoint connected again" });
  }

  private missing(seq: number): void {
    this.desk.perform({ kind: "log", event: "relay.body_missing", fields: { seq } });
  }
}

/** Gathers mail into messages of bounded size. */
class MailBag {
  private readonly desk: Desk;
  private readonly session: EndpointSession;
  private mail: Mail = { t: "mail", seqs: [], bytes: [] };

  constructor(desk: Desk, session: EndpointSession) {
    this.desk = desk;
    this.session = session;
  }

  /** The message that the next item goes into. */
  page(): Mail {
    let bytes = 0;
    for (const blob of this.mail.bytes) bytes += blob.byteLength;
    if (bytes >= mailBytes) this.close();
    return this.mail;
  }

  close(): void {
    if (this.mail.seqs.length > 0) this.desk.send(this.session.link, this.mail);
    this.mail = { t: "mail", seqs: [], bytes: [] };
  }
}

/** Whether the window and the credit of the endpoint allow this item. Anything fits into an empty window. */
function fits(session: EndpointSession, item: QueuedTask): boolean {
  if (session.flying.size >= windowEnvelopes) return false;
  if (session.flying.size > 0 && session.flying_bytes + item.size > windowBytes) return false;
  if (item.count === 0) return true;
  return session.flying_tasks === 0 ? session.room > 0 : session.flying_tasks + item.count <= session.room;
}

/** Whether `task` comes after `place` in the queue. */
function isBehind(task: QueuedTask, place: { rank: number; seq: number } | undefined): boolean {
  return place === undefined || task.rank > place.rank || (task.rank === place.rank && task.seq > place.seq);
}

function sameList(a: readonly string[] | undefined, b: readonly string[] | undefined): boolean {
  return (
    a === b || (a !== undefined && b !== undefined && a.length === b.length && a.every((item, i) => item === b[i]))
  );
}
