/**
 * What a relay keeps, as an interface: principals, task envelopes, letters (receipts and cancels on their way to an
 * endpoint) and news (accepts and results on their way back). One row per task *envelope*, none per task, so that
 * 10,000 tasks cost as much as one. `sqlite_mailbox.ts` is the store of one process; other stores pass the same tests
 * (`test/relay/mailbox_conformance.ts`).
 *
 * Changes are staged in a transaction that the first of a turn opens; reads see what is staged; `commit` makes it
 * durable and `rollback` undoes it. Everything has a sequence number of the relay, which never goes back, not even by a
 * restart.
 */
import type { ResultClass } from "../schema/envelope.ts";

/** Who is known here. `no` is a small number for the id, used in all other rows. */
export interface Principal {
  readonly no: number;
  readonly id: string;
  readonly kind: "user" | "endpoint";
  /** JSON of the key record; undefined for one that was only ever heard of. */
  readonly record: string | undefined;
  readonly name: string;
  readonly enrolled_ms: number | undefined;
  readonly removed_ms: number | undefined;
  readonly seen_ms: number;
  /** What the endpoint said of whom it lets submit; undefined when it never said. A hint, never the authority. */
  readonly allow: readonly string[] | undefined;
  readonly is_public: boolean;
}

/** `queued`: no endpoint has it. `held`: its endpoint signed for it. `gone`: only the id is remembered. */
export type TaskState = "queued" | "held" | "expired" | "gone";

/** Every legal change of state (reliability-security.md §3.3); anything else is a broken invariant. */
export const taskTransitions: { readonly [from in TaskState]: readonly TaskState[] } = {
  queued: ["held", "expired"],
  // A signed accept that comes late is the truth; "expired" was only the relay's guess.
  expired: ["held", "gone"],
  held: ["gone"],
  gone: [],
};

/** One task envelope. */
export interface TaskRow {
  readonly seq: number;
  readonly id: string;
  readonly sender: number;
  readonly endpoint: number;
  readonly endpoint_id: string;
  readonly group: number;
  readonly group_id: string;
  /** 0 while only results of it are known (a relay that lost its store). */
  readonly count: number;
  readonly rank: number;
  readonly created_ms: number;
  /** By the clock of the relay. */
  readonly expires_ms: number;
  /** sha256 of the signed bytes, hexadecimal; empty while only results of it are known. */
  readonly digest: string;
  readonly state: TaskState;
  /** Tasks with a result here, and with a receipt. */
  readonly done: number;
  readonly received: number;
  /** Which tasks those are (index_set.ts); undefined for none, and for all. */
  readonly done_set: Uint8Array | undefined;
  readonly received_set: Uint8Array | undefined;
  readonly classes: { readonly [C in ResultClass]?: number };
  /** Results that came after another one for the same tasks; kept as evidence, never shown. */
  readonly late: number;
  /** When retention looks at it next. */
  readonly due_ms: number;
}

/** A task envelope in the queue of an endpoint. */
export interface QueuedTask {
  readonly seq: number;
  /** Minus priority: lowest first. */
  readonly rank: number;
  readonly count: number;
  readonly size: number;
}

/** A receipt or cancel on its way to an endpoint. */
export interface Letter {
  readonly seq: number;
  readonly kind: "receipt" | "cancel";
  /** The task envelope it is about. */
  readonly about: string;
  readonly size: number;
}

export type NewsKind = "accept" | "result" | "expired" | "late";

/** Something that a watcher is told. */
export interface NewsRow {
  readonly seq: number;
  readonly task: number;
  readonly kind: NewsKind;
  readonly size: number;
}

/** Which task envelopes of `sender` are wanted, newest first. */
export interface ListQuery {
  readonly sender?: number;
  readonly limit: number;
  readonly before?: number;
  readonly prefix?: string;
  readonly group?: string;
  readonly ids?: readonly string[];
  readonly unfinished?: boolean;
}

/** An invite as the relay remembers it: its secret only as a hash. */
export interface InviteRow {
  readonly id: string;
  readonly secret_hash: string;
  readonly role: "user" | "endpoint";
  readonly name: string | undefined;
  readonly uses: number;
  readonly expires_ms: number;
}

/** Where bytes of envelopes lie. */
export type Place = "tasks" | "news" | "letters";

/** What can be staged. Sequence numbers come from `nextSeq`. */
export type Change =
  | { kind: "enrol"; no: number; record: string; name: string; at_ms: number }
  | { kind: "remove"; no: number; at_ms: number }
  | { kind: "seen"; no: number; at_ms: number }
  | { kind: "hint"; no: number; name: string; allow: readonly string[] | undefined; is_public: boolean }
  | { kind: "put_invite"; invite: InviteRow }
  | { kind: "use_invite"; id: string }
  | { kind: "put_task"; task: NewTask; body: Uint8Array | undefined }
  /** Fills in what a row made from results alone does not know. */
  | { kind: "know_task"; seq: number; count: number; digest: string; created_ms: number; expires_ms: number }
  /** Here and below: without `due_ms` it stays due when it was. */
  | { kind: "move_task"; seq: number; from: TaskState; to: TaskState; due_ms?: number }
  /** With `due_ms` when it is complete by it. */
  | {
      kind: "mark_done";
      seq: number;
      done: number;
      set: Uint8Array | undefined;
      classes: TaskRow["classes"];
      due_ms: number | undefined;
    }
  | { kind: "mark_received"; seq: number; received: number; set: Uint8Array | undefined; due_ms: number | undefined }
  | { kind: "postpone"; seq: number; due_ms: number }
  | {
      kind: "put_news";
      seq: number;
      task: number;
      group: number;
      news: NewsKind;
      id: string;
      bytes: Uint8Array | undefined;
    }
  | {
      kind: "put_letter";
      seq: number;
      endpoint: number;
      letter: Letter["kind"];
      id: string;
      about: string;
      due_ms: number;
      bytes: Uint8Array;
    }
  | { kind: "drop_letter"; seq: number }
  /** Takes a row out for good; its id is free again. Only for rows that are `gone` for long enough. */
  | { kind: "forget_task"; seq: number };

export interface NewTask {
  readonly seq: number;
  readonly id: string;
  readonly sender: number;
  readonly endpoint: number;
  readonly group: number;
  readonly group_id: string;
  readonly count: number;
  readonly rank: number;
  readonly created_ms: number;
  readonly expires_ms: number;
  readonly digest: string;
  readonly state: TaskState;
  readonly due_ms: number;
}

/** How much is kept. `tasks` counts ids that are only remembered, too. */
export interface MailboxCounts {
  readonly tasks: number;
  readonly queued: number;
  readonly news: number;
  readonly letters: number;
}

export interface Mailbox {
  /** Changes when the store was lost or restored. */
  readonly epoch: string;

  /** The next number of the relay; never given twice, also after a crash. */
  nextSeq(): number;
  /** The number that was given last. */
  lastSeq(): number;
  /** The number of this principal, and a row for it if there is none. Stages. */
  principalNo(id: string, kind: Principal["kind"]): number;
  /** The number of a user's group; a new one if nothing of it is kept. Stages. */
  groupNo(sender: number, id: string): number;
  stage(change: Change): void;
  /** Makes what is staged durable: returns once a power cut could not undo it. */
  commit(): void;
  /** Forgets what is staged. */
  rollback(): void;

  principal(id: string): Principal | undefined;
  /** The number of this principal, if it was ever heard of. */
  findPrincipal(id: string): number | undefined;
  /** Enrolled principals of a kind, by number; those that were removed as well. */
  principals(kind: Principal["kind"]): Principal[];
  invite(id: string): InviteRow | undefined;
  task(id: string): TaskRow | undefined;
  taskOf(seq: number): TaskRow | undefined;
  /** The group's number, if this user has such a group. */
  findGroup(sender: number, id: string): number | undefined;
  list(query: ListQuery): TaskRow[];
  /** The queue of an endpoint in its order, from behind `after` on. */
  queue(endpoint: number, after: { rank: number; seq: number } | undefined, limit: number): QueuedTask[];
  queuedCount(endpoint: number): number;
  letters(endpoint: number, after_seq: number, limit: number): Letter[];
  newsOfGroup(group: number, after_seq: number, limit: number): NewsRow[];
  newsOfTask(task: number, after_seq: number, limit: number): NewsRow[];
  /** Whether news of this id is there for the task. */
  hasNews(task: number, id: string): boolean;
  /** The bytes that were put under this number, as long as they are kept. */
  bytes(of: Place, seq: number): Uint8Array | undefined;
  /** When `due` has something next, or undefined when nothing is kept. */
  nextDue(): number | undefined;
  /** Rows whose time has come, oldest first. */
  due(now_ms: number, limit: number): { tasks: TaskRow[]; letters: number[] };
  counts(): MailboxCounts;
  close(): void;
}
