import { describe, expect, test } from "bun:test";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { atCrashPoints, crashPoint, isTestBuild, plant, planted } from "../core/planted.ts";

const module = join(import.meta.dir, "../core/planted.ts");

/** Runs `lines` in a process of its own with these switches. */
async function run(
  lines: string,
  env: { [name: string]: string },
): Promise<{ stdout: string; signal: NodeJS.Signals | number | null }> {
  const code = `import { crashPoint, planted } from ${JSON.stringify(module)};\n${lines}`;
  const child = Bun.spawn([process.execPath, "-e", code], { env: { ...process.env, ...env }, stderr: "inherit" });
  const stdout = await new Response(child.stdout).text();
  await child.exited;
  return { stdout, signal: child.signalCode };
}

test("sources that run without a build are a test build", () => {
  expect(isTestBuild).toBe(true);
});

describe("planted()", () => {
  test("is false unless the bug was switched on", () => {
    expect(planted("noIdem")).toBe(false);
    const undo = plant("noIdem", "noAdopt");
    expect([planted("noIdem"), planted("noAdopt"), planted("deleteOnSend")]).toEqual([true, true, false]);
    undo();
    expect(planted("noIdem")).toBe(false);
  });

  test("reads the names in GC_PLANTED", async () => {
    const lines = 'console.log(planted("noIdem"), planted("noAdopt"), planted("deleteOnSend"));';
    expect((await run(lines, { GC_PLANTED: "noIdem,deleteOnSend" })).stdout).toBe("true false true\n");
  });
});

test("every bug of the list is planted in the sources", () => {
  const list = [...readFileSync(module, "utf8").matchAll(/^ {2}\| "(\w+)"/gm)].map((match) => match[1] ?? "");
  expect(list).toHaveLength(16);
  const core = [...new Bun.Glob("**/*.ts").scanSync({ cwd: dirname(module), absolute: true })];
  const text = core.map((path) => readFileSync(path, "utf8")).join("\n");
  expect(list.filter((name) => !text.includes(`planted("${name}")`))).toEqual([]);
});

describe("crashPoint()", () => {
  const lines = 'for (const n of [1, 2, 3]) { console.log(n); crashPoint("a.before_b"); } console.log("end");';

  test("does nothing unless it is named", async () => {
    expect(await run(lines, { GC_CRASH_POINT: "a.after_b" })).toEqual({ stdout: "1\n2\n3\nend\n", signal: null });
  });

  test("kills the process when it is named", async () => {
    expect(await run(lines, { GC_CRASH_POINT: "a.before_b" })).toEqual({ stdout: "1\n", signal: "SIGKILL" });
  });

  test("lets as many passages go by as were asked for", async () => {
    expect(await run(lines, { GC_CRASH_POINT: "a.before_b:3" })).toEqual({ stdout: "1\n2\n3\n", signal: "SIGKILL" });
  });

  test("kills one process at each of several points when there is a folder for marks", async () => {
    const marks = mkdtempSync(join(tmpdir(), "gc-marks-"));
    const env = { GC_CRASH_POINT: "a.after_b,a.before_b:2", GC_CRASH_MARKS: marks };
    const seen = [await run(lines, env), await run(lines, env)];
    expect(seen.map(({ signal }) => signal)).toEqual(["SIGKILL", null]);
    expect(readdirSync(marks)).toEqual(["a.before_b"]);
    rmSync(marks, { recursive: true });
  });

  test("tells a simulation instead of dying", () => {
    const visited: string[] = [];
    const undo = atCrashPoints((name) => visited.push(name));
    crashPoint("a.before_b");
    undo();
    crashPoint("a.after_b");
    expect(visited).toEqual(["a.before_b"]);
  });
});
