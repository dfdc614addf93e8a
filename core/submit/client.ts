/**
 * A connection of a user to a relay, as commands and the SDK hold it: hand tasks over, watch results come in, cancel,
 * ask, talk to a running task. It acts; what to keep, send and repeat is decided by `state.ts`. Everything outlives the
 * connection: what was handed over is sent when the relay is back, and a watch goes on where it was.
 */
import type { Identity } from "../access/principal.ts";
import { Opener, type Sealer } from "../envelope/sealer.ts";
import { GcError, messageOf } from "../errors.ts";
import type { Host } from "../host/host.ts";
import { runInTurns, soon, type Turns } from "../host/turn.ts";
import type { KeyRecord } from "../schema/envelope.ts";
import type { ParcelHead } from "../schema/outbox.ts";
import type { EndpointRow, Envelopes, List } from "../schema/relay_message.ts";
import type { WireError } from "../schema/session_message.ts";
import type { EnvelopeId, PrincipalId } from "../task/id.ts";
import type { Frameable } from "../wire/codec.ts";
import { fromWireError, type KeptLink, type Link, type LinkEvents } from "../wire/link.ts";
import { type Batch, Composer } from "./composer.ts";
import { Deliveries } from "./deliveries.ts";
import type {
  AskWithoutRid,
  ClientEffect,
  ClientEvent,
  ClientNews,
  ClientRecord,
  LiveAnswer,
  LiveAsk,
  NoAnswer,
  PlainAnswer,
  PlainRequest,
  Watched,
} from "./event.ts";
import { Inbox } from "./inbox.ts";
import { type Heard, Intake } from "./intake.ts";
import type { FromUserLive } from "./live.ts";
import { keepRecords, type ParcelStore } from "./outbox.ts";
import { entryOf } from "./parcel.ts";
import { SubmitState } from "./state.ts";

export interface ClientParts {
  readonly identity: Identity;
  readonly host: Host;
  readonly store: ParcelStore;
  /** Name of the relay, for the outbox. */
  readonly context: string;
  /** Opens the link that comes back (`keepLink` bound to an address and to us). */
  connect(events: LinkEvents): KeptLink;
  /** Of several lives of a process, in a simulation; else new ones are made. */
  readonly keys?: { readonly sealer: Sealer; readonly opener: Opener };
  /** Schedules a turn; `soon` of turn.ts unless a simulation says otherwise. */
  soon?(turn: () => void): void;
}

/** What became of an envelope that was handed over, as far as is known. */
export type Fate = "stored" | "accepted" | "withdrawn" | WireError;

export class Client {
  readonly identity: Identity;
  private readonly host: Host;
  private readonly parts: ClientParts;
  private readonly composer: Composer;
  private readonly intake: Intake;
  private readonly inbox: Inbox;
  private readonly state = new SubmitState();
  private readonly turns: Turns<ClientEvent>;
  private readonly kept: KeptLink;
  /** Signed bytes that were not confirmed yet, so that sending them does not read the file again. */
  private readonly unsent = new Map<EnvelopeId, Uint8Array>();
  private readonly fates = new Map<EnvelopeId, (fate: Fate) => void>();
  private readonly withdrawals = new Map<EnvelopeId, (done: boolean) => void>();
  private readonly watches = new Map<number, Deliveries>();
  private readonly posts = new Map<number, (error: WireError | undefined) => void>();
  private readonly requests = new Map<number, (answer: PlainAnswer | WireError) => void>();
  private readonly asks = new Map<number, (answer: LiveAnswer | NoAnswer) => void>();
  private next = 1;
  private stopAlarm: (() => void) | undefined;
  private broken: unknown;
  private closed = false;
  /** Why there is no link, once an attempt has failed; or what the relay said when it put tasks off. */
  trouble: GcError | undefined;
  /** Told of every link that comes up, every failed attempt and everything put off, and every live message. */
  readonly onUp = new Set<() => void>();
  readonly onTrouble = new Set<(reason: GcError) => void>();
  readonly onLive = new Set<(heard: Heard) => void>();

  constructor(parts: ClientParts) {
    this.parts = parts;
    this.identity = parts.identity;
    this.host = parts.host;
    this.composer = new Composer(parts.identity, parts.host, parts.context, parts.keys?.sealer);
    this.intake = new Intake(parts.identity, parts.keys?.opener ?? new Opener(parts.identity), parts.host.log);
    const part = {
      decide: (event: ClientEvent, out: { records: ClientRecord[]; effects: ClientEffect[] }) =>
        this.state.decide(event, out),
      keep: (records: readonly ClientRecord[]) => keepRecords(parts.store, records),
      perform: (effects: readonly ClientEffect[]) => this.perform(effects),
    };
    this.turns = runInTurns(part, parts.soon ?? soon, (error) => this.fail(error));
    this.inbox = new Inbox(
      this.intake,
      (event) => this.turns.push(event),
      (heard) => {
        for (const told of this.onLive) told(heard);
      },
      this.host,
    );
    this.kept = parts.connect({
      up: (link) => this.linkUp(link),
      messages: (link, messages) => this.inbox.take(link, messages),
      down: () => this.turns.push({ kind: "down" }),
      waiting: (_, reason) => this.inTrouble(reason),
    });
  }

  /** Whether the relay can be talked to now. */
  get up(): boolean {
    return this.kept.link() !== undefined;
  }

  /** Tries to connect now instead of later. */
  retryNow(): void {
    this.kept.retryNow();
  }

  /** Learns an endpoint's key, before `submit`, `ask` and `say`. @throws GcError permission `key.*`: a bad record. */
  prepare(to: KeyRecord): void {
    this.composer.prepare(to);
    this.intake.know(to);
  }

  /** Takes up what earlier processes left in the outbox for this relay; returns what that is. */
  adoptWaiting(): ParcelHead[] {
    return this.parts.store.waiting().map(({ head, epoch }) => {
      this.intake.know(head.endpoint);
      const entry = entryOf(head);
      this.turns.push({ kind: "adopt", entry, ...(epoch === undefined ? {} : { epoch }), now_ms: this.now() });
      return head;
    });
  }

  /** Says where an envelope was sent by an earlier process, so that nobody else's results of it count. */
  know(head: ParcelHead): void {
    this.intake.know(head.endpoint);
    const { id, endpoint, count } = entryOf(head);
    this.turns.push({ kind: "know", id, endpoint, count });
  }

  /**
   * Hands tasks over; `to` must be prepared. When `fate` is first called the tasks are on stable storage at the relay
   * ("stored"), or signed for by the endpoint ("accepted"), or refused. Until then they are in the outbox.
   * @param promised false: nobody is told of these tasks, not even their id, before `promise` is called or their result
   *   is there. Then sending does not wait for our disk, which they reach when the relay has them.
   * @returns the head of the new parcel, which has the id.
   * @throws GcError data `task.too_large` when the batch does not fit into one envelope.
   */
  submit(to: KeyRecord, batch: Batch, fate?: (fate: Fate) => void, promised = true): ParcelHead {
    if (this.broken !== undefined) throw this.broken;
    const parcel = this.composer.parcel(to, batch);
    const id = parcel.head.id as EnvelopeId;
    this.unsent.set(id, parcel.envelope);
    if (fate !== undefined) this.fates.set(id, fate);
    this.turns.push({ kind: "submit", parcel, promised, now_ms: this.now() });
    return parcel.head;
  }

  /** Makes an envelope that was handed over without a promise survive a power cut; when this returns, it does. */
  promise(id: EnvelopeId): void {
    this.turns.push({ kind: "promise", id });
    this.turns.flush();
  }

  /** Takes back what was never sent; false when a relay may have it already, and it has to be cancelled instead. */
  withdraw(id: EnvelopeId): Promise<boolean> {
    return new Promise((resolve) => {
      this.withdrawals.set(id, resolve);
      this.turns.push({ kind: "withdraw", id });
    });
  }

  /**
   * Results of these envelopes or this group as they come in, those that are there already first.
   * @param options.after leaves out results up to this relay sequence number. `open: false`: classes alone are wanted.
   */
  watch(watched: Watched, options: { after?: number; open?: boolean } = {}): Deliveries {
    const watch = this.next++;
    const deliveries = new Deliveries(
      (seq) => this.turns.push({ kind: "taken", watch, seq }),
      () => {
        this.watches.delete(watch);
        this.turns.push({ kind: "unwatch", watch, now_ms: this.now() });
      },
    );
    this.watches.set(watch, deliveries);
    this.inbox.open.set(watch, options.open ?? true);
    const after = options.after === undefined ? {} : { after: options.after };
    this.turns.push({ kind: "watch", watch, watched, ...after, now_ms: this.now() });
    return deliveries;
  }

  /** Says that these results are safe with the person, so that relay and endpoint need not keep them. */
  receipt(id: EnvelopeId, endpoint: PrincipalId, indices: number[]): Promise<void> {
    return this.post((ticket) => ({ kind: "flushed", id, endpoint, indices, ticket, now_ms: this.now() }));
  }

  /** Asks for the end of tasks `indices` of an envelope (none named: all). Resolves once the relay has the wish. */
  cancel(id: EnvelopeId, endpoint: PrincipalId, indices: number[]): Promise<void> {
    return this.post((ticket) => ({ kind: "cancel", id, endpoint, indices, ticket, now_ms: this.now() }));
  }

  /** One page of my task envelopes at the relay. */
  async list(query: Omit<List, "t" | "rid">): Promise<Envelopes> {
    return (await this.request({ t: "list", ...query })) as Envelopes;
  }

  /** Endpoints at the relay that I may see. */
  async endpoints(query: { id?: string; prefix?: string } = {}): Promise<EndpointRow[]> {
    const answer = await this.request({ t: "endpoints_ask", ...query });
    return answer.t === "endpoints" ? answer.rows : [];
  }

  /** Asks a connected endpoint; `to` must be prepared. */
  ask(to: KeyRecord, message: AskWithoutRid, timeout_ms: number): Promise<LiveAnswer | NoAnswer> {
    const rid = this.next++;
    const now_ms = this.now();
    return new Promise((resolve) => {
      this.asks.set(rid, resolve);
      const ask = { ...message, rid } as LiveAsk;
      this.turns.push({ kind: "ask", ask, to: to.id as PrincipalId, deadline_ms: now_ms + timeout_ms, now_ms });
    });
  }

  /** Says something to a connected endpoint, which may get lost; `to` must be prepared. False when there is no link. */
  say(to: KeyRecord, messages: FromUserLive[]): boolean {
    const link = this.kept.link();
    if (link === undefined) return false;
    link.send([this.composer.live(link.session, to, messages)]);
    return true;
  }

  /** Bytes that were handed to the link and that it has not sent yet. */
  buffered(): number {
    return this.kept.link()?.buffered() ?? 0;
  }

  /** Decides what is queued at once instead of in the next turn. */
  flush(): void {
    this.turns.flush();
  }

  close(): void {
    this.closed = true;
    this.stopAlarm?.();
    for (const deliveries of this.watches.values()) deliveries.stop();
    this.kept.stop();
  }

  private post(event: (ticket: number) => ClientEvent): Promise<void> {
    const ticket = this.next++;
    return new Promise((resolve, reject) => {
      this.posts.set(ticket, (error) => (error === undefined ? resolve() : reject(fromWireError(error))));
      this.turns.push(event(ticket));
    });
  }

  private request(message: PlainRequest): Promise<PlainAnswer> {
    const ticket = this.next++;
    return new Promise((resolve, reject) => {
      this.requests.set(ticket, (answer) => (answer.t === "error" ? reject(fromWireError(answer)) : resolve(answer)));
      this.turns.push({ kind: "request", ticket, message, now_ms: this.now() });
    });
  }

  private linkUp(link: Link): void {
    this.trouble = undefined;
    this.turns.push({ kind: "up", epoch: link.epoch, now_ms: this.now() });
    for (const told of this.onUp) told();
  }

  private inTrouble(reason: GcError): void {
    this.trouble = reason;
    for (const told of this.onTrouble) told(reason);
  }

  private perform(effects: readonly ClientEffect[]): void {
    const link = this.kept.link();
    const messages: Frameable[] = [];
    for (const effect of effects) {
      const message = link === undefined ? undefined : this.messageFor(link, effect);
      if (message !== undefined) messages.push(message);
      else this.tell(effect as ClientNews);
    }
    if (messages.length > 0) link?.send(messages);
  }

  /** The message that an effect sends; undefined for what is only told to callers. */
  private messageFor(link: Link, effect: ClientEffect): Frameable | undefined {
    switch (effect.kind) {
      case "send":
        return effect.message as Frameable;
      case "submit": {
        const bytes = effect.ids.map((id) => this.unsent.get(id) ?? this.stored(id));
        if (bytes.every((each) => each !== undefined)) return { t: "submit", rid: effect.rid, bytes } as Frameable;
        const error: WireError = { t: "error", kind: "data", code: "outbox.damaged", message: "Its file is damaged" };
        this.turns.push({ kind: "error", re: effect.rid, error, now_ms: this.now() });
        return undefined;
      }
      case "receipt":
      case "cancel":
        return this.composer.post(effect.rid, effect.kind, effect.id, effect.to, effect.indices);
      case "live": {
        const record = this.intake.record(effect.to);
        return record === undefined ? undefined : this.composer.live(link.session, record, [effect.ask]);
      }
      default:
        return undefined;
    }
  }

  /** The bytes of an envelope from the store; undefined when they are damaged. */
  private stored(id: EnvelopeId): Uint8Array | undefined {
    try {
      return this.parts.store.envelope(id);
    } catch (error) {
      this.host.log.warn("envelope cannot be sent", {
        id,
        why: error instanceof Error ? error.message : String(error),
      });
      return undefined;
    }
  }

  private tell(news: ClientEffect): void {
    switch (news.kind) {
      case "wake":
        return this.setAlarm(news.at_ms);
      case "stored":
      case "accepted":
        this.unsent.delete(news.id);
        return this.settle(news.id, news.kind);
      case "refused":
        this.unsent.delete(news.id);
        return this.settle(news.id, news.error);
      case "put_off":
        return this.inTrouble(fromWireError(news.error));
      case "withdrawn":
        this.withdrawals.get(news.id)?.(news.done);
        this.withdrawals.delete(news.id);
        return news.done ? this.settle(news.id, "withdrawn") : undefined;
      case "results":
        return this.watches.get(news.watch)?.push(news.seq, news);
      case "posted": {
        const told = this.posts.get(news.ticket);
        this.posts.delete(news.ticket);
        return told?.(news.error);
      }
      case "answer": {
        const told = this.requests.get(news.ticket);
        this.requests.delete(news.ticket);
        return told?.(news.answer);
      }
      case "live_answer": {
        const told = this.asks.get(news.rid);
        this.asks.delete(news.rid);
        return told?.(news.answer);
      }
      default:
        // A message for a link that has gone meanwhile: the state sends it again when the next one is up.
        return;
    }
  }

  private settle(id: EnvelopeId, fate: Fate): void {
    const told = this.fates.get(id);
    if (told === undefined) return;
    if (fate !== "stored") this.fates.delete(id);
    told(fate);
  }

  private setAlarm(at_ms: number): void {
    this.stopAlarm?.();
    if (this.closed) return;
    const delay_ms = Math.max(0, at_ms - this.now());
    this.stopAlarm = this.host.clock.after(delay_ms, () => this.turns.push({ kind: "tick", now_ms: this.now() }));
  }

  private fail(error: unknown): void {
    this.broken = error;
    this.close();
    const { kind, code } = error instanceof GcError ? error : { kind: "internal" as const, code: "internal.bug" };
    const wire: WireError = { t: "error", kind, code, message: messageOf(error) };
    for (const told of this.fates.values()) told(wire);
    for (const told of this.posts.values()) told(wire);
    for (const told of this.requests.values()) told(wire);
    for (const told of this.asks.values()) told("timeout");
  }

  private now(): number {
    return this.host.clock.now();
  }
}
