/**
 * What is read from `relay.db`, by prepared statements that are kept. Reads see what is staged, because they go through
 * the connection that stages. Changes nothing.
 */
import type { Database, Statement } from "bun:sqlite";
import { formatUuid } from "../task/id.ts";
import type { BodyFiles } from "./body_files.ts";
import type {
  InviteRow,
  Letter,
  ListQuery,
  MailboxCounts,
  NewsRow,
  Place,
  Principal,
  QueuedTask,
  TaskRow,
} from "./mailbox.ts";
import {
  idBytes,
  idRange,
  principalKinds,
  readLetter,
  readNews,
  readPrincipal,
  readTask,
  type SqlLetter,
  type SqlNews,
  type SqlPrincipal,
  type SqlTask,
  taskColumns,
} from "./sqlite_rows.ts";

/** Principals remembered at most. */
const principalsKnown = 10_000;
const places: readonly Place[] = ["tasks", "news", "letters"];

export type Value = string | number | null | Uint8Array;

export class SqliteReader {
  protected readonly db: Database;
  protected readonly files: BodyFiles | undefined;
  /** Numbers of groups that were looked up. */
  protected readonly groups = new Map<string, number>();
  /** Lengths of queues that were counted once and kept up to date since. */
  protected readonly queued = new Map<number, number>();
  private readonly known = new Map<string, Principal>();
  private readonly ids = new Map<number, string>();
  private readonly statements = new Map<string, Statement>();

  constructor(db: Database, files: BodyFiles | undefined) {
    this.db = db;
    this.files = files;
  }

  principal(id: string): Principal | undefined {
    const known = this.known.get(id);
    if (known !== undefined) return known;
    const row = this.sql<SqlPrincipal>("SELECT * FROM principals WHERE id = ?").get(idBytes(id));
    if (row === null) return undefined;
    const principal = readPrincipal(row);
    if (this.known.size > principalsKnown) this.known.clear();
    this.known.set(id, principal);
    return principal;
  }

  findPrincipal(id: string): number | undefined {
    return this.principal(id)?.no;
  }

  principals(kind: Principal["kind"]): Principal[] {
    const sql = "SELECT * FROM principals WHERE kind = ? AND enrolled_ms IS NOT NULL ORDER BY no";
    return this.sql<SqlPrincipal>(sql).all(principalKinds.indexOf(kind)).map(readPrincipal);
  }

  invite(id: string): InviteRow | undefined {
    const row = this.sql<Omit<InviteRow, "name"> & { name: string | null }>("SELECT * FROM invites WHERE id = ?").get(
      id,
    );
    return row === null ? undefined : { ...row, name: row.name ?? undefined };
  }

  task(id: string): TaskRow | undefined {
    const row = this.sql<SqlTask>(`${taskColumns} WHERE id = ?`).get(idBytes(id));
    return row === null ? undefined : this.taskFrom(row);
  }

  taskOf(seq: number): TaskRow | undefined {
    const row = this.sql<SqlTask>(`${taskColumns} WHERE seq = ?`).get(seq);
    return row === null ? undefined : this.taskFrom(row);
  }

  findGroup(sender: number, id: string): number | undefined {
    const sql = "SELECT grp FROM tasks WHERE group_id = ? AND sender = ? LIMIT 1";
    return this.sql<{ grp: number }>(sql).get(idBytes(id), sender)?.grp;
  }

  list(query: ListQuery): TaskRow[] {
    const some = query.prefix !== undefined || query.group !== undefined || query.ids !== undefined;
    if (query.sender === undefined || some) return this.listWhere(query, []);
    // One walk of the index for what is open, one for what is closed.
    const open = this.listWhere(query, ["closed = 0"]);
    if (query.unfinished) return open;
    const all = [...open, ...this.listWhere(query, ["closed = 1"])];
    return all.sort((a, b) => b.seq - a.seq).slice(0, query.limit);
  }

  private listWhere(query: ListQuery, where: string[]): TaskRow[] {
    const values: Value[] = [];
    const also = (sql: string, ...more: Value[]): void => {
      where.push(sql);
      values.push(...more);
    };
    also("state < 3");
    // The plus sign keeps SQLite from reading all that the sender has when there is a better index.
    const narrow = query.prefix !== undefined || query.ids !== undefined;
    if (query.sender !== undefined) also(narrow ? "+sender = ?" : "sender = ?", query.sender);
    if (query.before !== undefined) also("seq < ?", query.before);
    if (query.prefix !== undefined) also("id BETWEEN ? AND ?", ...idRange(query.prefix));
    if (query.group !== undefined) also("group_id = ?", idBytes(query.group));
    if (query.ids !== undefined) {
      const ids = query.ids.map((id) => id.replaceAll("-", ""));
      also("id IN (SELECT unhex(value) FROM json_each(?))", JSON.stringify(ids));
    }
    if (query.unfinished) also("closed = 0");
    const sql = `${taskColumns} WHERE ${where.join(" AND ")} ORDER BY seq DESC LIMIT ?`;
    return this.sql<SqlTask>(sql)
      .all(...values, query.limit)
      .map((row) => this.taskFrom(row));
  }

  queue(endpoint: number, after: { rank: number; seq: number } | undefined, limit: number): QueuedTask[] {
    const select = "SELECT seq, rank, count, size FROM tasks WHERE endpoint = ? AND state = 0";
    if (after === undefined) {
      return this.sql<QueuedTask>(`${select} ORDER BY rank, seq LIMIT ?`).all(endpoint, limit);
    }
    // In two steps, because SQLite compares no row value with the end of an index.
    const same = this.sql<QueuedTask>(`${select} AND rank = ? AND seq > ? ORDER BY seq LIMIT ?`);
    const rows = same.all(endpoint, after.rank, after.seq, limit);
    if (rows.length === limit) return rows;
    const lower = this.sql<QueuedTask>(`${select} AND rank > ? ORDER BY rank, seq LIMIT ?`);
    return [...rows, ...lower.all(endpoint, after.rank, limit - rows.length)];
  }

  queuedCount(endpoint: number): number {
    let count = this.queued.get(endpoint);
    if (count === undefined) {
      const sql = "SELECT count(*) AS n FROM tasks WHERE endpoint = ? AND state = 0";
      count = this.sql<{ n: number }>(sql).get(endpoint)?.n ?? 0;
      this.queued.set(endpoint, count);
    }
    return count;
  }

  letters(endpoint: number, after_seq: number, limit: number): Letter[] {
    const sql = "SELECT seq, kind, about, size FROM letters WHERE endpoint = ? AND seq > ? ORDER BY seq LIMIT ?";
    return this.sql<SqlLetter>(sql).all(endpoint, after_seq, limit).map(readLetter);
  }

  newsOfGroup(group: number, after_seq: number, limit: number): NewsRow[] {
    const sql = "SELECT seq, task, kind, size FROM news WHERE grp = ? AND seq > ? ORDER BY seq LIMIT ?";
    return this.sql<SqlNews>(sql).all(group, after_seq, limit).map(readNews);
  }

  newsOfTask(task: number, after_seq: number, limit: number): NewsRow[] {
    const sql = "SELECT seq, task, kind, size FROM news WHERE task = ? AND seq > ? ORDER BY seq LIMIT ?";
    return this.sql<SqlNews>(sql).all(task, after_seq, limit).map(readNews);
  }

  hasNews(task: number, id: string): boolean {
    return this.sql("SELECT 1 FROM news WHERE task = ? AND id = ?").get(task, idBytes(id)) !== null;
  }

  bytes(of: Place, seq: number): Uint8Array | undefined {
    const sql = `SELECT body, in_file FROM ${of} WHERE seq = ?`;
    const row = this.sql<{ body: Uint8Array | null; in_file: number }>(sql).get(seq);
    return row?.body ?? (row?.in_file === 1 ? this.files?.read(seq) : undefined);
  }

  nextDue(): number | undefined {
    const task = this.sql<{ due: number | null }>("SELECT min(due_ms) AS due FROM tasks").get()?.due ?? Infinity;
    const sql = "SELECT due_ms AS due FROM letters ORDER BY seq LIMIT 1";
    const due = Math.min(task, this.sql<{ due: number }>(sql).get()?.due ?? Infinity);
    return due === Infinity ? undefined : due;
  }

  due(now_ms: number, limit: number): { tasks: TaskRow[]; letters: number[] } {
    const tasks = this.sql<SqlTask>(`${taskColumns} WHERE due_ms <= ? ORDER BY due_ms LIMIT ?`).all(now_ms, limit);
    const oldest = this.sql<{ seq: number; due_ms: number }>("SELECT seq, due_ms FROM letters ORDER BY seq LIMIT ?");
    const letters = oldest.all(limit).filter((row) => row.due_ms <= now_ms);
    return { tasks: tasks.map((row) => this.taskFrom(row)), letters: letters.map((row) => row.seq) };
  }

  counts(): MailboxCounts {
    const sql = `SELECT (SELECT count(*) FROM tasks INDEXED BY tasks_sender) AS tasks,
      (SELECT count(*) FROM tasks WHERE state = 0) AS queued, (SELECT count(*) FROM news) AS news,
      (SELECT count(*) FROM letters) AS letters`;
    return this.sql<MailboxCounts>(sql).get() ?? none;
  }

  private taskFrom(row: SqlTask): TaskRow {
    return readTask(row, this.idOf(row.endpoint));
  }

  /** The id of the principal of this number. */
  private idOf(no: number): string {
    let id = this.ids.get(no);
    if (id === undefined) {
      const row = this.sql<{ id: Uint8Array }>("SELECT id FROM principals WHERE no = ?").get(no);
      id = row === null ? "" : formatUuid(row.id);
      if (this.ids.size > principalsKnown) this.ids.clear();
      this.ids.set(no, id);
    }
    return id;
  }

  /** Whether a row says that its bytes are in the file of this number. */
  protected hasFile(seq: number): boolean {
    return places.some((place) => this.sql(`SELECT 1 FROM ${place} WHERE seq = ? AND in_file = 1`).get(seq) !== null);
  }

  /** To be called whenever a principal changes. */
  protected forgetPrincipals(): void {
    this.known.clear();
    this.ids.clear();
  }

  /** A prepared statement, kept for ever: the texts in these files are few. */
  protected sql<Row = unknown>(text: string): Statement<Row, Value[]> {
    let statement = this.statements.get(text);
    if (statement === undefined) {
      statement = this.db.prepare(text);
      this.statements.set(text, statement);
    }
    return statement as Statement<Row, Value[]>;
  }

  /** To be called before the database is closed; else its WAL stays behind (bun.md §3). */
  protected finalizeAll(): void {
    for (const statement of this.statements.values()) statement.finalize();
    this.statements.clear();
  }
}

const none: MailboxCounts = { tasks: 0, queued: 0, news: 0, letters: 0 };
