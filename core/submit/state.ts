/**
 * Decides for a submitting process. A task is first kept in the outbox, then sent until the relay says it is stored,
 * and leaves the outbox only for an accept that its endpoint signed over exactly these bytes. Results are passed on
 * once; a receipt goes out once the person has them. Nothing here acts or reads a clock: `client.ts` does, and so does
 * the simulation, with the same class.
 */

import { unreachable } from "../assert.ts";
import type { Decision, Part } from "../host/turn.ts";
import { resend_ms, windowBytes, windowEnvelopes } from "../limits.ts";
import type { WireError } from "../schema/session_message.ts";
import type { EnvelopeId, PrincipalId } from "../task/id.ts";
import type { ClientEffect, ClientEvent, ClientRecord, Entry, FreshResults, LiveAsk, NoAnswer } from "./event.ts";
import { entryOf } from "./parcel.ts";
import { Receipts } from "./receipts.ts";
import { mayHeal, Requests } from "./requests.ts";
import { allPassed, Watches } from "./watches.ts";

type Out = Decision<ClientRecord, ClientEffect>;
type EventOf<K extends ClientEvent["kind"]> = Extract<ClientEvent, { kind: K }>;

/** Where an entry stands: not sent yet, sent and unanswered, or stored by the relay of `epoch`. */
interface Standing {
  readonly entry: Entry;
  phase: "waiting" | "sending" | "stored";
  epoch?: string;
  /** It has been handed to a link, so that the relay may have it. */
  sent: boolean;
}

interface OpenAsk {
  readonly ask: LiveAsk;
  readonly to: PrincipalId;
  readonly deadline_ms: number;
  pause_ms: number;
  due_ms: number;
}

/** First pause before a live question is asked again; it doubles. Live messages may be lost silently. */
const askAgain_ms = 1000;
/** Bytes of envelopes in one `submit`, so that a frame stays far below its bound. */
const submitBytes = 4 * 1024 * 1024;

export class SubmitState implements Pick<Part<ClientEvent, ClientRecord, ClientEffect>, "decide"> {
  private readonly requests = new Requests();
  private readonly receipts = new Receipts();
  private readonly watches = new Watches();
  private readonly entries = new Map<EnvelopeId, Standing>();
  private readonly asks = new Map<number, OpenAsk>();
  /** Envelopes we know the endpoint and size of, until all their results have been seen. */
  private readonly known = new Map<EnvelopeId, { endpoint: PrincipalId; count: number }>();
  private waiting: EnvelopeId[] = [];
  private sendingBytes = 0;
  private sendingCount = 0;
  private link: "up" | "down" = "down";
  private epoch: string | undefined;
  private wake_ms: number | undefined;

  /** Entries that no endpoint has accepted yet. */
  pending(): Entry[] {
    return [...this.entries.values()].map((standing) => standing.entry);
  }

  decide(event: ClientEvent, out: Out): void {
    switch (event.kind) {
      case "submit":
        return this.submit(event, out);
      case "promise":
        out.records.push({ kind: "promised", id: event.id });
        return;
      case "adopt":
        return this.adopt(event, out);
      case "know":
        this.known.set(event.id, { endpoint: event.endpoint, count: event.count });
        return;
      case "up":
        return this.linkUp(event, out);
      case "down":
        this.link = "down";
        this.requests.linkDown();
        return;
      case "submitted":
        return this.submitted(event, out);
      case "ok":
        return this.done(event.re, undefined, out);
      case "answer": {
        const request = this.requests.finish(event.re);
        if (request?.kind === "plain")
          out.effects.push({ kind: "answer", ticket: request.ticket, answer: event.answer });
        return;
      }
      case "error":
        return this.failed(event, out);
      case "watch":
        return this.watch(event, out);
      case "unwatch":
        this.watches.open.delete(event.watch);
        this.requests.drop((request) => request.kind === "watch" && request.watch === event.watch);
        if (this.watches.open.size === 0 && this.receipts.mayPost(event.now_ms))
          this.postReceipts(undefined, event.now_ms, out);
        if (this.link === "up") this.requests.start({ kind: "unwatch", watch: event.watch }, event.now_ms, out.effects);
        return this.setAlarm(out);
      case "news":
        return this.news(event, out);
      case "taken": {
        const { watch, seq } = event;
        const fresh = this.watches.take(watch, seq);
        if (fresh && this.link === "up") out.effects.push({ kind: "send", message: { t: "taken", watch, seq } });
        return;
      }
      case "flushed": {
        const { id, endpoint, indices, ticket, now_ms } = event;
        const complete = this.receipts.add(id, endpoint, indices, ticket, this.known.get(id)?.count);
        // Whoever watches has more of them soon, and whoever does not may be about to leave.
        if (!complete && this.watches.open.size > 0) this.receipts.wait(now_ms);
        else if (this.receipts.mayPost(now_ms)) this.postReceipts(complete ? id : undefined, now_ms, out);
        return this.setAlarm(out);
      }
      case "cancel": {
        const { id, endpoint, indices, ticket, now_ms } = event;
        this.requests.start({ kind: "cancel", id, to: endpoint, indices, tickets: [ticket] }, now_ms, out.effects);
        return this.setAlarm(out);
      }
      case "withdraw":
        return this.withdraw(event.id, out);
      case "request":
        this.requests.start({ kind: "plain", ticket: event.ticket, message: event.message }, event.now_ms, out.effects);
        return this.setAlarm(out);
      case "ask":
        return this.ask(event, out);
      case "answered":
        return this.answered(event, out);
      case "undelivered":
        for (const [rid, open] of this.asks) if (open.to === event.to) this.unanswered(rid, event.why, out);
        return;
      case "tick":
        return this.tick(event.now_ms, out);
      default:
        return unreachable(event);
    }
  }

  private submit(event: EventOf<"submit">, out: Out): void {
    const entry = entryOf(event.parcel.head);
    if (this.entries.has(entry.id)) return;
    out.records.push({ kind: "entry", parcel: event.parcel, promised: event.promised });
    this.adopt({ kind: "adopt", entry, now_ms: event.now_ms }, out);
  }

  private adopt(event: EventOf<"adopt">, out: Out): void {
    const { entry, epoch } = event;
    if (this.entries.has(entry.id)) return;
    this.known.set(entry.id, { endpoint: entry.endpoint, count: entry.count });
    if (epoch !== undefined && (this.epoch === undefined || this.epoch === epoch)) {
      this.entries.set(entry.id, { entry, phase: "stored", epoch, sent: true });
      return;
    }
    this.entries.set(entry.id, { entry, phase: "waiting", sent: epoch !== undefined });
    this.waiting.push(entry.id);
    this.pump(event.now_ms, out);
  }

  private linkUp(event: EventOf<"up">, out: Out): void {
    this.link = "up";
    if (this.epoch !== undefined && this.epoch !== event.epoch) this.watches.restart();
    this.epoch = event.epoch;
    for (const [id, standing] of this.entries) {
      if (standing.phase !== "stored" || standing.epoch === event.epoch) continue;
      standing.phase = "waiting";
      this.waiting.push(id);
    }
    this.requests.linkUp(event.now_ms, out.effects);
    this.pump(event.now_ms, out);
    this.setAlarm(out);
  }

  /** Sends waiting entries as far as the window allows; what is beyond waits on disk. */
  private pump(now_ms: number, out: Out): void {
    while (this.link === "up" && this.waiting.length > 0) {
      const ids: EnvelopeId[] = [];
      let size = 0;
      for (const id of this.waiting) {
        const standing = this.entries.get(id);
        if (standing?.phase !== "waiting") {
          ids.push(id);
          continue;
        }
        const full =
          this.sendingBytes + size + standing.entry.size > windowBytes || size + standing.entry.size > submitBytes;
        if ((full && this.sendingBytes + size > 0) || this.sendingCount + ids.length >= windowEnvelopes) break;
        ids.push(id);
        size += standing.entry.size;
      }
      if (ids.length === 0) return;
      this.waiting = this.waiting.slice(ids.length);
      const sent = ids.filter((id) => this.entries.get(id)?.phase === "waiting");
      if (sent.length > 0) this.sendEntries([...new Set(sent)], now_ms, out);
    }
  }

  private sendEntries(ids: EnvelopeId[], now_ms: number, out: Out): void {
    let size = 0;
    for (const id of ids) {
      const standing = this.entries.get(id);
      if (standing === undefined) continue;
      standing.phase = "sending";
      standing.sent = true;
      size += standing.entry.size;
    }
    this.sendingBytes += size;
    this.sendingCount += ids.length;
    this.requests.start({ kind: "submit", ids, size }, now_ms, out.effects);
    this.setAlarm(out);
  }

  private submitted(event: EventOf<"submitted">, out: Out): void {
    const request = this.requests.get(event.re);
    if (request?.kind !== "submit") return;
    this.requests.finish(event.re);
    this.sendingBytes -= request.size;
    this.sendingCount -= request.ids.length;
    const stored = new Set(event.ids);
    for (const id of request.ids) {
      const standing = this.entries.get(id);
      if (standing?.phase !== "sending") continue;
      if (!stored.has(id)) {
        // A relay that says neither yes nor no is asked again, but not at once.
        const { size } = standing.entry;
        this.sendingBytes += size;
        this.sendingCount += 1;
        this.requests.startLater({ kind: "submit", ids: [id], size }, event.now_ms + resend_ms);
        continue;
      }
      standing.phase = "stored";
      if (this.epoch !== undefined) {
        standing.epoch = this.epoch;
        out.records.push({ kind: "stored", id, epoch: this.epoch });
      }
      out.effects.push({ kind: "stored", id });
    }
    this.pump(event.now_ms, out);
    this.setAlarm(out);
  }

  private failed(event: EventOf<"error">, out: Out): void {
    const request = this.requests.get(event.re);
    if (request === undefined) return;
    if (mayHeal(event.error) && request.kind !== "plain") {
      this.requests.postpone(event.re, event.error, event.now_ms);
      if (request.kind === "submit") out.effects.push({ kind: "put_off", error: event.error });
      return this.setAlarm(out);
    }
    if (request.kind !== "submit") return this.done(event.re, event.error, out);
    this.requests.finish(event.re);
    this.sendingBytes -= request.size;
    this.sendingCount -= request.ids.length;
    if (request.ids.length > 1) {
      // One of several is at fault: each is asked for alone.
      for (const id of request.ids)
        if (this.entries.get(id)?.phase === "sending") this.sendEntries([id], event.now_ms, out);
      return;
    }
    for (const id of request.ids) {
      if (!this.entries.delete(id)) continue;
      this.known.delete(id);
      out.records.push({ kind: "refused", id, error: event.error });
      out.effects.push({ kind: "refused", id, error: event.error });
    }
    this.pump(event.now_ms, out);
  }

  /** Closes a request that has no answer of its own but `ok` or an error. */
  private done(rid: number, error: WireError | undefined, out: Out): void {
    const request = this.requests.get(rid);
    if (request === undefined) return;
    // A watch stays open: it is asked for again after every reconnection.
    if (request.kind === "watch" && error === undefined) return this.requests.settle(rid);
    if (request.kind === "submit" && error === undefined) return;
    this.requests.finish(rid);
    if (request.kind === "receipt" || request.kind === "cancel") {
      const told = error === undefined ? {} : { error };
      for (const ticket of request.tickets) out.effects.push({ kind: "posted", ticket, ...told });
    } else if (request.kind === "plain" && error !== undefined) {
      out.effects.push({ kind: "answer", ticket: request.ticket, answer: error });
    }
  }

  /** Posts the receipts that wait: all, or those of one envelope. */
  private postReceipts(only: EnvelopeId | undefined, now_ms: number, out: Out): void {
    for (const each of this.receipts.take(only, now_ms))
      this.requests.start({ kind: "receipt", ...each }, now_ms, out.effects);
  }

  private watch(event: EventOf<"watch">, out: Out): void {
    const state = this.watches.add(event.watch, event.watched, event.after ?? 0);
    const request = { kind: "watch", watch: event.watch, watched: event.watched, after: () => state.taken } as const;
    this.requests.start(request, event.now_ms, out.effects);
    this.setAlarm(out);
  }

  private news(event: EventOf<"news">, out: Out): void {
    for (const accept of event.accepts) this.accept(accept.id, accept.from, accept.digest, out);
    const watch = this.watches.open.get(event.watch);
    if (watch === undefined) return;
    const batches: FreshResults[] = [];
    for (const news of event.results) {
      const known = this.known.get(news.id);
      // Who signs a result of an envelope has it: that is an accept, whose own news may have been missed.
      const standing = this.entries.get(news.id);
      if (standing !== undefined) this.accept(news.id, news.from, standing.entry.digest, out);
      const fresh = this.watches.fresh(watch, news, known?.endpoint, known?.count);
      if (fresh !== undefined) batches.push(fresh);
    }
    if (event.seq > watch.passed) watch.passed = event.seq;
    for (const id of event.expired) this.expire(id, out);
    if (batches.length === 0 && event.expired.length === 0 && event.seq === 0) return;
    out.effects.push({ kind: "results", watch: event.watch, seq: event.seq, batches, expired: event.expired });
  }

  /** An accept counts when the endpoint we sent to signed for the very bytes we sent. */
  private accept(id: EnvelopeId, from: PrincipalId, digest: string, out: Out): void {
    const standing = this.entries.get(id);
    if (standing === undefined || standing.entry.endpoint !== from || standing.entry.digest !== digest) return;
    this.entries.delete(id);
    out.records.push({ kind: "accepted", id });
    out.effects.push({ kind: "accepted", id });
  }

  /** The relay found no taker in time. It is not to be sent again; the record stays for the person to see. */
  private expire(id: EnvelopeId, out: Out): void {
    if (!this.entries.delete(id)) return;
    const error: WireError = {
      t: "error",
      kind: "missing",
      code: "task.expired",
      message: "No endpoint took it in time",
    };
    out.records.push({ kind: "refused", id, error });
  }

  private withdraw(id: EnvelopeId, out: Out): void {
    const standing = this.entries.get(id);
    const done = standing !== undefined && !standing.sent;
    if (done) {
      this.entries.delete(id);
      this.known.delete(id);
      out.records.push({ kind: "withdrawn", id });
    }
    out.effects.push({ kind: "withdrawn", id, done });
  }

  private ask(event: EventOf<"ask">, out: Out): void {
    const { ask, to, deadline_ms } = event;
    this.asks.set(ask.rid, { ask, to, deadline_ms, pause_ms: askAgain_ms, due_ms: event.now_ms });
    this.tick(event.now_ms, out);
  }

  private answered({ from, answer }: EventOf<"answered">, out: Out): void {
    if (this.asks.get(answer.re)?.to !== from) return;
    this.asks.delete(answer.re);
    out.effects.push({ kind: "live_answer", rid: answer.re, answer });
  }

  private unanswered(rid: number, why: NoAnswer, out: Out): void {
    this.asks.delete(rid);
    out.effects.push({ kind: "live_answer", rid, answer: why });
  }

  private tick(now_ms: number, out: Out): void {
    if (this.receipts.due_ms <= now_ms) this.postReceipts(undefined, now_ms, out);
    this.requests.tick(now_ms, out.effects);
    for (const [rid, open] of this.asks) {
      if (open.deadline_ms <= now_ms) {
        this.unanswered(rid, "timeout", out);
      } else if (open.due_ms <= now_ms && this.link === "up") {
        open.due_ms = now_ms + open.pause_ms;
        open.pause_ms *= 2;
        out.effects.push({ kind: "live", to: open.to, ask: open.ask });
      }
    }
    this.wake_ms = undefined;
    this.setAlarm(out);
  }

  /** Asks to be woken for the next thing that is due, unless an earlier alarm is set. */
  private setAlarm(out: Out): void {
    let due = Math.min(this.requests.nextDue(), this.receipts.due_ms);
    for (const open of this.asks.values()) {
      due = Math.min(due, open.deadline_ms, this.link === "up" ? open.due_ms : Number.POSITIVE_INFINITY);
    }
    if (due === Number.POSITIVE_INFINITY || (this.wake_ms !== undefined && this.wake_ms <= due)) return;
    this.wake_ms = due;
    out.effects.push({ kind: "wake", at_ms: due });
  }
}

export { allPassed };
