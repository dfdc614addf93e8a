/** What a ledger promises: all that was synced comes back, a torn end is cut, damage is never silently skipped. */
import { afterEach, describe, expect, test } from "bun:test";
import * as fs from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { GcError } from "../../core/errors.ts";
import { openLedger, readLedger } from "../../core/host/ledger.ts";

const dirs: string[] = [];
function freshPath(): string {
  const dir = fs.mkdtempSync(join(tmpdir(), "gc-ledger-"));
  dirs.push(dir);
  return join(dir, "a.log");
}
afterEach(() => {
  for (const dir of dirs.splice(0)) fs.rmSync(dir, { recursive: true, force: true });
});

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
function contents(path: string): string[] {
  const found: string[] = [];
  readLedger(path, (record) => found.push(new TextDecoder().decode(record)));
  return found;
}
function codeOf(act: () => unknown): string {
  try {
    act();
  } catch (error) {
    if (error instanceof GcError) return error.code;
    throw error;
  }
  return "";
}

describe("openLedger()", () => {
  test("gives back what was synced, in order, and nothing that was not", () => {
    const path = freshPath();
    const ledger = openLedger(path);
    ledger.append(bytes("one"));
    ledger.sync();
    ledger.append(bytes("two"));
    ledger.sync();
    ledger.append(bytes("never"));
    ledger.close();
    expect(contents(path)).toEqual(["one", "two"]);
  });

  test("cuts a torn end at every possible byte and keeps all before it", () => {
    const path = freshPath();
    const ledger = openLedger(path);
    ledger.append(bytes("first"));
    ledger.sync();
    const safe = fs.statSync(path).size;
    ledger.append(bytes("second"));
    ledger.sync();
    ledger.close();
    const whole = fs.readFileSync(path);
    for (let size = safe; size < whole.byteLength; size++) {
      fs.writeFileSync(path, whole.subarray(0, size));
      const again = openLedger(path);
      expect(again.torn_bytes).toBeLessThanOrEqual(size - safe);
      again.append(bytes("third"));
      again.sync();
      again.close();
      expect(contents(path)).toEqual(["first", "third"]);
    }
  });

  test("treats a hole of zeros at the end, as a power cut leaves it, as torn", () => {
    const path = freshPath();
    const ledger = openLedger(path);
    ledger.append(bytes("first"));
    ledger.sync();
    ledger.close();
    fs.appendFileSync(path, new Uint8Array(4096));
    expect(contents(path)).toEqual(["first"]);
    expect(openLedger(path).torn_bytes).toBe(4096);
  });

  test("refuses a file whose middle is damaged instead of losing what follows", () => {
    const path = freshPath();
    const ledger = openLedger(path);
    for (const text of ["first", "second", "third"]) {
      ledger.append(bytes(text));
      ledger.sync();
    }
    ledger.close();
    const whole = fs.readFileSync(path);
    whole[whole.indexOf("second")] = 0;
    fs.writeFileSync(path, whole);
    expect(codeOf(() => openLedger(path))).toBe("ledger.damaged");
    expect(codeOf(() => readLedger(path, () => {}))).toBe("ledger.damaged");
  });

  test("replaceWith() leaves exactly the given records, and appending goes on", () => {
    const path = freshPath();
    const ledger = openLedger(path);
    for (let i = 0; i < 1000; i++) ledger.append(bytes(`record ${i}`));
    ledger.sync();
    const before = ledger.bytes();
    ledger.replaceWith([bytes("kept")]);
    expect(ledger.bytes()).toBeLessThan(before);
    ledger.append(bytes("new"));
    ledger.sync();
    ledger.close();
    expect(contents(path)).toEqual(["kept", "new"]);
  });

  test("reads records larger than its read buffer, across buffer ends", () => {
    const path = freshPath();
    const ledger = openLedger(path);
    const sizes = [3_000_000, 1, 1_048_570, 2_000_000, 17];
    for (const size of sizes) ledger.append(new Uint8Array(size).fill(size & 0xff));
    ledger.sync();
    ledger.close();
    const found: number[] = [];
    readLedger(path, (record) => found.push(record.byteLength));
    expect(found).toEqual(sizes);
  });

  test("keeps its records queued when the disk is full and writes them once there is room", () => {
    // RLIMIT_FSIZE in a child is a full disk without root: writes beyond it fail with EFBIG.
    const path = freshPath();
    const script = `
      import { openLedger } from ${JSON.stringify(join(import.meta.dir, "../../core/host/ledger.ts"))};
      process.on("SIGXFSZ", () => {});
      const ledger = openLedger(${JSON.stringify(path)});
      ledger.append(new Uint8Array(1000).fill(65)); ledger.sync();
      ledger.append(new Uint8Array(100_000).fill(66));
      let code = ""; try { ledger.sync(); } catch (error) { code = error.code; }
      console.log(code);
      const { dlopen, FFIType, ptr } = await import("bun:ffi");
      const libc = dlopen("libc.so.6", { setrlimit: { args: [FFIType.i32, FFIType.ptr], returns: FFIType.i32 } });
      libc.symbols.setrlimit(1, ptr(new BigUint64Array([1n << 40n, 1n << 40n])));
      ledger.sync(); ledger.close(); console.log("ok");
    `;
    const child = Bun.spawnSync(["sh", "-c", 'ulimit -S -f 32; exec "$@"', "sh", process.execPath, "-e", script]);
    expect(child.stdout.toString()).toBe("file.no_space\nok\n");
    const sizes: number[] = [];
    readLedger(path, (record) => sizes.push(record.byteLength));
    expect(sizes).toEqual([1000, 100_000]);
  });
});
