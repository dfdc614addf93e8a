import { Database } from "bun:sqlite";
import { expect, test } from "bun:test";
import * as fs from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { GcError } from "../../core/errors.ts";
import { BodyFiles } from "../../core/relay/body_files.ts";
import { SqliteMailbox } from "../../core/relay/sqlite_mailbox.ts";
import { schemaVersion } from "../../core/relay/sqlite_schema.ts";
import { describeMailbox } from "./mailbox_conformance.ts";
import { freshId } from "./town.ts";

function withDir<T>(use: (dir: string) => T): T {
  const dir = fs.mkdtempSync(join(tmpdir(), "gc-mailbox-"));
  try {
    return use(dir);
  } finally {
    fs.rmSync(dir, { recursive: true, force: true });
  }
}

function openIn(dir: string, more: { alone?: boolean; new_epoch?: string } = {}): SqliteMailbox {
  return new SqliteMailbox({ path: join(dir, "relay.db"), bodies: join(dir, "bodies"), new_epoch: "e1", ...more });
}

describeMailbox("SQLite", () => {
  const dir = fs.mkdtempSync(join(tmpdir(), "gc-mailbox-"));
  let mailbox = openIn(dir);
  return {
    mailbox,
    reopen() {
      // What a killed process leaves: the files as they are now, opened by another.
      const copy = join(dir, `copy-${fs.readdirSync(dir).length}`);
      fs.mkdirSync(copy);
      for (const name of ["relay.db", "relay.db-wal"]) {
        if (fs.existsSync(join(dir, name))) fs.copyFileSync(join(dir, name), join(copy, name));
      }
      mailbox.close();
      for (const name of ["relay.db", "relay.db-wal", "relay.db-shm"]) fs.rmSync(join(dir, name), { force: true });
      for (const name of fs.readdirSync(copy)) fs.renameSync(join(copy, name), join(dir, name));
      mailbox = openIn(dir);
      return mailbox;
    },
    close() {
      mailbox.close();
      fs.rmSync(dir, { recursive: true, force: true });
    },
  };
});

test("a store keeps its epoch, and a fresh one gets the new epoch", () =>
  withDir((dir) => {
    openIn(dir).close();
    const again = openIn(dir, { new_epoch: "e2" });
    expect(again.epoch).toBe("e1");
    again.close();
  }));

test("a store on a network disk is opened without shared memory, for this process alone", () =>
  withDir((dir) => {
    const box = openIn(dir, { alone: true });
    box.principalNo(freshId(), "user");
    box.commit();
    expect(fs.existsSync(join(dir, "relay.db-shm"))).toBe(false);
    expect(() => new Database(join(dir, "relay.db")).query("SELECT * FROM meta").all()).toThrow("locked");
    box.close();
  }));

test("a damaged store is refused and left as it is", () =>
  withDir((dir) => {
    const box = openIn(dir);
    const user = box.principalNo(freshId(), "user");
    for (let i = 0; i < 500; i += 1) box.groupNo(user, freshId());
    box.commit();
    box.close();
    const path = join(dir, "relay.db");
    const bytes = fs.readFileSync(path);
    bytes.fill(0x5a, 4096, bytes.length);
    fs.writeFileSync(path, bytes);
    let error: unknown;
    try {
      openIn(dir);
    } catch (caught) {
      error = caught;
    }
    expect(error).toBeInstanceOf(GcError);
    expect(error).toMatchObject({ kind: "io", code: "relay.damaged" });
    expect(fs.readFileSync(path)).toEqual(bytes);
  }));

test("a store of a newer gc is refused", () =>
  withDir((dir) => {
    openIn(dir).close();
    const db = new Database(join(dir, "relay.db"));
    db.run(`PRAGMA user_version = ${schemaVersion + 1}`);
    db.close();
    expect(() => openIn(dir)).toThrow(`has version ${schemaVersion + 1}`);
  }));

test("the file of a body that went is emptied and used again for another", () =>
  withDir((dir) => {
    const files = new BodyFiles(dir);
    const content = (): string[] => fs.readdirSync(dir).map((name) => fs.readFileSync(join(dir, name), "utf8"));
    files.put(1, Buffer.from("a long body"));
    files.settle();
    files.drop(1);
    files.settle();
    expect(content()).toEqual([""]);
    files.put(2, Buffer.from("short"));
    expect(content()).toEqual(["short"]);
    expect(files.read(2)?.toString()).toBe("short");
    expect(files.read(1)).toBeUndefined();
  }));

test("bodies that no row needs are swept away at start", () =>
  withDir((dir) => {
    openIn(dir).close();
    fs.writeFileSync(join(dir, "bodies", "77"), "left by a crash");
    fs.writeFileSync(join(dir, "bodies", "spare-0"), "");
    openIn(dir).close();
    expect(fs.readdirSync(join(dir, "bodies"))).toEqual([]);
  }));
