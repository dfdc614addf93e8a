/**
 * The mailbox of one relay process: SQLite, WAL, `synchronous=FULL`, one connection. A turn is one transaction with one
 * fsync, however many envelopes it took in (measured: 6,000 commits/s, 360,000 rows/s at 100 rows a commit; bun.md §3).
 * Acts on files; decides nothing.
 */
import { assert, unreachable } from "../assert.ts";
import { backupDatabase } from "./backup.ts";
import { BodyFiles } from "./body_files.ts";
import { type Change, type Mailbox, type Principal, taskTransitions } from "./mailbox.ts";
import { SqliteReader, type Value } from "./sqlite_reader.ts";
import { idBytes, letterKinds, newsKinds, principalKinds, taskStates } from "./sqlite_rows.ts";
import { type OpenOptions, openDatabase } from "./sqlite_schema.ts";

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

export class SqliteMailbox extends SqliteReader implements Mailbox {
  readonly epoch: string;
  private open = false;
  private seq: number;
  private seqReserved: number;

  constructor(options: SqliteMailboxOptions) {
    const files = options.bodies === undefined ? undefined : new BodyFiles(options.bodies);
    super(openDatabase(options.path, options), files);
    const meta = this.sql<{ value: string | number }>("SELECT value FROM meta WHERE key = ?");
    const epoch = meta.get("epoch")?.value;
    if (epoch === undefined) this.setMeta("epoch", options.new_epoch);
    this.epoch = typeof epoch === "string" ? epoch : options.new_epoch;
    this.seq = this.seqReserved = Number(meta.get("seq")?.value ?? 0);
    const fileOf = this.sql<{ seq: number }>("SELECT seq FROM bodies WHERE seq = ? AND bytes IS NULL");
    this.files?.sweep((seq) => fileOf.get(seq) !== null);
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
    return this.number(`p${id}`, "SELECT no FROM principals WHERE id = ?", [idBytes(id)], () => [
      "INSERT INTO principals (id, kind) VALUES (?, ?) RETURNING no",
      [idBytes(id), principalKinds.indexOf(kind)],
    ]);
  }

  groupNo(sender: number, id: string): number {
    const key = [idBytes(id), sender];
    return this.number(`g${sender}/${id}`, "SELECT no FROM groups WHERE id = ? AND sender = ?", key, () => [
      "INSERT INTO groups (id, sender) VALUES (?, ?) RETURNING no",
      key,
    ]);
  }

  stage(change: Change): void {
    this.begin();
    switch (change.kind) {
      case "enrol":
        this.run(
          `UPDATE principals SET record = ?, name = ?, enrolled_ms = coalesce(enrolled_ms, ?), seen_ms = ? WHERE no = ?`,
          [change.record, change.name, change.at_ms, change.at_ms, change.no],
        );
        return;
      case "remove":
        return this.run("UPDATE principals SET removed_ms = ? WHERE no = ?", [change.at_ms, change.no]);
      case "seen":
        return this.run("UPDATE principals SET seen_ms = ? WHERE no = ?", [change.at_ms, change.no]);
      case "hint": {
        const allow = change.allow === undefined ? null : JSON.stringify(change.allow);
        const values = [change.name, allow, change.is_public ? 1 : 0, change.no];
        return this.run("UPDATE principals SET name = ?, allow = ?, is_public = ? WHERE no = ?", values);
      }
      case "put_invite": {
        const { id, secret_hash, role, name, uses, expires_ms } = change.invite;
        const values = [id, secret_hash, role, name ?? null, uses, expires_ms];
        return this.run(
          "INSERT INTO invites (id, secret_hash, role, name, uses, expires_ms) VALUES (?, ?, ?, ?, ?, ?)",
          values,
        );
      }
      case "use_invite":
        return this.run("UPDATE invites SET uses = uses - 1 WHERE id = ?", [change.id]);
      case "put_news": {
        const { seq, task, group, news, id, bytes } = change;
        const values = [seq, task, group, newsKinds.indexOf(news), idBytes(id), bytes?.byteLength ?? 0];
        this.run("INSERT INTO news (seq, task, grp, kind, id, size) VALUES (?, ?, ?, ?, ?, ?)", values);
        if (news === "late") this.run("UPDATE tasks SET late = late + 1 WHERE seq = ?", [task]);
        return this.putBody(seq, bytes);
      }
      case "put_letter": {
        const { seq, endpoint, letter, id, about, due_ms, bytes } = change;
        const values = [
          seq,
          endpoint,
          letterKinds.indexOf(letter),
          idBytes(id),
          idBytes(about),
          bytes.byteLength,
          due_ms,
        ];
        const sql = `INSERT OR IGNORE INTO letters (seq, endpoint, kind, id, about, size, due_ms)
          VALUES (?, ?, ?, ?, ?, ?, ?)`;
        if (this.sql(sql).run(...(values as never[])).changes > 0) this.putBody(seq, bytes);
        return;
      }
      case "drop_letter":
        this.run("DELETE FROM letters WHERE seq = ?", [change.seq]);
        return this.dropBody(change.seq);
      default:
        return this.stageTask(change);
    }
  }

  private stageTask(
    change: Extract<Change, { kind: `${string}_task` | "mark_done" | "mark_received" | "postpone" }>,
  ): void {
    switch (change.kind) {
      case "put_task": {
        const { task, body } = change;
        this.run(
          `INSERT INTO tasks (seq, id, sender, endpoint, grp, count, rank, created_ms, expires_ms, digest, size, state, due_ms)
           VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
          [
            task.seq,
            idBytes(task.id),
            task.sender,
            task.endpoint,
            task.group,
            task.count,
            task.rank,
            task.created_ms,
            task.expires_ms,
            Buffer.from(task.digest, "hex"),
            body?.byteLength ?? 0,
            taskStates.indexOf(task.state),
            task.due_ms,
          ],
        );
        return this.putBody(task.seq, body);
      }
      case "know_task": {
        const { seq, count, digest, created_ms, expires_ms } = change;
        const sql = "UPDATE tasks SET count = ?, digest = ?, created_ms = ?, expires_ms = ? WHERE seq = ?";
        return this.run(sql, [count, Buffer.from(digest, "hex"), created_ms, expires_ms, seq]);
      }
      case "move_task":
        return this.moveTask(change);
      case "mark_done": {
        const values = [change.done, change.set ?? null, JSON.stringify(change.classes), change.due_ms, change.seq];
        return this.run("UPDATE tasks SET done = ?, done_set = ?, classes = ?, due_ms = ? WHERE seq = ?", values);
      }
      case "mark_received": {
        const values = [change.received, change.set ?? null, change.due_ms, change.seq];
        return this.run("UPDATE tasks SET received = ?, received_set = ?, due_ms = ? WHERE seq = ?", values);
      }
      case "postpone":
        return this.run("UPDATE tasks SET due_ms = ? WHERE seq = ?", [change.due_ms, change.seq]);
      case "forget_task":
        this.run("DELETE FROM tasks WHERE seq = ?", [change.seq]);
        // Its number may be in the cache; a group that comes back gets a new row.
        this.numbers.clear();
        return this.run("DELETE FROM groups WHERE no = ? AND NOT EXISTS (SELECT 1 FROM tasks WHERE grp = no)", [
          change.group,
        ]);
      default:
        return unreachable(change);
    }
  }

  private moveTask({ seq, from, to, due_ms }: Extract<Change, { kind: "move_task" }>): void {
    assert(taskTransitions[from].includes(to), `A task envelope never goes from ${from} to ${to}`);
    const sql = "UPDATE tasks SET state = ?, due_ms = ? WHERE seq = ? AND state = ?";
    const values = [taskStates.indexOf(to), due_ms, seq, taskStates.indexOf(from)];
    const { changes } = this.sql(sql).run(...(values as never[]));
    assert(changes === 1, `Task envelope ${seq} was ${from}`);
    // Whoever signed for it has it; nobody wants it any more when it expired.
    if (from === "queued") this.dropBody(seq);
    if (to === "gone") {
      this.run("UPDATE tasks SET done_set = NULL, received_set = NULL WHERE seq = ?", [seq]);
      for (const row of this.sql<{ seq: number }>("SELECT seq FROM news WHERE task = ?").all(seq))
        this.dropBody(row.seq);
      this.run("DELETE FROM news WHERE task = ?", [seq]);
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
    this.numbers.clear();
    if (this.open && this.db.inTransaction) this.db.run("ROLLBACK");
    this.open = false;
    this.files?.undo();
    // What was reserved in the transaction is reserved no more; what was given from it is not given again either.
    const reserved = this.sql<{ value: number }>("SELECT value FROM meta WHERE key = 'seq'").get()?.value ?? 0;
    this.seqReserved = Math.min(this.seqReserved, reserved);
    if (this.seq > this.seqReserved) this.seqReserved = this.seq;
  }

  /** Writes a copy of everything to a new file. */
  backupTo(file: string): void {
    backupDatabase(this.db, (seq) => this.files?.read(seq), file);
  }

  close(): void {
    this.rollback();
    this.finalizeAll();
    this.db.close();
  }

  private begin(): void {
    if (this.open) return;
    this.sql("BEGIN IMMEDIATE").run();
    this.open = true;
  }

  private setMeta(key: string, value: string | number): void {
    this.run("INSERT INTO meta (key, value) VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value", [
      key,
      value,
    ]);
  }

  private number(name: string, find: string, key: Value[], make: () => [string, Value[]]): number {
    const known = this.numbers.get(name);
    if (known !== undefined) return known;
    let no = this.sql<{ no: number }>(find).get(...key)?.no;
    if (no === undefined) {
      this.begin();
      const [sql, values] = make();
      no = this.sql<{ no: number }>(sql).get(...values)?.no;
    }
    assert(no !== undefined, "A row was inserted");
    if (this.numbers.size > 10_000) this.numbers.clear();
    this.numbers.set(name, no);
    return no;
  }

  private putBody(seq: number, bytes: Uint8Array | undefined): void {
    if (bytes === undefined) return;
    const inFile = this.files !== undefined && bytes.byteLength > inlineBytesMax;
    if (inFile) this.files?.put(seq, bytes);
    this.run("INSERT INTO bodies (seq, bytes) VALUES (?, ?)", [seq, inFile ? null : bytes]);
  }

  private dropBody(seq: number): void {
    const row = this.sql<{ in_file: number }>(
      "DELETE FROM bodies WHERE seq = ? RETURNING bytes IS NULL AS in_file",
    ).get(seq);
    if (row?.in_file === 1) this.files?.drop(seq);
  }

  private run(sql: string, values: Value[]): void {
    this.sql(sql).run(...(values as never[]));
  }
}
