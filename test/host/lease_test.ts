/** Two daemons never hold one lease; a dead holder never blocks the next. */
import { afterEach, describe, expect, test } from "bun:test";
import * as fs from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { GcError } from "../../core/errors.ts";
import { writeJson } from "../../core/host/files.ts";
import { readLease, takeLease } from "../../core/host/lease.ts";
import { createLog } from "../../core/host/log.ts";
import { realHost } from "../../core/host/real_host.ts";

const dirs: string[] = [];
const host = realHost(
  createLog(
    () => {},
    "error",
    () => 0,
  ),
);
function freshPath(): string {
  const dir = fs.mkdtempSync(join(tmpdir(), "gc-lease-"));
  dirs.push(dir);
  return join(dir, "lease.json");
}
afterEach(() => {
  for (const dir of dirs.splice(0)) fs.rmSync(dir, { recursive: true, force: true });
});

describe("takeLease()", () => {
  test("refuses while the holder lives and says where it runs", () => {
    const path = freshPath();
    const lease = takeLease(path, 'endpoint "lab"', host);
    let error: unknown;
    try {
      takeLease(path, 'endpoint "lab"', host);
    } catch (thrown) {
      error = thrown;
    }
    expect(error).toBeInstanceOf(GcError);
    expect((error as GcError).code).toBe("endpoint.already_running");
    expect((error as GcError).message).toContain(String(process.pid));
    lease.release();
    expect(readLease(path)).toBeUndefined();
    takeLease(path, 'endpoint "lab"', host).release();
    expect(fs.readdirSync(join(path, ".."))).toEqual([]);
  });

  test("takes over from a process of this machine that is dead, even when its number is in use again", () => {
    const path = freshPath();
    const lease = takeLease(path, 'relay "x"', host);
    lease.release();
    writeJson(path, { ...lease.holder, starttime: "1" });
    const next = takeLease(path, 'relay "x"', host);
    expect(readLease(path)?.token).toBe(next.holder.token);
    next.release();
  });

  test("believes a holder on another machine for five minutes by the file's own clock", () => {
    const path = freshPath();
    const mine = takeLease(path, 'endpoint "lab"', host);
    mine.release();
    writeJson(path, { ...mine.holder, host: "login2", boot_id: "other" });
    expect(() => takeLease(path, 'endpoint "lab"', host)).toThrow('host "login2"');
    const old = Date.now() / 1000 - 301;
    fs.utimesSync(path, old, old);
    takeLease(path, 'endpoint "lab"', host).release();
  });

  test("a release after a takeover leaves the new holder alone", () => {
    const path = freshPath();
    const mine = takeLease(path, 'endpoint "lab"', host);
    writeJson(path, { ...mine.holder, token: "another" });
    mine.release();
    expect(readLease(path)?.token).toBe("another");
  });
});
