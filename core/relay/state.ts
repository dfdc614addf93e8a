/**
 * Decides for a relay. Envelopes come in from one side, are kept, and are offered to the other until it says, item by
 * item, that it has them; the relay reads their headers and nothing else.
 *
 *     user ──submit──► [mailbox] ──mail──► endpoint            intake.ts · delivering.ts
 *     user ◄──news──── [mailbox] ◄─deposit─ endpoint           watching.ts · depositing.ts
 *     user ◄──────────── live ────────────► endpoint           asking.ts (handed on, never kept)
 *
 * Nothing here acts or reads a clock: `server.ts` does, and so does the simulation, with the same class. All that is in
 * memory can be told again by mailbox and links, so after an error the links are closed and a new RelayState begins.
 */
import { unreachable } from "../assert.ts";
import { GcError } from "../errors.ts";
import type { Part } from "../host/turn.ts";
import { crashPoint, planted } from "../planted.ts";
import type { FromEndpoint, FromUser } from "../schema/relay_message.ts";
import { parse, type SchemaName } from "../schema/validate.ts";
import type { Frameable } from "../wire/codec.ts";
import { type Link, unknownMessage } from "../wire/link.ts";
import { Asking } from "./asking.ts";
import { Delivering } from "./delivering.ts";
import { Depositing } from "./depositing.ts";
import { Desk, type EndpointSession, type Session, type UserSession } from "./desk.ts";
import type { Moment, Out, RelayEffect, RelayEvent } from "./event.ts";
import { Intake } from "./intake.ts";
import type { RelayLimits } from "./limits.ts";
import type { Change, Mailbox } from "./mailbox.ts";
import { RateBook } from "./rate.ts";
import { Retaining } from "./retaining.ts";
import { Watching } from "./watching.ts";

/** `seen` is written at most so often for one principal, besides when it leaves. */
const seenEvery_ms = 3_600_000;
/** A session whose socket did not empty is looked at again after this time. */
const stalledEvery_ms = 50;

/** Schemas of what users and endpoints may say. */
const fromUser: { readonly [t in FromUser["t"]]: SchemaName } = {
  submit: "submit",
  post: "post",
  watch: "watch",
  unwatch: "unwatch",
  taken: "taken",
  list: "list",
  endpoints_ask: "endpoints_ask",
  live: "live",
};
const fromEndpoint: { readonly [t in FromEndpoint["t"]]: SchemaName } = {
  credit: "credit",
  mail_ack: "mail_ack",
  deposit: "deposit",
  announce: "announce",
  live: "live",
};
/** What does not count as a request of a person: it answers the relay, or goes on to an endpoint. */
const uncounted: ReadonlySet<string> = new Set(["taken", "unwatch", "live"]);

export class RelayState implements Pick<Part<RelayEvent, Change, RelayEffect>, "decide" | "keep"> {
  readonly desk: Desk;
  private readonly rates: RateBook;
  private readonly delivering: Delivering;
  private readonly watching: Watching;
  private readonly intake: Intake;
  private readonly depositing: Depositing;
  private readonly asking: Asking;
  private readonly retaining: Retaining;

  constructor(mailbox: Mailbox, limits: RelayLimits) {
    this.desk = new Desk(mailbox, limits);
    this.rates = new RateBook(limits.request_burst, limits.requests_per_10_s);
    this.delivering = new Delivering(this.desk);
    this.watching = new Watching(this.desk);
    this.intake = new Intake(this.desk, this.delivering);
    this.depositing = new Depositing(this.desk, this.delivering, this.watching);
    this.asking = new Asking(this.desk);
    this.retaining = new Retaining(this.desk, this.delivering, this.watching);
  }

  decide(event: RelayEvent, out: Out): void {
    this.desk.turnTo(event.at, out);
    switch (event.kind) {
      case "up":
        return this.up(event.link);
      case "messages":
        return this.messages(event.link, event.messages);
      case "down":
        return this.down(event.link);
      case "tick":
        this.retaining.tick();
        this.desk.due_ms = undefined;
        this.delivering.tick();
        return this.unstall();
      case "space":
        this.desk.storage_full = event.free_bytes < this.desk.limits.free_bytes_min;
        return;
      case "removed":
        for (const { link } of this.desk.sessions.values()) {
          if (link.peer.id === event.id) out.effects.push({ kind: "close", link, reason: "removed from this relay" });
        }
        return;
      default:
        return unreachable(event);
    }
  }

  /** Makes the turn durable. Effects go out after it. */
  keep(records: readonly Change[]): void {
    const stored = records.some((record) => record.kind === "put_task");
    const results = records.some((record) => record.kind === "put_news" && record.news === "result");
    const receipts = records.some((record) => record.kind === "mark_received");
    if (stored) crashPoint("relay.before_submit");
    if (results) crashPoint("relay.before_result");
    if (receipts) crashPoint("relay.before_receipt");
    if (stored && planted("relayAckBeforeFsync")) return;
    if (results && planted("relayResultAckBeforeFsync")) return;
    this.desk.mailbox.commit();
    if (stored) crashPoint("relay.after_submit");
    if (results) crashPoint("relay.after_result");
    if (receipts) crashPoint("relay.after_receipt");
  }

  /** How long until a tick is needed, in milliseconds; undefined: not before something else happens. */
  nextTick(at: Moment): number | undefined {
    // Asked after every turn, so the mailbox is asked only once until something was due.
    this.desk.due_ms ??= this.desk.mailbox.nextDue() ?? Number.POSITIVE_INFINITY;
    let next = this.desk.due_ms - at.now_ms;
    const again = this.delivering.nextTick();
    if (again !== undefined) next = Math.min(next, again - at.mono_ms);
    if (this.desk.stalled.size > 0) next = Math.min(next, stalledEvery_ms);
    return next === Number.POSITIVE_INFINITY ? undefined : Math.max(0, next);
  }

  private up(link: Link): void {
    const { peer } = link;
    const { mailbox, at, sessions } = this.desk;
    if (peer.role !== "user" && peer.role !== "endpoint") return;
    const no = mailbox.principalNo(peer.id, peer.role);
    const known = mailbox.principal(peer.id);
    if (known === undefined || Math.abs(at.now_ms - known.seen_ms) > seenEvery_ms) {
      this.desk.stage({ kind: "seen", no, at_ms: at.now_ms });
    }
    if (peer.role === "user") {
      sessions.set(link.session, { role: "user", link, no, watches: new Map() });
      return;
    }
    const session: EndpointSession = {
      role: "endpoint",
      link,
      no,
      room: 0,
      flying: new Map(),
      flying_tasks: 0,
      flying_bytes: 0,
      cursor: undefined,
      letter_cursor: 0,
      // What waited for it is sent with its first credit.
      behind: true,
      status: undefined,
    };
    sessions.set(link.session, session);
    this.delivering.connect(session);
  }

  private down(link: Link): void {
    const session = this.desk.sessions.get(link.session);
    if (session === undefined) return;
    this.desk.sessions.delete(link.session);
    this.desk.stalled.delete(session);
    if (session.role === "user") return this.watching.disconnect(session);
    this.delivering.disconnect(session);
    this.desk.stage({ kind: "seen", no: session.no, at_ms: this.desk.at.now_ms });
  }

  private messages(link: Link, messages: readonly Frameable[]): void {
    const session = this.desk.sessions.get(link.session);
    if (session === undefined) return;
    for (const message of messages) {
      try {
        if (session.role === "user") this.ofUser(session, message);
        else this.ofEndpoint(session, message);
      } catch (error) {
        if (!(error instanceof GcError)) throw error;
        this.desk.refuse(link, error, ridOf(message));
      }
    }
    if (this.desk.stalled.has(session)) this.unstall();
  }

  private ofUser(session: UserSession, raw: Frameable): void {
    const schema = Object.hasOwn(fromUser, raw.t) ? fromUser[raw.t as FromUser["t"]] : undefined;
    if (schema === undefined) return this.unknown(session, raw);
    const message = parse(schema, raw, `message "${raw.t}"`) as unknown as FromUser;
    if (!session.link.peer.local && !uncounted.has(message.t)) this.countRequest(session);
    switch (message.t) {
      case "submit":
        return this.intake.submit(session, message);
      case "post":
        return this.intake.post(session, message);
      case "watch":
        return this.watching.watch(session, message);
      case "unwatch":
        this.watching.unwatch(session, message.watch);
        return this.desk.send(session.link, { t: "ok", re: message.rid });
      case "taken":
        return this.watching.taken(session, message);
      case "list":
        return this.asking.list(session, message);
      case "endpoints_ask":
        return this.asking.endpoints(session, message);
      case "live":
        return this.asking.live(session, message);
      default:
        return unreachable(message);
    }
  }

  private ofEndpoint(session: EndpointSession, raw: Frameable): void {
    const schema = Object.hasOwn(fromEndpoint, raw.t) ? fromEndpoint[raw.t as FromEndpoint["t"]] : undefined;
    if (schema === undefined) return this.unknown(session, raw);
    const message = parse(schema, raw, `message "${raw.t}"`) as unknown as FromEndpoint;
    switch (message.t) {
      case "credit":
        return this.delivering.credit(session, message);
      case "mail_ack":
        return this.depositing.mailAck(session, message);
      case "deposit":
        return this.depositing.deposit(session, message);
      case "announce":
        return this.depositing.announce(session, message);
      case "live":
        return this.asking.live(session, message);
      default:
        return unreachable(message);
    }
  }

  /** An error message is never answered, lest two sides complain to each other for ever. */
  private unknown(session: Session, message: Frameable): void {
    if (message.t === "error") return;
    this.desk.perform({ kind: "send", link: session.link, message: unknownMessage(message) });
  }

  /** @throws GcError temporary `relay.rate_limited`. */
  private countRequest(session: UserSession): void {
    const wait_ms = this.rates.take(session.link.peer.id, this.desk.at.mono_ms);
    if (wait_ms === 0) return;
    const { requests_per_10_s } = this.desk.limits;
    const message = `More than ${requests_per_10_s} requests in 10 seconds; this one was not looked at`;
    throw new GcError("temporary", "relay.rate_limited", message, { retry_after_ms: wait_ms });
  }

  private unstall(): void {
    const stalled = [...this.desk.stalled];
    this.desk.stalled.clear();
    for (const session of stalled) if (session.role === "user") this.watching.pumpAll(session);
  }
}

function ridOf(message: Frameable): number | undefined {
  const rid = (message as { rid?: unknown }).rid;
  return typeof rid === "number" && Number.isSafeInteger(rid) && rid >= 0 ? rid : undefined;
}
