/**
 * The tables of `relay.db`, how the file is opened, and what is checked before anything is served from it. Ids are 16
 * bytes; states are numbers; no row ever holds a readable word of a task.
 */
import { Database } from "bun:sqlite";
import { GcError, messageOf } from "../errors.ts";

/** Versions of the tables, oldest first: what brings a file of the version before to this one. Never edited, only added
 * to. */
const migrations: readonly string[] = [
  `
  CREATE TABLE meta (key TEXT PRIMARY KEY, value ANY NOT NULL) STRICT, WITHOUT ROWID;
  CREATE TABLE principals (
    no INTEGER PRIMARY KEY, id BLOB NOT NULL UNIQUE, kind INTEGER NOT NULL, record TEXT, name TEXT NOT NULL DEFAULT '',
    enrolled_ms INTEGER, removed_ms INTEGER, seen_ms INTEGER NOT NULL DEFAULT 0, allow TEXT,
    is_public INTEGER NOT NULL DEFAULT 0
  ) STRICT;
  CREATE TABLE invites (
    id TEXT PRIMARY KEY, secret_hash TEXT NOT NULL, role TEXT NOT NULL, name TEXT, uses INTEGER NOT NULL,
    expires_ms INTEGER NOT NULL
  ) STRICT, WITHOUT ROWID;
  -- One row for each task envelope. grp: number of the group, the same for all rows of one sender and group_id.
  -- closed: nothing more will come of it, so that what is unfinished is found without reading what is finished.
  -- body: the signed bytes while it is queued; NULL with in_file = 1: in a file named by seq.
  CREATE TABLE tasks (
    seq INTEGER PRIMARY KEY, id BLOB NOT NULL UNIQUE, sender INTEGER NOT NULL, endpoint INTEGER NOT NULL,
    grp INTEGER NOT NULL, group_id BLOB NOT NULL, count INTEGER NOT NULL, rank INTEGER NOT NULL,
    created_ms INTEGER NOT NULL, expires_ms INTEGER NOT NULL, digest BLOB NOT NULL, size INTEGER NOT NULL,
    state INTEGER NOT NULL, closed INTEGER NOT NULL DEFAULT 0, due_ms INTEGER NOT NULL,
    done INTEGER NOT NULL DEFAULT 0, received INTEGER NOT NULL DEFAULT 0, late INTEGER NOT NULL DEFAULT 0,
    in_file INTEGER NOT NULL, classes TEXT NOT NULL DEFAULT '{}', done_set BLOB, received_set BLOB, body BLOB
  ) STRICT;
  -- An index costs every submission a page of the log, so there are few. Their rows end with seq by themselves.
  CREATE INDEX tasks_queue ON tasks (endpoint, rank) WHERE state = 0;
  CREATE INDEX tasks_sender ON tasks (sender, closed);
  CREATE INDEX tasks_group ON tasks (group_id);
  CREATE INDEX tasks_due ON tasks (due_ms);
  CREATE TABLE news (
    seq INTEGER PRIMARY KEY, task INTEGER NOT NULL, grp INTEGER NOT NULL, kind INTEGER NOT NULL, id BLOB NOT NULL,
    size INTEGER NOT NULL, in_file INTEGER NOT NULL, body BLOB
  ) STRICT;
  CREATE INDEX news_task ON news (task);
  CREATE INDEX news_group ON news (grp);
  -- All letters live equally long, so they are due in the order of seq.
  CREATE TABLE letters (
    seq INTEGER PRIMARY KEY, endpoint INTEGER NOT NULL, kind INTEGER NOT NULL, id BLOB NOT NULL UNIQUE,
    about BLOB NOT NULL, size INTEGER NOT NULL, due_ms INTEGER NOT NULL, in_file INTEGER NOT NULL, body BLOB
  ) STRICT;
  CREATE INDEX letters_endpoint ON letters (endpoint);
  `,
];

export const schemaVersion = migrations.length;

/** A build that fixes the WAL-reset bug (3.7.0–3.51.2, reliability-security.md §0.11). */
const sqliteOldest = [3, 51, 3] as const;

/** Settings of the connection. */
export interface OpenOptions {
  /** The folder is on a network file system: no shared memory file, this process alone (reliability-security.md
   * §3.8). */
  alone?: boolean;
  /** Test of the tests: without it a power cut loses what was acknowledged. */
  synchronous?: "FULL" | "OFF";
}

/**
 * Opens the file, brings it to the newest version and checks it.
 * @throws GcError io `relay.damaged`, config `relay.newer_store`.
 */
export function openDatabase(path: string, options: OpenOptions = {}): Database {
  let db: Database | undefined;
  try {
    db = new Database(path, { create: true, strict: true });
    checkSqlite(db);
    db.run("PRAGMA busy_timeout = 5000");
    if (options.alone) db.run("PRAGMA locking_mode = EXCLUSIVE");
    // Small pages: a submission changes six of them, and the log takes them whole.
    db.run("PRAGMA page_size = 2048");
    db.run("PRAGMA journal_mode = WAL");
    db.run(`PRAGMA synchronous = ${options.synchronous ?? "FULL"}`);
    db.run("PRAGMA mmap_size = 0");
    db.run("PRAGMA cache_size = -16384");
    db.run("PRAGMA temp_store = MEMORY");
    // Fewer, larger checkpoints: a page that is written often is copied back once (measured: scripts/bench).
    db.run("PRAGMA wal_autocheckpoint = 8000");
    db.run("PRAGMA journal_size_limit = 67108864");
    quickCheck(db, path);
    migrate(db, path);
    // From here on no other process may touch it, which saves sixteen locks a commit. `shareDatabase` lends it out.
    db.run("PRAGMA locking_mode = EXCLUSIVE");
    return db;
  } catch (error) {
    db?.close();
    throw error instanceof GcError ? error : damaged(path, messageOf(error));
  }
}

/** Lets another connection read the open store (`shared`), or no longer. Not for one that was opened `alone`. */
export function shareDatabase(db: Database, shared: boolean): void {
  db.run(`PRAGMA locking_mode = ${shared ? "NORMAL" : "EXCLUSIVE"}`);
  // A lock is given back, or taken, with the next transaction.
  db.query("SELECT value FROM meta LIMIT 1").get();
}

/** @throws GcError io `relay.damaged` with what SQLite found. */
export function quickCheck(db: Database, path: string): void {
  const found = db.query<{ quick_check: string }, []>("PRAGMA quick_check(1)").get();
  if (found?.quick_check !== "ok") throw damaged(path, found?.quick_check ?? "no answer");
}

/** The version of the tables in a file; 0: none yet. */
export function versionOf(db: Database): number {
  return db.query<{ user_version: number }, []>("PRAGMA user_version").get()?.user_version ?? 0;
}

function migrate(db: Database, path: string): void {
  const found = versionOf(db);
  if (found > schemaVersion) {
    const message = `The store "${path}" has version ${found}, this gc knows ${schemaVersion}`;
    throw new GcError("config", "relay.newer_store", message, { hint: "gc relay restore FILE, or a newer gc" });
  }
  if (found === schemaVersion) return;
  if (found > 0) db.run("VACUUM INTO ?", [`${path}.v${found}`]);
  db.transaction(() => {
    for (const step of migrations.slice(found)) db.run(step);
    db.run(`PRAGMA user_version = ${schemaVersion}`);
  })();
}

function checkSqlite(db: Database): void {
  const text = db.query<{ v: string }, []>("SELECT sqlite_version() AS v").get()?.v ?? "0";
  const found = text.split(".").map(Number);
  for (const [i, least] of sqliteOldest.entries()) {
    const part = found[i] ?? 0;
    if (part > least) return;
    if (part < least) throw new Error(`SQLite ${text} is too old; at least ${sqliteOldest.join(".")} is needed`);
  }
}

function damaged(path: string, why: string): GcError {
  return new GcError("io", "relay.damaged", `The store "${path}" is damaged: ${why}. It was left as it is`, {
    hint: "gc relay restore FILE",
  });
}
