/** Questions of users to the relay, and live envelopes that it hands on without keeping them. A part of `state.ts`;
 * pure. */

import { checkRecord } from "../access/principal.ts";
import { windowBytes } from "../limits.ts";
import type { EndpointRow, EndpointsAsk, EnvelopeRow, List, Live, Undelivered } from "../schema/relay_message.ts";
import type { Desk, EndpointSession, Session, UserSession } from "./desk.ts";
import { maySee } from "./intake.ts";
import type { Mailbox, Principal, TaskRow } from "./mailbox.ts";

const endpointRowsMax = 1000;

export class Asking {
  private readonly desk: Desk;

  constructor(desk: Desk) {
    this.desk = desk;
  }

  list(session: UserSession, message: List): void {
    const { rows, more } = listEnvelopes(this.desk.mailbox, { ...message, sender: session.no });
    this.desk.send(session.link, { t: "envelopes", re: message.rid, rows, more });
  }

  endpoints(session: UserSession, message: EndpointsAsk): void {
    const rows = listEndpoints(this.desk, message, session.link.peer.id);
    this.desk.send(session.link, { t: "endpoints", re: message.rid, rows });
  }

  /**
   * Hands a live envelope on.
   * @throws GcError permission `envelope.forged`, data `envelope.*`.
   */
  live(session: Session, message: Live): void {
    const { peer } = session.link;
    const { header } = this.desk.own(session, message.bytes[0] ?? new Uint8Array(), "live");
    const { to } = header;
    const fail = (why: Undelivered["why"]): void =>
      this.desk.send(session.link, { t: "undelivered", to: message.to, session: message.session, why });
    if (to !== message.to || header.session !== message.session) return fail("forbidden");
    let target: Session | undefined;
    if (session.role === "user") {
      if (message.session !== session.link.session) return fail("forbidden");
      if (!maySee(this.desk.mailbox.principal(to), peer.id)) return fail("forbidden");
      target = this.desk.endpoints.get(to);
    } else {
      const user = this.desk.sessions.get(message.session);
      target = user?.role === "user" && user.link.peer.id === to ? user : undefined;
    }
    if (target === undefined) return fail("offline");
    if (target.link.buffered() > windowBytes) return fail("slow");
    this.desk.send(target.link, { t: "live", to, session: message.session, bytes: message.bytes.slice(0, 1) });
  }
}

/** Task envelopes as people are shown them. */
export function listEnvelopes(
  mailbox: Mailbox,
  ask: Pick<List, "limit" | "before" | "prefix" | "group" | "envelopes" | "unfinished"> & { sender?: number },
): { rows: EnvelopeRow[]; more: boolean } {
  const found = mailbox.list({
    limit: ask.limit + 1,
    ...(ask.sender === undefined ? {} : { sender: ask.sender }),
    ...(ask.before === undefined ? {} : { before: ask.before }),
    ...(ask.prefix === undefined ? {} : { prefix: ask.prefix }),
    ...(ask.group === undefined ? {} : { group: ask.group }),
    ...(ask.envelopes === undefined ? {} : { ids: ask.envelopes }),
    ...(ask.unfinished === undefined ? {} : { unfinished: ask.unfinished }),
  });
  return { rows: found.slice(0, ask.limit).map(envelopeRow), more: found.length > ask.limit };
}

/** Endpoints as people are shown them: those that let `user` submit, or all. */
export function listEndpoints(
  desk: Pick<Desk, "mailbox" | "endpoints" | "at">,
  ask: Pick<EndpointsAsk, "id" | "prefix">,
  user: string | undefined,
): EndpointRow[] {
  const { mailbox } = desk;
  const one = ask.id === undefined ? undefined : mailbox.principal(ask.id);
  const all = ask.id === undefined ? mailbox.principals("endpoint") : one === undefined ? [] : [one];
  const rows: EndpointRow[] = [];
  for (const principal of all) {
    if (principal.kind !== "endpoint" || principal.removed_ms !== undefined || principal.record === undefined) continue;
    if (ask.prefix !== undefined && !matches(principal, ask.prefix)) continue;
    if (user !== undefined && !maySee(principal, user)) continue;
    if (rows.length === endpointRowsMax) break;
    rows.push(endpointRow(desk, principal, desk.endpoints.get(principal.id)));
  }
  return rows;
}

function endpointRow(
  desk: Pick<Desk, "mailbox" | "at">,
  principal: Principal,
  session: EndpointSession | undefined,
): EndpointRow {
  return {
    record: checkRecord(JSON.parse(principal.record ?? "null")),
    name: principal.name,
    online: session !== undefined,
    seen_ms: session === undefined ? principal.seen_ms : desk.at.now_ms,
    queued: desk.mailbox.queuedCount(principal.no),
    ...(session?.status === undefined ? {} : { status: session.status }),
  };
}

function matches(principal: Principal, prefix: string): boolean {
  return principal.id.startsWith(prefix.toLowerCase()) || principal.name.startsWith(prefix);
}

function envelopeRow(row: TaskRow): EnvelopeRow {
  return {
    seq: row.seq,
    id: row.id,
    endpoint: row.endpoint_id,
    group: row.group_id,
    count: row.count,
    created_ms: row.created_ms,
    expires_ms: row.expires_ms,
    state: row.state === "gone" ? "expired" : row.state,
    done: row.done,
    classes: row.classes as EnvelopeRow["classes"],
  };
}
