/**
 * What all parts of the relay's decisions share: the mailbox, who is connected, the moment, and where records and
 * effects of the turn go. Holds nothing that the mailbox or a link could not tell again.
 */

import { type Envelope, readEnvelope } from "../envelope/envelope.ts";
import { GcError } from "../errors.ts";
import type { Header } from "../schema/envelope.ts";
import type { ToEndpoint, ToUser } from "../schema/relay_message.ts";
import type { Link } from "../wire/link.ts";
import { toWireError } from "../wire/link.ts";
import type { Moment, Out, RelayEffect } from "./event.ts";
import type { RelayLimits } from "./limits.ts";
import type { Change, Mailbox } from "./mailbox.ts";
import type { WatchState } from "./watching.ts";

/** A connected user: one process of a person. */
export interface UserSession {
  readonly role: "user";
  readonly link: Link;
  readonly no: number;
  readonly watches: Map<number, WatchState>;
}

/** A connected endpoint. */
export interface EndpointSession {
  readonly role: "endpoint";
  readonly link: Link;
  readonly no: number;
  /** Tasks that it has room for, beyond those in mail it has not acknowledged. */
  room: number;
  /** Mail that was sent and not acknowledged, by number. */
  readonly flying: Map<number, Flying>;
  flying_tasks: number;
  flying_bytes: number;
  /** Everything up to here in the queue was sent in this session; undefined: begin at its head. */
  cursor: { rank: number; seq: number } | undefined;
  letter_cursor: number;
  /** There is mail in the mailbox that did not fit the window. */
  behind: boolean;
  status: { [key: string]: unknown } | undefined;
}

export interface Flying {
  readonly is_task: boolean;
  readonly tasks: number;
  readonly bytes: number;
  readonly rank: number;
  readonly sent_mono_ms: number;
}

export type Session = UserSession | EndpointSession;

/** The mailbox broke under a change: the whole turn is void. */
export class StoreFailed extends Error {
  override name = "StoreFailed";
}

export class Desk {
  readonly mailbox: Mailbox;
  readonly limits: RelayLimits;
  /** By session name. */
  readonly sessions = new Map<string, Session>();
  /** The newest session of each endpoint, by its principal id. */
  readonly endpoints = new Map<string, EndpointSession>();
  /** Sessions whose socket does not empty fast enough; looked at again soon. */
  readonly stalled = new Set<Session>();
  at: Moment = { now_ms: 0, mono_ms: 0 };
  storage_full = false;
  /** Nothing in the mailbox is due before this, wall clock; undefined: the mailbox is to be asked. */
  due_ms: number | undefined;
  private out: Out = { records: [], effects: [] };

  constructor(mailbox: Mailbox, limits: RelayLimits) {
    this.mailbox = mailbox;
    this.limits = limits;
  }

  /** To be called before each event. */
  turnTo(at: Moment, out: Out): void {
    this.at = at;
    this.out = out;
  }

  stage(change: Change): void {
    try {
      this.mailbox.stage(change);
    } catch (cause) {
      throw new StoreFailed(`Cannot keep ${change.kind}`, { cause });
    }
    this.out.records.push(change);
    const due_ms = change.kind === "put_task" ? change.task.due_ms : "due_ms" in change ? change.due_ms : undefined;
    if (this.due_ms !== undefined && due_ms !== undefined && due_ms < this.due_ms) this.due_ms = due_ms;
  }

  send(link: Link, message: ToUser | ToEndpoint): void {
    this.out.effects.push({ kind: "send", link, message });
  }

  refuse(link: Link, error: GcError, re?: number): void {
    this.out.effects.push({ kind: "send", link, message: toWireError(error, re) });
  }

  perform(effect: RelayEffect): void {
    this.out.effects.push(effect);
  }

  /**
   * Reads an envelope that `session` sent and sees to it that it is its own and of one of these kinds.
   * @throws GcError data `envelope.*`, permission `envelope.forged`.
   */
  own<K extends Header["kind"]>(
    session: Session,
    bytes: Uint8Array,
    ...kinds: K[]
  ): Envelope<Extract<Header, { kind: K }>> {
    const envelope = readEnvelope(bytes);
    const { header } = envelope;
    if (!(kinds as string[]).includes(header.kind)) {
      throw new GcError("data", "envelope.kind", `An envelope of kind "${header.kind}" does not belong here`);
    }
    if (header.from !== session.link.peer.id) {
      const message = `The envelope ${header.id} is from ${header.from}, but ${session.link.peer.id} sent it`;
      throw new GcError("permission", "envelope.forged", message);
    }
    return envelope as Envelope<Extract<Header, { kind: K }>>;
  }
}
