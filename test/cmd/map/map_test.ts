// time limit: 240 s
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { existsSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { until } from "../../e2e/until.ts";
import { PythonPlace } from "../../sdk/python_place.ts";

let place: PythonPlace;
beforeAll(async () => {
  place = new PythonPlace();
  await place.must(["run", "--", "true"]);
}, 30_000);
afterAll(() => place.close());

const inCwd = (name: string): string => join(place.cwd, name);
const read = (name: string): string => readFileSync(inCwd(name), "utf8");
const rows = (name: string): string[][] =>
  read(name)
    .split("\n")
    .slice(1, -1)
    .map((line) => line.split("\t"));
const numbers = (count: number): string => Array.from({ length: count }, (_, i) => `${i + 1}\n`).join("");

describe("gc map", () => {
  test("runs a task per line, in order with -k, and counts failures in its exit code", async () => {
    const map = await place.gc(["map", "-k", "--", "sh", "-c", "echo {}; test {} -ne 3"], { stdin: numbers(50) });
    expect({ code: map.code, stdout: map.stdout, stderr: map.stderr }).toEqual({
      code: 1,
      stdout: numbers(50),
      stderr: "",
    });
    const many = await place.gc(["map", "false"], { stdin: numbers(150) });
    expect(many.code).toBe(101);
    const empty = await place.gc(["map", "echo"], { stdin: "" });
    expect([empty.code, empty.stdout]).toEqual([0, ""]);
  }, 30_000);

  test("calls a Python function, with values, keyword arguments or columns", async () => {
    writeFileSync(inCwd("m.py"), "def f(x, y=1):\n    return [x, y]\n");
    writeFileSync(inCwd("m.jsonl"), '{"x":1,"y":"a"}\n[2,3]\n"s"\n');
    const json = await place.gc(["map", "-k", "--python", "m.py:f", "--jsonl", "m.jsonl"]);
    expect([json.stdout, json.stderr]).toEqual(['[1,"a"]\n[2,3]\n["s",1]\n', ""]);
    const words = await place.gc(["map", "-k", "--python", "m.py:f", ":::", "1", "text", ":::+", "2.5", "[true]"]);
    expect(words.stdout).toBe('[1,2.5]\n["text",[true]]\n');
  }, 30_000);

  test("writes output into files named by a template, or with a tag before each line", async () => {
    const words = ["map", "--out", "out/{1}.{#}.txt", "--err", "out/{1}.err", "--", "sh", "-c", "echo {}; echo e >&2"];
    const { stdout, stderr } = await place.gc([...words, ":::", "a", "b"]);
    expect([stdout, stderr, read("out/a.1.txt"), read("out/b.2.txt"), read("out/b.err")]).toEqual([
      "",
      "",
      "a\n",
      "b\n",
      "e\n",
    ]);
    const tagged = await place.gc(["map", "-k", "--tag", "--", "printf", "%s\\nlast", "{}", ":::", "x", "y"]);
    expect(tagged.stdout).toBe("x\tx\nx\tlasty\ty\ny\tlast");
  }, 30_000);

  test("--json is one document", async () => {
    const { stdout } = await place.gc(["map", "--json", "-k", "echo", ":::", "a", "b"]);
    const document = JSON.parse(stdout);
    expect(document).toMatchObject({ schema: "gc/map/v1", summary: { done: 2, failed: 0 } });
    expect(document.results.map((each: { seq: number; command: string }) => [each.seq, each.command])).toEqual([
      [1, "echo a"],
      [2, "echo b"],
    ]);
  }, 30_000);

  test("never has more tasks in flight than -j says", async () => {
    const script = "mkdir lock 2>/dev/null || exit 9; sleep 0.05; rmdir lock; : {}";
    const { code } = await place.gc(["map", "-j", "1", "--cwd", place.cwd, "--shell", script, ":::", "1", "2", "3"]);
    expect(code).toBe(0);
  }, 30_000);

  test("--retries runs a failing task again", async () => {
    const script = "test -e retried-{} || { touch retried-{}; exit 1; }";
    const { code } = await place.gc(["map", "--retries", "1", "--cwd", place.cwd, script, ":::", "a", "b"]);
    expect(code).toBe(0);
  }, 30_000);

  test("--halt now cancels what is in flight; resuming runs it", async () => {
    const began = performance.now();
    const words = ["map", "--joblog", "halt.log", "-j", "2", "--cwd", place.cwd];
    const script = "test -e go || { test {} = 2 && exit 1; sleep 60; }";
    const halted = await place.gc([...words, "--halt", "now,fail=1", script, ":::", "1", "2", "3", "4"]);
    expect([halted.code, rows("halt.log").length]).toEqual([1, 1]);
    expect(performance.now() - began).toBeLessThan(20_000);
    writeFileSync(inCwd("go"), "");
    const resumed = await place.gc([...words, "--resume", script, ":::", "1", "2", "3", "4"]);
    expect([
      resumed.code,
      rows("halt.log")
        .map((row) => row[0])
        .sort(),
    ]).toEqual([1, ["1", "2", "3", "4"]]);
    rmSync(inCwd("go"));
  }, 40_000);

  test("killed at any moment and resumed, every line is in the joblog once and was run once", async () => {
    const count = 10_000;
    writeFileSync(inCwd("input"), numbers(count));
    const words = ["map", "--joblog", "kill.log", "--resume", "-a", "input", "--"];
    const command = ["sh", "-c", `echo {} >> '${inCwd("ran")}'; echo {}`];
    for (const enough of [1, 2500, 6000]) {
      const run = place.start([...words, ...command]);
      await until(
        () => Bun.file(inCwd("kill.log")).size > 90 && rows("kill.log").length >= enough,
        "lines of the joblog",
      );
      run.kill("SIGKILL");
      await run.end();
    }
    // What a kill leaves of a line is no line.
    writeFileSync(inCwd("kill.log"), `${read("kill.log")}9999\tcut`);
    const last = await place.start([...words, ...command]).end(90_000);
    expect([last.code, last.stderr]).toEqual([0, ""]);
    const all = numbers(count).trim().split("\n");
    const sorted = (lines: string[]): string[] => lines.sort((a, b) => Number(a) - Number(b));
    expect(sorted(rows("kill.log").map((row) => row[0] ?? ""))).toEqual(all);
    expect(sorted(read("ran").trim().split("\n"))).toEqual(all);
    const done = await place.gc([...words, ...command]);
    expect([done.code, done.stdout]).toEqual([0, ""]);
    const other = await place.gc(["map", "--joblog", "kill.log", "--resume", "-a", "input", "echo"]);
    expect([other.code, other.stderr]).toEqual([65, expect.stringContaining("Input 1 is another one")]);
  }, 120_000);

  test("a joblog that is there is never overwritten, and --resume needs one", async () => {
    writeFileSync(inCwd("some.log"), "Seq\tHost\n");
    expect((await place.gc(["map", "--joblog", "some.log", "echo", ":::", "a"])).code).toBe(64);
    expect((await place.gc(["map", "--joblog", "some.log", "--resume", "echo", ":::", "a"])).code).toBe(65);
    expect((await place.gc(["map", "--resume", "echo", ":::", "a"])).code).toBe(64);
  }, 30_000);

  test("Ctrl-C cancels what is in flight and exits with 130", async () => {
    const run = place.start([
      "map",
      "--joblog",
      "int.log",
      "--cwd",
      place.cwd,
      "touch go-{}; sleep 60",
      ":::",
      "1",
      "2",
    ]);
    await until(() => existsSync(inCwd("go-1")), "a task to start");
    run.kill("SIGINT");
    const { code } = await run.end();
    expect([code, rows("int.log")]).toEqual([130, []]);
    await until(() => place.processesOf("sleep 60").length === 0, "the tasks to end");
  }, 30_000);
});
