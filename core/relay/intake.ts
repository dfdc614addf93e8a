/**
 * What users hand in: task envelopes, receipts and cancels. All of a request is checked before any of it is staged, so
 * a request is stored whole or not at all. A part of `state.ts`; pure.
 */

import { digestOf } from "../envelope/envelope.ts";
import { GcError } from "../errors.ts";
import { receiptedKeep_ms } from "../limits.ts";
import { planted } from "../planted.ts";
import type { CancelHeader, ReceiptHeader, TaskHeader } from "../schema/envelope.ts";
import type { Post, Submit } from "../schema/relay_message.ts";
import type { Delivering, StoredLetter } from "./delivering.ts";
import type { Desk, UserSession } from "./desk.ts";
import { withIndices } from "./index_set.ts";
import type { Principal, TaskRow } from "./mailbox.ts";

interface Fresh {
  header: TaskHeader;
  digest: string;
  bytes: Uint8Array;
}

export class Intake {
  private readonly desk: Desk;
  private readonly delivering: Delivering;

  constructor(desk: Desk, delivering: Delivering) {
    this.desk = desk;
    this.delivering = delivering;
  }

  /**
   * Stores task envelopes.
   * @throws GcError temporary `storage_full`; permission `endpoint.not_allowed`, `envelope.forged`; data
   *   `task.idempotency_conflict`, `envelope.*`; missing `task.expired`. Nothing of the request is stored then.
   */
  submit(session: UserSession, message: Submit): void {
    const fresh = new Map<string, Fresh>();
    const partial: { row: TaskRow; item: Fresh }[] = [];
    const ids: string[] = [];
    let known = 0;
    for (const bytes of message.bytes) {
      const { header } = this.desk.own(session, bytes, "task");
      const item = { header, digest: digestOf(bytes), bytes };
      const twin = fresh.get(header.id);
      const row = this.desk.mailbox.task(header.id);
      if (twin !== undefined ? twin.digest !== item.digest : !isSame(row, item.digest, session.no))
        throw conflict(header.id);
      ids.push(header.id);
      if (row?.state === "gone") throw expired(header.id);
      if (row !== undefined && planted("noIdem")) this.storeAgain(row);
      if (row?.digest === "") partial.push({ row, item });
      if (twin !== undefined || row !== undefined) {
        known += 1;
        continue;
      }
      if (this.desk.storage_full) throw storageFull();
      mayReach(this.desk.mailbox.principal(header.to), header);
      fresh.set(header.id, item);
    }
    for (const { row, item } of partial) this.complete(row, item);
    const offers = [...fresh.values()].map((item) => this.store(session, item));
    this.desk.send(session.link, { t: "submitted", re: message.rid, ids, known });
    for (const offer of offers) offer();
  }

  /**
   * Stores a receipt or a cancel for its endpoint.
   * @throws GcError permission `envelope.forged`, data `envelope.*`.
   */
  post(session: UserSession, message: Post): void {
    const letters = message.bytes.map((bytes) => this.desk.own(session, bytes, "receipt", "cancel"));
    const stored = new Map<string, StoredLetter[]>();
    for (const { header, bytes } of letters) {
      const row = this.desk.mailbox.task(header.re);
      if (row !== undefined && (row.sender !== session.no || row.endpoint_id !== header.to)) {
        throw new GcError("permission", "envelope.forged", `The task envelope ${header.re} is not one of yours there`);
      }
      if (header.kind === "receipt" && row !== undefined && !this.markReceived(row, header)) continue;
      // A cancel of what has ended already would only wake the endpoint for nothing.
      if (header.kind === "cancel" && row !== undefined && isOver(row)) continue;
      const letter = { seq: this.storeLetter(header, bytes), kind: header.kind, bytes };
      const others = stored.get(header.to);
      if (others === undefined) stored.set(header.to, [letter]);
      else others.push(letter);
    }
    this.desk.send(session.link, { t: "ok", re: message.rid });
    for (const [to, some] of stored) this.delivering.offerLetters(to, some);
  }

  private store(session: UserSession, { header, digest, bytes }: Fresh): () => void {
    const { mailbox } = this.desk;
    const { created_ms, expires_ms } = this.lifetime(header);
    const seq = mailbox.nextSeq();
    const rank = -header.priority;
    this.desk.stage({
      kind: "put_task",
      body: bytes,
      task: {
        seq,
        id: header.id,
        sender: session.no,
        endpoint: mailbox.principalNo(header.to, "endpoint"),
        group: mailbox.groupNo(session.no, header.group),
        group_id: header.group,
        count: header.count,
        rank,
        created_ms,
        expires_ms,
        digest,
        state: "queued",
        due_ms: expires_ms,
      },
    });
    return () =>
      this.delivering.offerTask(header.to, { seq, rank, count: header.count, size: bytes.byteLength }, bytes);
  }

  /** A row that was made from results or by an endpoint's word learns what it is. */
  private complete(row: TaskRow, { header, digest }: Fresh): void {
    this.desk.stage({ kind: "know_task", seq: row.seq, count: header.count, digest, ...this.lifetime(header) });
  }

  /** The sender says how long, the relay's clock says from when: a clock that is wrong by a day harms nobody. */
  private lifetime(header: TaskHeader): { created_ms: number; expires_ms: number } {
    const { now_ms } = this.desk.at;
    const life_ms = Math.min(Math.max(header.expires_ms - header.created_ms, 1000), this.desk.limits.time_to_live_ms);
    return { created_ms: now_ms, expires_ms: now_ms + life_ms };
  }

  /** Returns whether the receipt says anything new. */
  private markReceived(row: TaskRow, header: ReceiptHeader): boolean {
    if (row.state === "gone" || (row.count > 0 && row.received >= row.count)) return false;
    const indices = row.count > 0 ? header.indices.filter((index) => index < row.count) : header.indices;
    const { set, fresh } = withIndices(row.received_set, indices);
    if (fresh.length === 0) return false;
    const received = row.received + fresh.length;
    const all = row.count > 0 && received >= row.count;
    const due_ms = all ? this.desk.at.now_ms + receiptedKeep_ms : undefined;
    this.desk.stage({ kind: "mark_received", seq: row.seq, received, set: all ? undefined : set, due_ms });
    return true;
  }

  /** Returns its number. */
  private storeLetter(header: ReceiptHeader | CancelHeader, bytes: Uint8Array): number {
    const { mailbox } = this.desk;
    const seq = mailbox.nextSeq();
    this.desk.stage({
      kind: "put_letter",
      seq,
      endpoint: mailbox.principalNo(header.to, "endpoint"),
      letter: header.kind,
      id: header.id,
      about: header.re,
      due_ms: this.desk.at.now_ms + this.desk.limits.time_to_live_ms,
      bytes,
    });
    return seq;
  }

  /** The planted bug: what was handed on already is queued once more. */
  private storeAgain(row: TaskRow): void {
    this.desk.stage({ kind: "move_task", seq: row.seq, from: row.state, to: "queued", due_ms: row.expires_ms });
  }
}

function isSame(row: TaskRow | undefined, digest: string, sender: number): boolean {
  return row === undefined || (row.sender === sender && (row.digest === digest || row.digest === ""));
}

function isOver(row: TaskRow): boolean {
  return row.state === "gone" || row.state === "expired" || (row.count > 0 && row.done >= row.count);
}

/** @throws GcError `endpoint.not_allowed`, early; the endpoint itself decides in the end. */
function mayReach(endpoint: Principal | undefined, header: TaskHeader): void {
  if (maySee(endpoint, header.from)) return;
  const message = `The endpoint "${endpoint?.name || header.to}" does not let you submit to it`;
  throw new GcError("permission", "endpoint.not_allowed", message, { hint: "gc whoami, and give the id to its owner" });
}

/** Whether, by what the endpoint last said, this user may submit to it. One that never said anything is asked
 * itself. */
export function maySee(endpoint: Principal | undefined, user: string): boolean {
  if (endpoint?.removed_ms !== undefined) return false;
  return endpoint === undefined || endpoint.allow === undefined || endpoint.is_public || endpoint.allow.includes(user);
}

function conflict(id: string): GcError {
  const message = `The relay already has other tasks under the id ${id}; nothing was stored`;
  return new GcError("data", "task.idempotency_conflict", message);
}

function expired(id: string): GcError {
  const message = `The tasks ${id} were dealt with, or given up, so long ago that the relay keeps no more than the id`;
  return new GcError("missing", "task.expired", message, { hint: "gc submit" });
}

function storageFull(): GcError {
  return new GcError("temporary", "storage_full", "The relay takes no new tasks: its disk is nearly full", {
    hint: "gc relay status",
    retry_after_ms: 30_000,
  });
}
