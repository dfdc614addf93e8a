/** Lines of ranks that a launcher passed on in pieces come out whole. */
import { afterAll, describe, expect, test } from "bun:test";
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { launchScript, wholeLinesProgram } from "../../core/worker/whole_lines.ts";

const dir = mkdtempSync(join(tmpdir(), "gc-lines-"));
afterAll(() => rmSync(dir, { recursive: true, force: true }));

function launch(label: boolean, script: string) {
  writeFileSync(join(dir, "launch"), launchScript);
  writeFileSync(join(dir, "whole.awk"), wholeLinesProgram(label));
  const { stdout, stderr, exitCode } = Bun.spawnSync(["/bin/sh", join(dir, "launch"), "sh", "-c", script]);
  return { stdout: stdout.toString(), stderr: stderr.toString(), code: exitCode };
}

const cut = "printf '[1,0]<stdout>:one [1,1]<stdout>:two\\n[1,0]<stdout>:half\\n[1,1]<stdout>:three'";

describe("launchScript", () => {
  test("puts the pieces of each rank's lines together, on the stream they were for", () => {
    const said = launch(false, `${cut}; echo '[1,1]<stderr>:oh' >&2; echo mpiexec says >&2; exit 7`);
    expect(said).toEqual({ stdout: "two\none half\nthree\n", stderr: "oh\nmpiexec says\n", code: 7 });
    expect(readdirSync(dir).sort()).toEqual(["launch", "whole.awk"]);
  });

  test("labels lines by rank", () => {
    expect(launch(true, cut).stdout).toBe("1: two\n0: one half\n1: three\n");
  });

  test("passes on a line as soon as it is whole", async () => {
    const go = join(dir, "go");
    const script = `echo '[1,0]<stdout>:first'; while ! test -e ${go}; do sleep 0.02; done`;
    launch(false, "true");
    const child = Bun.spawn(["/bin/sh", join(dir, "launch"), "sh", "-c", script], { stdout: "pipe", stderr: "ignore" });
    try {
      // It may come in several writes; that it comes at all before the program goes on is the point.
      const reader = child.stdout.getReader();
      let said = "";
      while (!said.endsWith("\n")) said += Buffer.from((await reader.read()).value ?? []).toString();
      expect(said).toBe("first\n");
    } finally {
      writeFileSync(go, "");
    }
    expect(await child.exited).toBe(0);
  });
});
