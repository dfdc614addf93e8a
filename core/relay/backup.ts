/**
 * Copies of a relay's store in one file, and back. A copy is taken while the relay runs and holds large bodies too.
 * What is restored gets a new epoch, so that endpoints and clients say again what they still hold, and its numbers jump
 * ahead of all that were ever given, so that no reader's place in the news means something else now.
 */
import { Database } from "bun:sqlite";
import * as fs from "node:fs";
import { join } from "node:path";
import type { RelayPaths } from "../config/home.ts";
import { GcError, messageOf } from "../errors.ts";
import { makePrivateDir, readIfThere, removeIfThere, syncDir } from "../host/files.ts";
import { quickCheck, schemaVersion, versionOf } from "./sqlite_schema.ts";

/** More numbers than a relay can have given since the copy was taken. */
const seqJump = 2 ** 32;

/** Folder of large bodies beside `relay.db`. */
export function bodiesDir(paths: RelayPaths): string {
  return join(paths.dir, "bodies");
}

/** Writes a copy of the open store `db` to `file`, which must not be there. */
export function backupDatabase(db: Database, bodyOf: (seq: number) => Uint8Array | undefined, file: string): void {
  if (file === "" || fs.existsSync(file)) {
    throw new GcError("cannot_create", "backup.exists", `"${file}" is there already; a backup replaces nothing`);
  }
  const beside = `${file}.part`;
  removeIfThere(beside);
  const umask = process.umask(0o077);
  try {
    // Finalised, else the connection lives on after it is closed, and with it its lock.
    const vacuum = db.prepare<unknown, [string]>("VACUUM INTO ?");
    try {
      vacuum.run(beside);
    } finally {
      vacuum.finalize();
    }
    const copy = new Database(beside, { readwrite: true, create: false, strict: true });
    try {
      copy.transaction(() => {
        for (const place of ["tasks", "news", "letters"]) {
          const put = copy.query<unknown, [Uint8Array, number]>(
            `UPDATE ${place} SET body = ?, in_file = 0 WHERE seq = ?`,
          );
          const inFiles = copy.query<{ seq: number }, []>(`SELECT seq FROM ${place} WHERE in_file = 1`).all();
          for (const { seq } of inFiles) {
            const bytes = bodyOf(seq);
            // It was taken since the copy began: whoever took it has it.
            if (bytes !== undefined) put.run(bytes, seq);
          }
        }
      })();
    } finally {
      copy.close();
    }
    syncFile(beside);
    fs.renameSync(beside, file);
    syncDir(join(file, ".."));
  } catch (cause) {
    removeIfThere(beside);
    if (cause instanceof GcError) throw cause;
    throw new GcError("cannot_create", "backup.failed", `Cannot write the backup "${file}": ${messageOf(cause)}`, {
      cause,
    });
  } finally {
    process.umask(umask);
  }
}

/** Writes a copy of a store that another process lends (`share`), or that nobody has open. */
export function copyStore(paths: RelayPaths, file: string): void {
  const db = new Database(paths.db, { readwrite: true, create: false, strict: true });
  try {
    db.run("PRAGMA busy_timeout = 5000");
    backupDatabase(db, (seq) => readIfThere(join(bodiesDir(paths), String(seq))), file);
  } finally {
    db.close();
  }
}

/**
 * Makes the copy in `file` the store of the relay, which must not run. The store that was there is moved aside.
 * @returns where the former store is now, if there was one.
 * @throws GcError missing `backup.missing`, data `backup.unreadable`, config `relay.newer_store`.
 */
export function restoreDatabase(
  paths: RelayPaths,
  file: string,
  new_epoch: string,
  now_ms: number,
): string | undefined {
  if (!fs.existsSync(file)) throw new GcError("missing", "backup.missing", `There is no backup "${file}"`);
  makePrivateDir(paths.dir);
  const beside = `${paths.db}.restoring`;
  for (const path of [beside, `${beside}-wal`, `${beside}-shm`]) removeIfThere(path);
  fs.copyFileSync(file, beside);
  fs.chmodSync(beside, 0o600);
  try {
    renew(beside, file, new_epoch);
  } catch (cause) {
    removeIfThere(beside);
    if (cause instanceof GcError && cause.code === "relay.newer_store") throw cause;
    throw new GcError("data", "backup.unreadable", `"${file}" is not a whole backup of a relay`, { cause });
  }
  syncFile(beside);
  let former: string | undefined;
  if (fs.existsSync(paths.db)) {
    former = join(paths.dir, `before-restore-${new Date(now_ms).toISOString().replaceAll(":", "")}`);
    makePrivateDir(former);
    for (const name of ["relay.db", "relay.db-wal", "relay.db-shm", "bodies"]) {
      const path = join(paths.dir, name);
      if (fs.existsSync(path)) fs.renameSync(path, join(former, name));
    }
  }
  fs.renameSync(beside, paths.db);
  syncDir(paths.dir);
  return former;
}

function renew(path: string, file: string, new_epoch: string): void {
  const db = new Database(path, { readwrite: true, create: false, strict: true });
  try {
    quickCheck(db, file);
    const version = versionOf(db);
    if (version === 0) throw new Error("It has no tables");
    if (version > schemaVersion) {
      const message = `The backup "${file}" has version ${version}, this gc knows ${schemaVersion}`;
      throw new GcError("config", "relay.newer_store", message, { hint: "a newer gc" });
    }
    db.transaction(() => {
      const put = db.prepare<unknown, [string, string | number]>(
        "INSERT INTO meta (key, value) VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value",
      );
      const seq = db.query<{ value: number }, []>("SELECT value FROM meta WHERE key = 'seq'").get()?.value ?? 0;
      put.run("epoch", new_epoch);
      put.run("seq", Math.ceil((seq + seqJump) / seqJump) * seqJump);
      put.finalize();
    })();
  } finally {
    db.close();
  }
}

function syncFile(path: string): void {
  const fd = fs.openSync(path, "r");
  try {
    fs.fsyncSync(fd);
  } finally {
    fs.closeSync(fd);
  }
}
