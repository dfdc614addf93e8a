import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { CliHome, until } from "./task_cli.ts";

let here: CliHome;
beforeEach(async () => {
  here = await new CliHome().open();
});
afterEach(() => here.close());

const submit = async (...words: string[]) => (await here.gc(["submit", "--", ...words])).stdout.trim();

describe("gc result", () => {
  test("puts output on its own streams and exits as the task did", async () => {
    const id = await submit("sh", "-c", "echo out; echo err >&2; exit 3");
    const { code, stdout, stderr } = await here.gc(["result", "--wait", id]);
    expect({ code, stdout, stderr }).toEqual({ code: 3, stdout: "out\n", stderr: "err\n" });
    await until(() => here.world.posts.includes(`receipt ${id}:0`));
  });

  test("says that a task has not ended, or waits for it, or not for ever", async () => {
    const gate = join(here.root, "gate");
    const id = await submit("sh", "-c", `while [ ! -e ${gate} ]; do sleep 0.02; done; echo late`);
    const early = await here.gc(["result", id]);
    expect({ code: early.code, stdout: early.stdout }).toEqual({ code: 75, stdout: "" });
    expect(early.stderr).toContain("has not ended");
    expect((await here.gc(["result", "--wait", "--timeout", "1", id])).code).toBe(124);
    writeFileSync(gate, "");
    expect((await here.gc(["result", "--wait", id])).stdout).toBe("late\n");
  });

  test("understands last, the beginning of an id, and groups", async () => {
    await submit("echo", "first");
    const { stdout } = await here.gc(["submit", "--group", "two", "--", "echo", "second"]);
    expect((await here.gc(["result", "--wait", "last"])).stdout).toBe("second\n");
    expect((await here.gc(["result", "--wait", stdout.slice(0, 12)])).stdout).toBe("second\n");
    expect((await here.gc(["result", "--wait", "--group", "two"])).stdout).toBe("second\n");
    const unknown = await here.gc(["result", "00000000-0000-8000-8000-000000000000"]);
    expect(unknown.code).toBe(66);
    expect((await here.gc(["result", "zzz"])).code).toBe(65);
  });

  test("gives everything as JSON", async () => {
    const id = await submit("echo", "hi");
    const { stdout } = await here.gc(["result", "--wait", "--json", id]);
    expect(JSON.parse(stdout)).toMatchObject({
      schema: "gc/results/v1",
      results: [{ id, pinned: true, outcome: { class: "ok" }, stdout: { text: "hi\n" }, host: "stub" }],
    });
  });

  test("gives no receipt for output that it shows only the end of", async () => {
    const { stdout } = await here.gc(["submit", "--snippet-lines", "1", "--", "seq", "5"]);
    const { stdout: out, stderr } = await here.gc(["result", "--wait", stdout.trim()]);
    expect(out).toBe("5\n");
    expect(stderr).toContain("gc logs ");
    expect(here.world.posts).toEqual([]);
    expect((await here.gc(["logs", "last"])).stdout).toBe("1\n2\n3\n4\n5\n");
  });
});

describe("gc wait", () => {
  test("is 0 when all succeeded and 1 when not, and opens no result", async () => {
    const good = await submit("true");
    const bad = await submit("sh", "-c", "sleep 0.2; exit 4");
    expect((await here.gc(["wait", good])).code).toBe(0);
    const both = await here.gc(["wait", good, bad]);
    expect({ code: both.code, stdout: both.stdout }).toEqual({ code: 1, stdout: "" });
    expect(here.world.posts).toEqual([]);
  });

  test("is 124 when time runs out", async () => {
    const id = await submit("sleep", "60");
    expect((await here.gc(["wait", "--timeout", "0.1", id])).code).toBe(124);
  });
});

describe("gc logs", () => {
  test("prints what a running task has written so far, and with -f the rest as it comes", async () => {
    const gate = join(here.root, "gate");
    const id = await submit("sh", "-c", `echo one; while [ ! -e ${gate} ]; do sleep 0.02; done; echo two; exit 6`);
    const so_far = await here.gc(["logs", id]);
    expect({ code: so_far.code, stdout: so_far.stdout }).toEqual({ code: 0, stdout: "one\n" });
    const following = here.start(["logs", "-f", id]);
    await until(() => following.stdout === "one\n");
    writeFileSync(gate, "");
    const { code, stdout } = await following.end();
    expect({ code, stdout }).toEqual({ code: 6, stdout: "one\ntwo\n" });
  });
});

describe("gc cancel, retry, why and ps", () => {
  test("cancel ends a running task and waits until it has", async () => {
    const id = await submit("sleep", "60");
    const { code, stderr } = await here.gc(["cancel", id]);
    expect(code).toBe(0);
    expect(stderr).toContain("is cancelled");
    expect((await here.gc(["result", id])).code).toBe(143);
  });

  test("cancel leaves a task that had ended as it was", async () => {
    const id = await submit("true");
    await here.gc(["wait", id]);
    const { code, stderr } = await here.gc(["cancel", id]);
    expect(code).toBe(0);
    expect(stderr).toContain("had ended already (ok)");
  });

  test("retry submits the same command again, of a group only what failed", async () => {
    const tasks = ["exit 1", "exit 0", "exit 2"].map((line) => JSON.stringify(line)).join("\n");
    await here.gc(["submit", "--group", "g", "--file", "-"], { stdin: Buffer.from(tasks) });
    await here.gc(["wait", "--group", "g"]);
    const { stdout } = await here.gc(["retry", "--group", "g"]);
    const ids = stdout.trim().split("\n");
    expect(ids.length).toBe(2);
    await here.gc(["wait", ...ids]);
    const codes = await Promise.all(ids.map(async (id) => (await here.gc(["result", id])).code));
    expect(codes).toEqual([1, 2]);
  });

  test("retry refuses a task that has not ended", async () => {
    const id = await submit("sleep", "60");
    expect((await here.gc(["retry", id])).code).toBe(75);
  });

  test("why says what a task waits for and what to do next", async () => {
    here.world.online = false;
    const { stdout } = await here.gc(["submit", "-e", "lab", "--", "true"]);
    const why = await here.gc(["why", stdout.trim(), "--json"]);
    expect(JSON.parse(why.stdout)).toMatchObject({
      schema: "gc/why/v1",
      state: "queued",
      hint: "gc endpoint start lab",
    });
    here.world.online = true;
    const failed = await submit("sh", "-c", "exit 3");
    await here.gc(["wait", failed]);
    expect((await here.gc(["why", failed])).stdout).toContain("exit code 3");
    const running = await submit("sleep", "60");
    await until(() => here.world.tasks.has(running));
    expect((await here.gc(["why", "last"])).stdout).toContain("running: ");
  });

  test("ps lists tasks newest first, with what their endpoints say", async () => {
    await here.gc(["run", "--shell", "exit 2"]);
    const running = await submit("sleep", "60");
    await until(() => here.world.tasks.has(running));
    const { stdout } = await here.gc(["ps", "--json"]);
    const { tasks } = JSON.parse(stdout);
    expect(tasks.map((each: { state: string; title: string }) => [each.state, each.title])).toEqual([
      ["running", "sleep 60"],
      ["fail", "exit 2"],
    ]);
    const { stdout: table } = await here.gc(["ps"]);
    expect(table).toContain(running.slice(0, 8));
  });

  test("ps shows escape sequences in commands instead of obeying them", async () => {
    await submit("printf", "\u001b]0;owned\u0007");
    const { stdout } = await here.gc(["ps"]);
    expect(stdout).toContain("\\x1b");
    expect(stdout).not.toContain("\u001b]0");
  });
});
