/**
 * News from the relay to users: accepts and results of the task envelopes or the group that they watch, past ones
 * first, in the order of the relay's numbers. A reader that is slow is not sent more than its window; the rest stays in
 * the mailbox and is read from there when the reader says "taken". A part of `state.ts`; pure.
 */
import { GcError } from "../errors.ts";
import { windowBytes } from "../limits.ts";
import type { News, Taken, Watch } from "../schema/relay_message.ts";
import type { Desk, UserSession } from "./desk.ts";
import type { NewsKind, NewsRow, TaskRow } from "./mailbox.ts";

export interface WatchState {
  readonly name: number;
  readonly session: UserSession;
  /** Watched task envelopes and their numbers, as far as they are known here. */
  readonly envelopes: Map<string, number | undefined> | undefined;
  readonly group: string | undefined;
  /** Results up to here are not wanted. */
  readonly after: number;
  /** Everything up to here was sent, or was not wanted. */
  cursor: number;
  /** There is more in the mailbox behind the cursor than was sent. */
  behind: boolean;
  readonly flying: { seq: number; bytes: number }[];
  /** Bytes of results sent and not yet taken. */
  flying_bytes: number;
}

/** Bytes in one news message, and rows read at once. */
const newsBytes = 1024 * 1024;
const pageRows = 256;
/** Each has a window of its own, so that a reader who lets one rest still gets the others. */
const watchesMax = 1000;

export class Watching {
  private readonly desk: Desk;
  private readonly byEnvelope = new Map<string, Set<WatchState>>();
  private readonly byGroup = new Map<string, Set<WatchState>>();

  constructor(desk: Desk) {
    this.desk = desk;
  }

  /** @throws GcError usage `watch.too_many`. */
  watch(session: UserSession, message: Watch): void {
    this.unwatch(session, message.watch);
    if (session.watches.size >= watchesMax) {
      throw new GcError("usage", "watch.too_many", `One connection watches ${watchesMax} things at most`);
    }
    const { mailbox } = this.desk;
    const envelopes = message.group === undefined ? new Map<string, number | undefined>() : undefined;
    for (const id of message.envelopes ?? []) {
      const row = envelopes?.has(id) ? undefined : mailbox.task(id);
      envelopes?.set(id, row?.sender === session.no ? row.seq : undefined);
    }
    const state: WatchState = {
      name: message.watch,
      session,
      envelopes,
      group: message.group,
      after: message.after ?? 0,
      cursor: 0,
      behind: true,
      flying: [],
      flying_bytes: 0,
    };
    session.watches.set(message.watch, state);
    for (const set of this.placesOf(state, true)) set.add(state);
    this.desk.send(session.link, { t: "ok", re: message.rid });
    this.pump(state);
  }

  unwatch(session: UserSession, name: number): void {
    const state = session.watches.get(name);
    if (state === undefined) return;
    session.watches.delete(name);
    this.forget(state);
  }

  disconnect(session: UserSession): void {
    for (const state of session.watches.values()) this.forget(state);
  }

  taken(session: UserSession, message: Taken): void {
    const state = session.watches.get(message.watch);
    if (state === undefined) return;
    this.release(state, message.seq);
    if (state.behind) this.pump(state);
  }

  /** Sends what fits, for all watches of a session. */
  pumpAll(session: UserSession): void {
    for (const state of session.watches.values()) if (state.behind) this.pump(state);
  }

  /** Keeps a piece of news about `row` and sends it to whoever watches. */
  tell(row: TaskRow, kind: NewsKind, id: string, bytes: Uint8Array | undefined): void {
    const seq = this.desk.mailbox.nextSeq();
    this.desk.stage({ kind: "put_news", seq, task: row.seq, group: row.group, news: kind, id, bytes });
    const fresh: NewsRow = { seq, task: row.seq, kind, size: bytes?.byteLength ?? 0 };
    const watchers = [this.byEnvelope.get(row.id), this.byGroup.get(groupKey(row.sender, row.group_id))];
    for (const set of watchers) {
      for (const state of set ?? []) {
        if (state.session.no !== row.sender) continue;
        if (state.envelopes?.has(row.id)) state.envelopes.set(row.id, row.seq);
        if (state.behind) continue;
        if (!this.hasRoom(state, fresh)) {
          state.behind = true;
          continue;
        }
        const page = new Page(this.desk, state);
        page.add(fresh, row.id, bytes);
        page.close();
      }
    }
  }

  /** Sends what is behind the cursor of a watch, as far as its reader keeps up. */
  private pump(state: WatchState): void {
    const page = new Page(this.desk, state);
    state.behind = false;
    while (!state.behind) {
      const { rows, complete } = this.rowsBehind(state);
      for (const row of rows) {
        if (!this.hasRoom(state, row)) {
          state.behind = true;
          break;
        }
        const wanted = isWanted(state, row, this.desk.mailbox.lastSeq());
        const bytes = wanted && row.kind !== "expired" ? this.desk.mailbox.bytes("news", row.seq) : undefined;
        const id = wanted && row.kind === "expired" ? (this.desk.mailbox.taskOf(row.task)?.id ?? "") : "";
        page.add(row, id, bytes);
      }
      if (complete) break;
    }
    page.close();
  }

  private rowsBehind(state: WatchState): { rows: NewsRow[]; complete: boolean } {
    const { mailbox } = this.desk;
    if (state.group !== undefined) {
      const group = mailbox.findGroup(state.session.no, state.group);
      const rows = group === undefined ? [] : mailbox.newsOfGroup(group, state.cursor, pageRows);
      return { rows, complete: rows.length < pageRows };
    }
    // Of each envelope some; where there may be more of one, nothing beyond its last row is certain yet.
    let certain = Number.POSITIVE_INFINITY;
    let rows: NewsRow[] = [];
    for (const task of state.envelopes?.values() ?? []) {
      if (task === undefined) continue;
      const some = mailbox.newsOfTask(task, state.cursor, pageRows);
      rows.push(...some);
      if (some.length === pageRows) certain = Math.min(certain, some.at(-1)?.seq ?? 0);
    }
    if (certain !== Number.POSITIVE_INFINITY) rows = rows.filter((row) => row.seq <= certain);
    rows.sort((a, b) => a.seq - b.seq);
    return { rows, complete: certain === Number.POSITIVE_INFINITY };
  }

  /** Whether the reader may be sent this much more; a session whose socket does not empty is looked at again soon. */
  private hasRoom(state: WatchState, row: NewsRow): boolean {
    const { session } = state;
    if (session.link.buffered() > windowBytes) {
      this.desk.stalled.add(session);
      return false;
    }
    if (row.kind !== "result" || row.seq <= state.after) return true;
    return state.flying_bytes === 0 || state.flying_bytes + row.size <= windowBytes;
  }

  private release(state: WatchState, seq: number): void {
    let count = 0;
    for (const item of state.flying) {
      if (item.seq > seq) break;
      state.flying_bytes -= item.bytes;
      count += 1;
    }
    state.flying.splice(0, count);
  }

  private forget(state: WatchState): void {
    for (const set of this.placesOf(state, false)) set.delete(state);
    for (const id of state.envelopes?.keys() ?? []) if (this.byEnvelope.get(id)?.size === 0) this.byEnvelope.delete(id);
    if (state.group === undefined) return;
    const key = groupKey(state.session.no, state.group);
    if (this.byGroup.get(key)?.size === 0) this.byGroup.delete(key);
  }

  private *placesOf(state: WatchState, make: boolean): Generator<Set<WatchState>> {
    const place = (map: Map<string, Set<WatchState>>, key: string): Set<WatchState> => {
      let set = map.get(key);
      if (set === undefined) {
        set = new Set();
        if (make) map.set(key, set);
      }
      return set;
    };
    for (const id of state.envelopes?.keys() ?? []) yield place(this.byEnvelope, id);
    if (state.group !== undefined) yield place(this.byGroup, groupKey(state.session.no, state.group));
  }
}

/** Gathers news of one watch into messages of bounded size, and moves its cursor. */
class Page {
  private readonly desk: Desk;
  private readonly state: WatchState;
  private news: News & { bytes: Uint8Array[]; expired: string[] };
  private size = 0;
  private results = 0;

  constructor(desk: Desk, state: WatchState) {
    this.desk = desk;
    this.state = state;
    this.news = { t: "news", watch: state.name, seq: 0, bytes: [], expired: [] };
  }

  add(row: NewsRow, id: string, bytes: Uint8Array | undefined): void {
    this.state.cursor = row.seq;
    if (!isWanted(this.state, row, this.desk.mailbox.lastSeq())) return;
    if (row.kind === "expired") this.news.expired.push(id);
    else if (bytes !== undefined) this.news.bytes.push(bytes);
    this.size += row.size;
    if (row.kind === "result") {
      this.news.seq = row.seq;
      this.results += row.size;
      this.state.flying_bytes += row.size;
    }
    if (this.size >= newsBytes) this.close();
  }

  close(): void {
    const { news, state } = this;
    if (news.seq > 0) state.flying.push({ seq: news.seq, bytes: this.results });
    if (news.bytes.length > 0 || news.expired.length > 0) {
      const { expired, ...rest } = news;
      this.desk.send(state.session.link, expired.length > 0 ? news : rest);
    }
    this.news = { t: "news", watch: state.name, seq: 0, bytes: [], expired: [] };
    this.size = this.results = 0;
  }
}

/**
 * Whether a watch wants this. Whoever has taken in a result had every accept before it; a watcher that wants no results
 * at all (`after` beyond every number) still wants the accepts.
 */
function isWanted(state: WatchState, row: NewsRow, last_seq: number): boolean {
  switch (row.kind) {
    case "late":
      return false;
    case "expired":
      return true;
    case "accept":
      return row.seq > state.after || state.after > last_seq;
    case "result":
      return row.seq > state.after;
  }
}

function groupKey(sender: number, group: string): string {
  return `${sender}/${group}`;
}
