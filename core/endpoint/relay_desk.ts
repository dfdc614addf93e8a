/**
 * An endpoint's side of the link to the relay: mail comes in order and becomes events; acknowledgements, results and
 * answers of one turn go out together, after the journal has what they rest on.
 */
import type { HeldEnvelope } from "../engine/held_envelope.ts";
import { messageOf } from "../errors.ts";
import type { Host } from "../host/host.ts";
import { ackHold_ms, heldAcksMax } from "../limits.ts";
import type { AskLog } from "../schema/live_message.ts";
import type { Live, Mail, Stored } from "../schema/relay_message.ts";
import { fits } from "../schema/validate.ts";
import type { EnvelopeId } from "../task/id.ts";
import type { Frameable } from "../wire/codec.ts";
import { type Link, unknownMessage } from "../wire/link.ts";
import type { Courier } from "./courier.ts";
import type { Asker, EndpointEffect, EndpointEvent } from "./decision.ts";

/** What the endpoint says of itself with every credit. */
export interface Introduction {
  name: string;
  allow: string[];
  public: boolean;
  status: { [name: string]: string | number };
}

/** Bytes of envelopes in one message at most; a frame has room for a little more. */
const bytesPerMessage = 8 * 1024 * 1024;

/** The link to the relay and what waits to be sent on it. */
export class RelayDesk {
  private readonly courier: Courier;
  private readonly host: Host;
  private readonly push: (event: EndpointEvent) => void;
  private readonly log: (lines: number) => string;
  private readonly owner: string;
  private readonly fenced: () => void;
  private link: Link | undefined;
  private introduction: Introduction | undefined;
  private seqs: number[] = [];
  private accepts: Uint8Array[] = [];
  private deposits: { id: string; bytes: Uint8Array }[] = [];
  private readonly asked = new Map<number, string[] | { epoch: string }>();
  private answers = new Map<string, { asker: Asker; messages: Frameable[] }>();
  private rid = 0;
  /** Cancels the timer for acknowledgements that wait for company. */
  private release: (() => void) | undefined;
  /** Credit to be given; it follows the acknowledgements of its turn, which the relay subtracts. */
  private room: number | undefined;

  constructor(
    courier: Courier,
    host: Host,
    push: (event: EndpointEvent) => void,
    log: (lines: number) => string,
    owner: string,
    fenced: () => void,
  ) {
    this.courier = courier;
    this.host = host;
    this.push = push;
    this.log = log;
    this.owner = owner;
    this.fenced = fenced;
  }

  introduce(introduction: Introduction): void {
    this.introduction = introduction;
  }

  up(link: Link): void {
    this.link = link;
    this.asked.clear();
    this.host.log.info("relay.up", { relay: link.peer.id, session: link.session });
    this.push({ t: "relay_up", epoch: link.epoch, now_ms: this.host.clock.now() });
  }

  down(link: Link | undefined): void {
    if (link === undefined || link !== this.link) return;
    this.link = undefined;
    this.flush();
    this.host.log.info("relay.down");
    this.push({ t: "relay_down" });
  }

  messages(link: Link, messages: Frameable[]): void {
    for (const message of messages) {
      switch (message.t) {
        case "mail":
          if (fits("mail", message)) this.mail(message as unknown as Mail);
          break;
        case "live":
          if (fits("live", message)) this.live(message as unknown as Live);
          break;
        case "stored":
          if (fits("stored", message)) this.stored(message as unknown as Stored);
          break;
        case "ok":
          this.announced(message as unknown as { re: number });
          break;
        case "error":
          this.refused(message as unknown as { re?: number; code: string; message: string; retry_after_ms?: number });
          break;
        case "undelivered":
          break;
        default:
          link.send([unknownMessage(message) as Frameable]);
      }
    }
  }

  /** Effects that are messages to the relay; they leave with `flush`. */
  perform(effect: EndpointEffect): void {
    if (this.link === undefined) return;
    switch (effect.t) {
      case "credit":
        this.room = effect.room;
        return;
      case "ack_mail":
        for (const seq of effect.seqs) this.seqs.push(seq);
        for (const { re, to, digest } of effect.accepts) this.accepts.push(this.courier.accept(to, re, digest));
        return;
      case "deposit": {
        const { id, held, indices, results } = effect;
        const said = { id, re: held.id, group: held.header.group, indices, results };
        this.deposits.push({ id, bytes: this.courier.results(held.header.sender, said) });
        return;
      }
      case "answer":
        return this.answer(effect.asker, effect.message as Frameable);
      default:
        return;
    }
  }

  /** Notes an answer for a connected user. */
  answer(asker: Asker, message: Frameable): void {
    const open = this.answers.get(asker.session);
    if (open === undefined) this.answers.set(asker.session, { asker, messages: [message] });
    else open.messages.push(message);
  }

  /** Sends what the effects of a turn left behind; a few acknowledgements alone wait a moment. */
  flush(): void {
    const alone = this.deposits.length === 0 && this.answers.size === 0 && this.room === undefined;
    if (alone && this.link !== undefined && this.seqs.length <= heldAcksMax) {
      if (this.seqs.length > 0) this.release ??= this.host.clock.after(ackHold_ms, () => this.send());
      return;
    }
    this.send();
  }

  private send(): void {
    this.release?.();
    this.release = undefined;
    const { link } = this;
    if (link === undefined) {
      this.seqs = [];
      this.accepts = [];
      this.deposits = [];
      this.answers.clear();
      this.room = undefined;
      return;
    }
    for (let at = 0; at < this.deposits.length; ) {
      const part: { id: string; bytes: Uint8Array }[] = [];
      for (let bytes = 0; at < this.deposits.length && bytes < bytesPerMessage; at++) {
        const deposit = this.deposits[at];
        if (deposit === undefined) break;
        if (part.length > 0 && bytes + deposit.bytes.byteLength > bytesPerMessage) break;
        part.push(deposit);
        bytes += deposit.bytes.byteLength;
      }
      const rid = this.rid++;
      this.asked.set(
        rid,
        part.map(({ id }) => id),
      );
      link.send([{ t: "deposit", rid, bytes: part.map(({ bytes }) => bytes) } as Frameable]);
    }
    this.deposits = [];
    if (this.seqs.length > 0) {
      link.send([{ t: "mail_ack", seqs: this.seqs, bytes: this.accepts } as Frameable]);
      this.seqs = [];
      this.accepts = [];
    }
    if (this.room !== undefined) {
      link.send([{ t: "credit", room: this.room, ...this.introduction } as Frameable]);
      this.room = undefined;
    }
    for (const { asker, messages } of this.answers.values()) this.sendLive(link, asker, messages);
    this.answers.clear();
  }

  /** Tells a relay that forgot everything which envelopes we hold: each with our accept. */
  announce(epoch: string, envelopes: readonly HeldEnvelope[], raw: ReadonlyMap<EnvelopeId, Uint8Array>): void {
    let pairs: Uint8Array[] = [];
    let bytes = 0;
    const send = (last: boolean): void => {
      const rid = this.rid++;
      if (last) this.asked.set(rid, { epoch });
      this.link?.send([{ t: "announce", rid, bytes: pairs } as Frameable]);
      pairs = [];
      bytes = 0;
    };
    for (const held of envelopes) {
      const envelope = raw.get(held.id);
      if (envelope === undefined) continue;
      if (bytes > 0 && bytes + envelope.byteLength > bytesPerMessage) send(false);
      pairs.push(envelope, this.courier.accept(held.header.from, held.id, held.digest));
      bytes += envelope.byteLength;
    }
    send(true);
  }

  private sendLive(link: Link, asker: Asker, messages: readonly Frameable[]): void {
    let part: Frameable[] = [];
    let bytes = 0;
    const send = (): void => {
      if (part.length === 0) return;
      const envelope = this.courier.answer(asker, part);
      link.send([{ t: "live", to: asker.user.id, session: asker.session, bytes: [envelope] } as Frameable]);
      part = [];
      bytes = 0;
    };
    for (const message of messages) {
      const size = message.bytes?.[0]?.byteLength ?? 0;
      if (bytes + size > bytesPerMessage) send();
      part.push(message);
      bytes += size + 200;
    }
    send();
  }

  private mail(mail: Mail): void {
    mail.seqs.forEach((seq, k) => {
      const bytes = mail.bytes[k];
      if (bytes === undefined) return;
      // A view of the frame would keep all of it in memory for as long as one envelope is held.
      const own = mail.seqs.length === 1 ? bytes : bytes.slice();
      this.push(this.courier.mail(seq, own));
    });
  }

  private live(live: Live): void {
    const [bytes] = live.bytes;
    if (bytes === undefined) return;
    let events: EndpointEvent[];
    try {
      events = this.courier.live(live.session, bytes);
    } catch (error) {
      return this.host.log.warn("live.refused", { reason: messageOf(error) });
    }
    for (const event of events) {
      if (event.t === "live" && event.message.t === "ask_log") this.answerLog(event.asker, event.message);
      else this.push(event);
    }
  }

  private answerLog(asker: Asker, ask: AskLog): void {
    const allowed = asker.user.id === this.owner;
    const text = allowed ? this.log(ask.lines) : "Only the owner of the endpoint may read its log\n";
    this.answer(asker, { t: "answer_log", re: ask.rid, text } as Frameable);
    this.flush();
  }

  private stored(stored: Stored): void {
    this.asked.delete(stored.re);
    this.push({ t: "stored", ids: stored.ids, now_ms: this.host.clock.now() });
  }

  private announced({ re }: { re: number }): void {
    const asked = this.asked.get(re);
    if (asked === undefined || Array.isArray(asked)) return;
    this.asked.delete(re);
    this.push({ t: "announced", epoch: asked.epoch });
  }

  /** The relay could not do something: results are offered again later; nothing else needs a reaction. */
  private refused(error: { re?: number; code: string; message: string; retry_after_ms?: number }): void {
    this.host.log.warn("relay.error", { code: error.code, message: error.message });
    // Somebody else acts with our key, and came later: two that answer for the same tasks would only hurt each other.
    if (error.code === "endpoint.fenced") return this.fenced();
    const asked = error.re === undefined ? undefined : this.asked.get(error.re);
    if (error.re !== undefined) this.asked.delete(error.re);
    if (!Array.isArray(asked)) return;
    this.host.clock.after(error.retry_after_ms ?? 5000, () => {
      this.push({ t: "not_stored", ids: asked, now_ms: this.host.clock.now() });
    });
  }
}
