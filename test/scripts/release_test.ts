import { expect, test } from "bun:test";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { pack } from "../../scripts/release.ts";

test("pack() compresses each executable and writes sums that sha256sum confirms", async () => {
  const folder = mkdtempSync(join(tmpdir(), "release-"));
  try {
    const executable = join(folder, "gc-linux-x64");
    writeFileSync(executable, "an executable ".repeat(10_000));
    const files = (await pack(folder, [executable])).map((file) => basename(file));
    expect(files).toContain("gc-linux-x64.gz");
    expect(files.at(-1)).toBe("SHA256SUMS");
    expect(Bun.gunzipSync(readFileSync(`${executable}.gz`))).toEqual(new Uint8Array(readFileSync(executable)));
    const check = Bun.spawnSync(["sha256sum", "-c", "SHA256SUMS"], { cwd: folder });
    expect(check.exitCode).toBe(0);
    expect(check.stdout.toString().trim().split("\n")).toHaveLength(files.length - 1);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});
