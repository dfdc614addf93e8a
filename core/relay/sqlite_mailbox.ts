/**
 * The mailbox of one relay process: SQLite, WAL, `synchronous=FULL`, one connection. A turn is one transaction with one
 * fsync, however many envelopes it took in (measured: 6,000 commits/s, 360,000 rows/s at 100 rows a commit; bun.md §3).
 * Acts on files; decides nothing.
 */
import { assert, unreachable } from "../assert.ts";
import { backupDatabase } from "./backup.ts";
import { BodyFiles } from "./body_files.ts";
import { type Change, type Mailbox, type Place, type Principal, taskTransitions } from "./mailbox.ts";
import { SqliteReader, type Value } from "./sqlite_reader.ts";
import { idBytes, letterKinds, newsKinds, principalKinds, taskStates } from "./sqlite_rows.ts";
import { type OpenOptions, openDatabase, shareDatabase } from "./sqlite_schema.ts";

/** Bodies up to here lie in the database, larger ones in files (reliability-security.md §3.8). */
export const inlineBytesMax = 64 * 1024;
/** Numbers are reserved on disk in blocks, so that none is given twice although few of them are ever written. */
const seqBlock = 10_000;

export interface SqliteMailboxOptions extends OpenOptions {
  /** `relay.db`, or ":memory:" for tests and the simulation, where every body is inline. */
  path: string;
  /** Folder for large bodies; required unless in memory. */
  bodies?: string;
  /** A fresh store gets this epoch. */
  new_epoch: string;
}

type ChangeOf<K extends Change["kind"]> = Extract<Change, { kind: K }>;

export class SqliteMailbox extends SqliteReader implements Mailbox {
  readonly epoch: string;
  private readonly alone: boolean;
  private open = false;
  private seq: number;
  private seqReserved: number;

  constructor(options: SqliteMailboxOptions) {
    const files = options.bodies === undefined ? undefined : new BodyFiles(options.bodies);
    super(openDatabase(options.path, options), files);
    this.alone = options.alone === true;
    const meta = this.sql<{ value: string | number }>("SELECT value FROM meta WHERE key = ?");
    const epoch = meta.get("epoch")?.value;
    if (epoch === undefined) this.setMeta("epoch", options.new_epoch);
    this.epoch = typeof epoch === "string" ? epoch : options.new_epoch;
    this.seq = this.seqReserved = Number(meta.get("seq")?.value ?? 0);
    this.files?.sweep((seq) => this.hasFile(seq));
  }

  nextSeq(): number {
    if (this.seq >= this.seqReserved) {
      this.begin();
      this.seqReserved += seqBlock;
      this.setMeta("seq", this.seqReserved);
    }
    this.seq += 1;
    return this.seq;
  }

  lastSeq(): number {
    return this.seq;
  }

  principalNo(id: string, kind: Principal["kind"]): number {
    const known = this.findPrincipal(id);
    if (known !== undefined) return known;
    this.begin();
    const sql = "INSERT INTO principals (id, kind) VALUES (?, ?) RETURNING no";
    const no = this.sql<{ no: number }>(sql).get(idBytes(id), principalKinds.indexOf(kind))?.no;
    assert(no !== undefined, "A row was inserted");
    this.forgetPrincipals();
    return no;
  }

  groupNo(sender: number, id: string): number {
    const name = `${sender}/${id}`;
    const no = this.groups.get(name) ?? this.findGroup(sender, id) ?? this.nextSeq();
    if (this.groups.size > 10_000) this.groups.clear();
    this.groups.set(name, no);
    return no;
  }

  stage(change: Change): void {
    this.begin();
    switch (change.kind) {
      case "put_task":
        return this.putTask(change);
      case "know_task":
        return this.knowTask(change);
      case "move_task":
        return this.moveTask(change);
      case "mark_done":
        return this.markDone(change);
      case "mark_received": {
        this.run("UPDATE tasks SET received = ?, received_set = ? WHERE seq = ?", [
          change.received,
          change.set ?? null,
          change.seq,
        ]);
        return this.postpone(change.seq, change.due_ms);
      }
      case "postpone":
        return this.postpone(change.seq, change.due_ms);
      case "forget_task":
        return this.run("DELETE FROM tasks WHERE seq = ?", [change.seq]);
      case "put_news":
        return this.putNews(change);
      case "put_letter":
        return this.putLetter(change);
      case "drop_letter":
        this.dropFile("letters", "seq", change.seq);
        return this.run("DELETE FROM letters WHERE seq = ?", [change.seq]);
      case "put_invite": {
        const { id, secret_hash, role, name, uses, expires_ms } = change.invite;
        const sql = "INSERT INTO invites (id, secret_hash, role, name, uses, expires_ms) VALUES (?, ?, ?, ?, ?, ?)";
        return this.run(sql, [id, secret_hash, role, name ?? null, uses, expires_ms]);
      }
      case "use_invite":
        return this.run("UPDATE invites SET uses = uses - 1 WHERE id = ?", [change.id]);
      default:
        return this.stagePrincipal(change);
    }
  }

  commit(): void {
    if (!this.open) return;
    this.files?.sync();
    this.sql("COMMIT").run();
    this.open = false;
    this.files?.settle();
  }

  rollback(): void {
    this.groups.clear();
    this.queued.clear();
    this.forgetPrincipals();
    if (this.open && this.db.inTransaction) this.db.run("ROLLBACK");
    this.open = false;
    this.files?.undo();
    // What was reserved in the transaction is reserved no more; what was given from it is not given again either.
    const reserved = this.sql<{ value: number }>("SELECT value FROM meta WHERE key = 'seq'").get()?.value ?? 0;
    this.seqReserved = Math.min(this.seqReserved, reserved);
    if (this.seq > this.seqReserved) this.seqReserved = this.seq;
  }

  /** Lets another process read the store, or no longer. False when that is impossible here: copy it by `backupTo`. */
  share(shared: boolean): boolean {
    if (this.alone || this.open) return false;
    shareDatabase(this.db, shared);
    return true;
  }

  /** Writes a copy of everything to a new file, and does nothing else meanwhile. */
  backupTo(file: string): void {
    backupDatabase(this.db, (seq) => this.files?.read(seq), file);
  }

  close(): void {
    this.rollback();
    this.finalizeAll();
    this.db.close();
  }

  private stagePrincipal(change: ChangeOf<"enrol" | "remove" | "seen" | "hint">): void {
    this.forgetPrincipals();
    const { no } = change;
    switch (change.kind) {
      case "enrol": {
        const { record, name, at_ms } = change;
        const sql = `UPDATE principals SET record = ?, name = ?, enrolled_ms = coalesce(enrolled_ms, ?), seen_ms = ?
          WHERE no = ?`;
        return this.run(sql, [record, name, at_ms, at_ms, no]);
      }
      case "remove":
        return this.run("UPDATE principals SET removed_ms = ? WHERE no = ?", [change.at_ms, no]);
      case "seen":
        return this.run("UPDATE principals SET seen_ms = ? WHERE no = ?", [change.at_ms, no]);
      case "hint": {
        const allow = change.allow === undefined ? null : JSON.stringify(change.allow);
        const sql = "UPDATE principals SET name = ?, allow = ?, is_public = ? WHERE no = ?";
        return this.run(sql, [change.name, allow, change.is_public ? 1 : 0, no]);
      }
      default:
        return unreachable(change);
    }
  }

  private putTask({ task, body }: ChangeOf<"put_task">): void {
    const in_file = this.keepFile(task.seq, body);
    const sql = `INSERT INTO tasks (seq, id, sender, endpoint, grp, group_id, count, rank, created_ms, expires_ms,
      digest, size, state, due_ms, in_file, body) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`;
    this.run(sql, [
      task.seq,
      idBytes(task.id),
      task.sender,
      task.endpoint,
      task.group,
      idBytes(task.group_id),
      task.count,
      task.rank,
      task.created_ms,
      task.expires_ms,
      Buffer.from(task.digest, "hex"),
      body?.byteLength ?? 0,
      taskStates.indexOf(task.state),
      task.due_ms,
      in_file,
      in_file === 1 ? null : (body ?? null),
    ]);
    if (task.state === "queued") this.countQueued(task.endpoint, 1);
  }

  private knowTask({ seq, count, digest, created_ms, expires_ms }: ChangeOf<"know_task">): void {
    const sql = `UPDATE tasks SET count = ?1, digest = ?2, created_ms = ?3, expires_ms = ?4,
      closed = (state > 1 OR done >= ?1) WHERE seq = ?5`;
    this.run(sql, [count, Buffer.from(digest, "hex"), created_ms, expires_ms, seq]);
  }

  private moveTask({ seq, from, to, due_ms }: ChangeOf<"move_task">): void {
    assert(taskTransitions[from].includes(to), `A task envelope never goes from ${from} to ${to}`);
    // Whoever signed for it has it, and nobody wants it any more when it expired: the bytes go.
    if (from === "queued") this.dropFile("tasks", "seq", seq);
    const sql = "UPDATE tasks SET state = ?, in_file = 0, body = NULL WHERE seq = ? AND state = ? RETURNING endpoint";
    const row = this.sql<{ endpoint: number }>(sql).get(taskStates.indexOf(to), seq, taskStates.indexOf(from));
    assert(row !== null, `Task envelope ${seq} was ${from}`);
    if (from === "queued") this.countQueued(row.endpoint, -1);
    if (to !== "held") this.run("UPDATE tasks SET closed = 1 WHERE seq = ? AND closed = 0", [seq]);
    else if (from === "expired")
      this.run("UPDATE tasks SET closed = (count > 0 AND done >= count) WHERE seq = ?", [seq]);
    if (due_ms !== undefined) this.postpone(seq, due_ms);
    if (to !== "gone") return;
    this.run("UPDATE tasks SET done_set = NULL, received_set = NULL WHERE seq = ?", [seq]);
    this.dropFile("news", "task", seq);
    this.run("DELETE FROM news WHERE task = ?", [seq]);
  }

  /** Columns with an index are named only when they change: naming one costs two pages of the log. */
  private markDone({ seq, done, set, classes, due_ms }: ChangeOf<"mark_done">): void {
    const values = [done, set ?? null, JSON.stringify(classes), seq];
    this.run("UPDATE tasks SET done = ?, done_set = ?, classes = ? WHERE seq = ?", values);
    if (due_ms === undefined) return;
    const sql = "UPDATE tasks SET closed = (count > 0 AND done >= count), due_ms = ? WHERE seq = ?";
    this.run(sql, [due_ms, seq]);
  }

  private countQueued(endpoint: number, more: 1 | -1): void {
    const known = this.queued.get(endpoint);
    if (known !== undefined) this.queued.set(endpoint, known + more);
  }

  private postpone(seq: number, due_ms: number | undefined): void {
    if (due_ms !== undefined) this.run("UPDATE tasks SET due_ms = ? WHERE seq = ?", [due_ms, seq]);
  }

  private putNews({ seq, task, group, news, id, bytes }: ChangeOf<"put_news">): void {
    const in_file = this.keepFile(seq, bytes);
    const body = in_file === 1 ? null : (bytes ?? null);
    const sql = "INSERT INTO news (seq, task, grp, kind, id, size, in_file, body) VALUES (?, ?, ?, ?, ?, ?, ?, ?)";
    this.run(sql, [seq, task, group, newsKinds.indexOf(news), idBytes(id), bytes?.byteLength ?? 0, in_file, body]);
    if (news === "late") this.run("UPDATE tasks SET late = late + 1 WHERE seq = ?", [task]);
  }

  private putLetter({ seq, endpoint, letter, id, about, due_ms, bytes }: ChangeOf<"put_letter">): void {
    if (this.sql("SELECT 1 FROM letters WHERE id = ?").get(idBytes(id)) !== null) return;
    const in_file = this.keepFile(seq, bytes);
    const sql = `INSERT INTO letters (seq, endpoint, kind, id, about, size, due_ms, in_file, body)
      VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)`;
    const kind = letterKinds.indexOf(letter);
    const body = in_file === 1 ? null : bytes;
    this.run(sql, [seq, endpoint, kind, idBytes(id), idBytes(about), bytes.byteLength, due_ms, in_file, body]);
  }

  /** 1 when the bytes are large and were written to a file of their own. */
  private keepFile(seq: number, bytes: Uint8Array | undefined): 0 | 1 {
    if (bytes === undefined || this.files === undefined || bytes.byteLength <= inlineBytesMax) return 0;
    this.files.put(seq, bytes);
    return 1;
  }

  /** The files of these rows go once the transaction is committed. */
  private dropFile(place: Place, column: "seq" | "task", value: number): void {
    if (this.files === undefined) return;
    const sql = `SELECT seq FROM ${place} WHERE ${column} = ? AND in_file = 1`;
    for (const { seq } of this.sql<{ seq: number }>(sql).all(value)) this.files.drop(seq);
  }

  private begin(): void {
    if (this.open) return;
    this.sql("BEGIN IMMEDIATE").run();
    this.open = true;
  }

  private setMeta(key: string, value: string | number): void {
    const sql = "INSERT INTO meta (key, value) VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value";
    this.run(sql, [key, value]);
  }

  private run(sql: string, values: Value[]): void {
    this.sql(sql).run(...values);
  }
}
