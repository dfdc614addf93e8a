/** Files are wholly there or not at all, private, and their errors say what to do. */
import { afterEach, describe, expect, test } from "bun:test";
import * as fs from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { GcError } from "../../core/errors.ts";
import {
  fileError,
  isFull,
  makePrivateDir,
  readIfThere,
  readJsonIfThere,
  removeIfThere,
  writeDurable,
  writeJson,
} from "../../core/host/files.ts";

const dirs: string[] = [];
function freshDir(): string {
  const dir = fs.mkdtempSync(join(tmpdir(), "gc-files-"));
  dirs.push(dir);
  return dir;
}
afterEach(() => {
  for (const dir of dirs.splice(0)) fs.rmSync(dir, { recursive: true, force: true });
});

describe("writeDurable()", () => {
  test("replaces a file, keeps it private, and leaves nothing beside it", () => {
    const dir = freshDir();
    writeDurable(join(dir, "a"), "one");
    writeDurable(join(dir, "a"), new Uint8Array([1, 2, 3]));
    expect([...(readIfThere(join(dir, "a")) ?? [])]).toEqual([1, 2, 3]);
    expect(fs.statSync(join(dir, "a")).mode & 0o777).toBe(0o600);
    expect(fs.readdirSync(dir)).toEqual(["a"]);
  });

  test("leaves the old content when it fails", () => {
    const dir = freshDir();
    fs.mkdirSync(join(dir, "a"));
    fs.writeFileSync(join(dir, "a", "inside"), "x");
    expect(() => writeDurable(join(dir, "a"), "new")).toThrow("Cannot write");
    expect(fs.readdirSync(dir)).toEqual(["a"]);
  });

  test("syncs the file before it is renamed, and the directory after", () => {
    const dir = freshDir();
    const module = join(import.meta.dir, "../../core/host/files.ts");
    const script = `import { writeDurable } from ${JSON.stringify(module)}; writeDurable("a", "x");`;
    const strace = Bun.which("strace");
    if (strace === null) return;
    const argv = [strace, "-f", "-e", "trace=fsync,rename,renameat,renameat2", process.execPath, "-e", script];
    const { stderr } = Bun.spawnSync(argv, { cwd: dir });
    const calls = [...stderr.toString().matchAll(/\b(fsync|rename)[a-z0-9]*\(/g)].map(([, call]) => call);
    expect(calls).toEqual(["fsync", "rename", "fsync"]);
  });
});

test("reading what is not there gives nothing, and what is not JSON says so", () => {
  const dir = freshDir();
  expect(readIfThere(join(dir, "none"))).toBeUndefined();
  expect(readJsonIfThere(join(dir, "none", "below"))).toBeUndefined();
  removeIfThere(join(dir, "none"));
  writeJson(join(dir, "good"), { a: 1 });
  expect(readJsonIfThere(join(dir, "good"))).toEqual({ a: 1 });
  fs.writeFileSync(join(dir, "bad"), "{");
  expect(() => readJsonIfThere(join(dir, "bad"))).toThrow("is damaged");
});

test("makePrivateDir() makes what is missing, for us alone", () => {
  const dir = freshDir();
  makePrivateDir(join(dir, "a", "b"));
  expect(fs.statSync(join(dir, "a", "b")).mode & 0o777).toBe(0o700);
  fs.writeFileSync(join(dir, "file"), "");
  expect(() => makePrivateDir(join(dir, "file", "x"))).toThrow(GcError);
});

test("fileError() tells a full disk from missing permission", () => {
  const full = fileError("write", "/x/y", Object.assign(new Error("no space"), { code: "ENOSPC" }));
  expect([full.kind, full.code, full.hint]).toEqual(["temporary", "file.no_space", 'df -h "/x"']);
  expect(isFull(full)).toBe(true);
  const denied = fileError("write", "/x/y", Object.assign(new Error("no"), { code: "EACCES" }));
  expect([denied.kind, isFull(denied)]).toEqual(["permission", false]);
});
