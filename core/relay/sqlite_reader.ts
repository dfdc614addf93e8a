/**
 * What is read from `relay.db`, by prepared statements that are kept. Reads see what is staged, because they go through
 * the connection that stages. Changes nothing.
 */
import type { Database, Statement } from "bun:sqlite";
import type { BodyFiles } from "./body_files.ts";
import type { InviteRow, Letter, ListQuery, NewsRow, Principal, QueuedTask, TaskRow } from "./mailbox.ts";
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

export type Value = string | number | null | Uint8Array;

export class SqliteReader {
  protected readonly db: Database;
  protected readonly files: BodyFiles | undefined;
  /** Numbers of principals and groups that were looked up. */
  protected readonly numbers = new Map<string, number>();
  private readonly statements = new Map<string, Statement>();

  constructor(db: Database, files: BodyFiles | undefined) {
    this.db = db;
    this.files = files;
  }

  principal(id: string): Principal | undefined {
    const row = this.sql<SqlPrincipal>("SELECT * FROM principals WHERE id = ?").get(idBytes(id));
    return row === null ? undefined : readPrincipal(row);
  }

  findPrincipal(id: string): number | undefined {
    const known = this.numbers.get(`p${id}`);
    return known ?? this.sql<{ no: number }>("SELECT no FROM principals WHERE id = ?").get(idBytes(id))?.no;
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
    const row = this.sql<SqlTask>(`${taskColumns} WHERE t.id = ?`).get(idBytes(id));
    return row === null ? undefined : readTask(row);
  }

  taskOf(seq: number): TaskRow | undefined {
    const row = this.sql<SqlTask>(`${taskColumns} WHERE t.seq = ?`).get(seq);
    return row === null ? undefined : readTask(row);
  }

  findGroup(sender: number, id: string): number | undefined {
    const sql = "SELECT no FROM groups WHERE id = ? AND sender = ?";
    return this.sql<{ no: number }>(sql).get(idBytes(id), sender)?.no;
  }

  list(query: ListQuery): TaskRow[] {
    const where = ["t.state < 3"];
    const values: Value[] = [];
    const also = (sql: string, ...more: Value[]): void => {
      where.push(sql);
      values.push(...more);
    };
    if (query.sender !== undefined) also("t.sender = ?", query.sender);
    if (query.before !== undefined) also("t.seq < ?", query.before);
    // The plus signs keep SQLite from walking the index by id when there is a better one, and the other way round.
    if (query.prefix !== undefined) also("t.id BETWEEN ? AND ?", ...idRange(query.prefix));
    if (query.group !== undefined) also("t.grp IN (SELECT no FROM groups WHERE id = ?)", idBytes(query.group));
    if (query.ids !== undefined) {
      also(
        `t.id IN (SELECT unhex(value) FROM json_each(?))`,
        JSON.stringify(query.ids.map((id) => id.replaceAll("-", ""))),
      );
    }
    if (query.unfinished) also("t.state < 2 AND (t.done < t.count OR t.count = 0)");
    const sql = `${taskColumns} WHERE ${where.join(" AND ")} ORDER BY t.seq DESC LIMIT ?`;
    return this.sql<SqlTask>(sql)
      .all(...values, query.limit)
      .map(readTask);
  }

  queue(endpoint: number, after: { rank: number; seq: number } | undefined, limit: number): QueuedTask[] {
    if (after === undefined) {
      const sql =
        "SELECT seq, rank, count, size FROM tasks WHERE endpoint = ? AND state = 0 ORDER BY rank, seq LIMIT ?";
      return this.sql<QueuedTask>(sql).all(endpoint, limit);
    }
    const sql = `SELECT seq, rank, count, size FROM tasks WHERE endpoint = ? AND state = 0 AND (rank, seq) > (?, ?)
      ORDER BY rank, seq LIMIT ?`;
    return this.sql<QueuedTask>(sql).all(endpoint, after.rank, after.seq, limit);
  }

  queuedCount(endpoint: number): number {
    return (
      this.sql<{ n: number }>("SELECT count(*) AS n FROM tasks WHERE endpoint = ? AND state = 0").get(endpoint)?.n ?? 0
    );
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

  bytes(seq: number): Uint8Array | undefined {
    const row = this.sql<{ bytes: Uint8Array | null }>("SELECT bytes FROM bodies WHERE seq = ?").get(seq);
    if (row === null) return undefined;
    return row.bytes ?? this.files?.read(seq);
  }

  nextDue(): number | undefined {
    const task = this.sql<{ due: number | null }>("SELECT min(due_ms) AS due FROM tasks").get()?.due ?? Infinity;
    const letter = this.sql<{ due: number | null }>("SELECT min(due_ms) AS due FROM letters").get()?.due ?? Infinity;
    const due = Math.min(task, letter);
    return due === Infinity ? undefined : due;
  }

  due(now_ms: number, limit: number): { tasks: TaskRow[]; letters: number[] } {
    const tasks = this.sql<SqlTask>(`${taskColumns} WHERE t.due_ms <= ? ORDER BY t.due_ms LIMIT ?`).all(now_ms, limit);
    const letters = this.sql<{ seq: number }>("SELECT seq FROM letters WHERE due_ms <= ? LIMIT ?").all(now_ms, limit);
    return { tasks: tasks.map(readTask), letters: letters.map((row) => row.seq) };
  }

  counts(): { tasks: number; queued: number; news: number; letters: number } {
    const sql = `SELECT (SELECT count(*) FROM tasks WHERE state < 3) AS tasks, (SELECT count(*) FROM tasks WHERE state = 0) AS
      queued, (SELECT count(*) FROM news) AS news, (SELECT count(*) FROM letters) AS letters`;
    return this.sql<{ tasks: number; queued: number; news: number; letters: number }>(sql).get() ?? none;
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

const none = { tasks: 0, queued: 0, news: 0, letters: 0 };
