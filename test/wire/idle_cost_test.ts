/** What links cost while nothing happens; login nodes end processes by CPU time (ecosystem.md §1.7). */
import { expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

test("five idle links cost an endpoint less than 25 ms of CPU in a minute", async () => {
  const dir = mkdtempSync(join(tmpdir(), "gc-wire-idle-"));
  try {
    const child = Bun.spawn([process.execPath, join(import.meta.dir, "idle_cost.ts"), "endpoint", dir], {
      stdout: "pipe",
      stderr: "inherit",
    });
    const { cpu_ms, lost } = JSON.parse(await new Response(child.stdout).text());
    expect(lost).toBe(0);
    expect(cpu_ms).toBeLessThan(10 * 25);
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}, 20_000);
