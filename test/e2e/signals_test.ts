import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { isAlive, Throwaway } from "./throwaway.ts";
import { until } from "./until.ts";

const place = new Throwaway();
beforeAll(() => place.must(["run", "--", "true"]));
afterAll(() => place.close());

const ctrlC = "\x03";
const ctrlBackslash = "\x1c";
let counter = 0;

/** A line of shell that writes its pid, says "ready", and then does as `line` says; and where the pid is. */
function told(line: string): { line: string; pid: () => number } {
  const file = join(place.cwd, `pid${++counter}`);
  return { line: `echo $$ >${file}; ${line}`, pid: () => Number(readFileSync(file, "utf8")) };
}

const loop = "echo ready; while :; do sleep 0.05; done";
const gone = (pid: number) => until(() => !isAlive(pid), `process ${pid} to end`);

describe("Ctrl-C at a terminal", () => {
  test("once interrupts the task, which may answer; its own code is the code", async () => {
    const task = told(`trap 'echo caught; exit 9' INT; ${loop}`);
    const run = place.terminal(["run", "--shell", task.line]);
    await until(() => run.screen.includes("ready"), "the task to be ready");
    run.type(ctrlC);
    const { code, screen } = await run.end();
    expect(code).toBe(9);
    expect(screen).toContain("caught");
    await gone(task.pid());
  });

  test("once ends a task that does not care, with 130", async () => {
    const task = told("echo ready; exec sleep 60");
    const run = place.terminal(["run", "--shell", task.line]);
    await until(() => run.screen.includes("ready"), "the task to be ready");
    run.type(ctrlC);
    expect((await run.end()).code).toBe(130);
    await gone(task.pid());
  });

  test("twice cancels the task: TERM, and KILL when its grace is over", async () => {
    const task = told(`trap '' INT TERM; ${loop}`);
    const run = place.terminal(["run", "--grace", "0.5s", "--shell", task.line]);
    await until(() => run.screen.includes("ready"), "the task to be ready");
    run.type(ctrlC);
    await until(() => /interrupting/.test(run.screen), "gc to say what it does");
    run.type(ctrlC);
    const { code, screen } = await run.end();
    expect(code).toBeOneOf([137, 143]);
    expect(screen).toContain("cancelling");
    await gone(task.pid());
  });

  test("thrice leaves the task and says how to come back", async () => {
    const task = told(`trap '' INT TERM; ${loop}`);
    const run = place.terminal(["run", "--grace", "60s", "--shell", task.line]);
    await until(() => run.screen.includes("ready"), "the task to be ready");
    run.type(ctrlC);
    await until(() => /interrupting/.test(run.screen), "the first answer");
    run.type(ctrlC);
    await until(() => /cancelling/.test(run.screen), "the second answer");
    run.type(ctrlC);
    const { code, screen } = await run.end();
    expect(code).toBe(130);
    expect(screen).toMatch(/gc logs -f [0-9a-f-]{36}/);
    expect(isAlive(task.pid())).toBe(true);
    process.kill(task.pid(), "SIGKILL");
  });

  test("while nothing runs yet cancels the task, which then never runs", async () => {
    const witness = join(place.cwd, "never");
    await place.must(["endpoint", "configure", "asleep", "--yes"]);
    const run = place.terminal(["run", "-e", "asleep", "--", "touch", witness]);
    await until(async () => (await place.why("last")).state === "queued", "the task to be at the relay");
    run.type(ctrlC);
    await until(() => /cancel/.test(run.screen), "gc to say what it does");
    run.type(ctrlC);
    const { code, hung } = await run.end(10_000);
    expect({ code, hung }).toEqual({ code: 130, hung: false });
    await place.must(["endpoint", "start", "--detach", "asleep"]);
    expect((await place.gc(["result", "--wait", "--timeout", "10s", "last"])).code).toBe(143);
    expect(existsSync(witness)).toBe(false);
    await place.must(["endpoint", "stop", "asleep"]);
  });

  test("leaves the task alone at once with --detach-on-interrupt", async () => {
    const task = told("echo ready; exec sleep 60");
    const run = place.terminal(["run", "--detach-on-interrupt", "--shell", task.line]);
    await until(() => run.screen.includes("ready"), "the task to be ready");
    run.type(ctrlC);
    const { code, screen } = await run.end();
    expect(code).toBe(130);
    expect(screen).toContain("gc logs -f ");
    expect(isAlive(task.pid())).toBe(true);
    process.kill(task.pid(), "SIGKILL");
  });

  test("does nothing to the daemons that gc started on the way", async () => {
    const own = new Throwaway();
    try {
      const run = own.terminal(["run", "--shell", "echo ready; exec sleep 60"]);
      await until(() => run.screen.includes("ready"), "the task to be ready");
      const daemons = ["__relay", "__endpoint", "__worker"].flatMap((role) => own.processesOf(role));
      expect(daemons).toHaveLength(3);
      run.type(ctrlC);
      expect((await run.end()).code).toBe(130);
      expect(daemons.every(isAlive)).toBe(true);
      expect(await own.must(["run", "--", "echo", "still"])).toBe("still");
    } finally {
      await own.close();
    }
  });
});

describe("other ends of a terminal", () => {
  test("Ctrl-\\ leaves the task running and says how to come back", async () => {
    const task = told("echo ready; exec sleep 60");
    const run = place.terminal(["run", "--shell", task.line]);
    await until(() => run.screen.includes("ready"), "the task to be ready");
    run.type(ctrlBackslash);
    const { code, screen } = await run.end();
    expect(code).toBe(131);
    expect(screen).toContain("gc logs -f ");
    expect(isAlive(task.pid())).toBe(true);
    process.kill(task.pid(), "SIGKILL");
  });

  test("a terminal that goes away leaves the task running, and its output can be had later", async () => {
    const task = told("echo ready; sleep 1; echo later");
    const run = place.terminal(["run", "--shell", task.line]);
    await until(() => run.screen.includes("ready"), "the task to be ready");
    run.hangUp();
    expect((await run.end()).code).toBe(129);
    expect(isAlive(task.pid())).toBe(true);
    expect((await place.gc(["result", "--wait", "last"])).stdout).toBe("ready\nlater\n");
  });

  test("SIGHUP leaves the task running", async () => {
    const task = told("echo ready; exec sleep 60");
    const run = place.start(["run", "--shell", task.line]);
    await until(() => run.stdout.includes("ready"), "the task to be ready");
    run.kill("SIGHUP");
    expect((await run.end()).code).toBe(129);
    expect(isAlive(task.pid())).toBe(true);
    process.kill(task.pid(), "SIGKILL");
  });

  test("SIGTERM cancels the task", async () => {
    const task = told("echo ready; exec sleep 60");
    const run = place.start(["run", "--shell", task.line]);
    await until(() => run.stdout.includes("ready"), "the task to be ready");
    run.kill("SIGTERM");
    expect((await run.end()).code).toBe(143);
    await gone(task.pid());
  });

  test("SIGKILL of gc leaves the task running", async () => {
    const task = told("echo ready; sleep 0.5; echo later");
    const run = place.start(["run", "--shell", task.line]);
    await until(() => run.stdout.includes("ready"), "the task to be ready");
    run.kill("SIGKILL");
    await run.end();
    expect((await place.gc(["result", "--wait", "last"])).stdout).toBe("ready\nlater\n");
  });
});

describe("a task that is hard to end", () => {
  test("and starts others that leave its session is ended with all of them", async () => {
    const file = join(place.cwd, "tree");
    const child = `setsid sh -c 'echo $$ >>${file}; exec sleep 63' &`;
    const line = `for n in 1 2 3; do ${child} done; sleep 0.3; echo ready; wait`;
    const run = place.start(["run", "--grace", "0.3s", "--shell", line]);
    await until(() => run.stdout.includes("ready"), "the task to be ready");
    await place.must(["cancel", "last"]);
    expect((await run.end()).code).toBe(143);
    for (const pid of readFileSync(file, "utf8").trim().split("\n")) await gone(Number(pid));
  });

  test("that ignores TERM is killed when its grace is over", async () => {
    const task = told(`trap '' TERM INT HUP; ${loop}`);
    const id = await place.must(["submit", "--grace", "0.4s", "--shell", task.line]);
    await until(async () => (await place.gc(["logs", id])).stdout.includes("ready"), "the task to be ready");
    const began_ms = performance.now();
    await place.must(["cancel", id]);
    expect(performance.now() - began_ms).toBeGreaterThan(350);
    await gone(task.pid());
    // The first cause counts: it was cancelled, whatever it took.
    expect((await place.gc(["result", id])).code).toBe(143);
  });

  test("that forks and exits is over when it exits, and its child does not hold up gc", async () => {
    const file = join(place.cwd, "child");
    const began_ms = performance.now();
    const line = `sleep 64 & echo $! >${file}; echo parent`;
    const { code, stdout, hung } = await place.gc(["run", "--shell", line]);
    expect({ code, stdout, hung }).toEqual({ code: 0, stdout: "parent\n", hung: false });
    expect(performance.now() - began_ms).toBeLessThan(10_000);
    await gone(Number(readFileSync(file, "utf8")));
  });

  test("that closes its streams and goes on is waited for", async () => {
    const { code, stdout } = await place.gc(["run", "--shell", "echo out; exec >&- 2>&-; sleep 0.5; exit 5"]);
    expect({ code, stdout }).toEqual({ code: 5, stdout: "out\n" });
  });

  test("that stops itself is still ended by its walltime", async () => {
    const { code } = await place.gc(["run", "--walltime", "0.5s", "--grace", "0.3s", "--shell", "kill -STOP $$"]);
    expect(code).toBe(124);
  });
});

describe("gc run -t", () => {
  test("gives the task a terminal of the size of ours", async () => {
    const run = place.terminal(["run", "-t", "--shell", "tty; stty size; echo term=$TERM"]);
    const { code, screen } = await run.end();
    expect(code).toBe(0);
    expect(screen).toMatch(/\/dev\/pts\/\d+\r\n30 100\r\nterm=xterm/);
  });

  test("types into it, with Ctrl-C as a key", async () => {
    const run = place.terminal([
      "run",
      "-t",
      "--shell",
      "trap 'echo caught' INT; echo ready; read a; echo got=$a; read b; echo also=$b",
    ]);
    await until(() => run.screen.includes("ready"), "the task to be ready");
    run.type("hello\r");
    await until(() => run.screen.includes("got=hello"), "the answer");
    run.type(ctrlC);
    await until(() => run.screen.includes("caught"), "the task to see the key");
    run.type("bye\r");
    const { code, screen } = await run.end();
    expect(screen).toContain("\n");
    expect(code).toBe(0);
  });

  test("tells the task when the window changes", async () => {
    const run = place.terminal([
      "run",
      "-t",
      "--shell",
      "trap 'stty size; exit 0' WINCH; echo ready; while :; do sleep 0.05; done",
    ]);
    await until(() => run.screen.includes("ready"), "the task to be ready");
    run.resize(77, 22);
    expect((await run.end()).screen).toContain("22 77");
  });

  test("gives the task no terminal unless asked", async () => {
    expect((await place.gc(["run", "--shell", "tty; [ -t 1 ] || echo no"])).stdout).toBe("not a tty\nno\n");
  });
});
