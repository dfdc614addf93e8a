import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Frameable } from "../../core/wire/codec.ts";
import { CliHome, until } from "./task_cli.ts";

let here: CliHome;
beforeEach(async () => {
  here = await new CliHome().open();
});
afterEach(() => here.close());

const bytes = (count: number) => Buffer.from(Array.from({ length: count }, (_, at) => (at * 7919) & 255));

describe("gc run", () => {
  test("brings back both streams and the exit code", async () => {
    const { code, stdout, stderr } = await here.gc(["run", "--shell", "echo out; echo err >&2; exit 7"]);
    expect({ code, stdout, stderr }).toEqual({ code: 7, stdout: "out\n", stderr: "err\n" });
  });

  test("gives words after -- to the program as they are", async () => {
    const { stdout } = await here.gc(["run", "--", "printf", "%s|", "a b", "$HOME", "--json", ""]);
    expect(stdout).toBe("a b|$HOME|--json||");
  });

  test("sends a Python function as text and prints its value after its output", async () => {
    const path = join(here.root, "fit.py");
    writeFileSync(path, "def f(n, by=1): ...\n");
    const asked: unknown[] = [];
    let came: object = { stdout: { total: 4, kept: 4, text: "at 3" }, value: { kind: "json", text: "[1.5]" } };
    here.world.fake = (spec) => {
      asked.push(spec.python);
      return came;
    };
    const call = ["run", "--python", `${path}:f`, "--args", "[3]", "--kwargs"];
    expect(await here.gc([...call, '{"by": 2}'])).toMatchObject({ code: 0, stdout: "at 3\n[1.5]\n", stderr: "" });
    expect(asked).toEqual([
      {
        code: { kind: "source", source: "def f(n, by=1): ...\n", entry: "f" },
        arguments: { kind: "json", text: '{"args":[3],"kwargs":{"by": 2}}' },
      },
    ]);
    const exception = { type: "E", module: "m", message: "", traceback: "Traceback: E\n" };
    came = { exception, outcome: { class: "fail", cause: "exception", exit_code: 1, reason: "f() raised E" } };
    const raised = await here.gc([...call, "{}"]);
    expect(raised).toMatchObject({ code: 1, stdout: "", stderr: "Traceback: E\nwarning: f() raised E\n" });
    expect(await here.gc([...call, "[]"])).toMatchObject({ code: 125, stdout: "" });
  });

  test("exits with 128 and the number of the signal that ended the task", async () => {
    expect((await here.gc(["run", "--", "sh", "-c", "kill -9 $$"])).code).toBe(137);
  });

  test("sends a short input with the task and a long one as a stream, both intact", async () => {
    expect((await here.gc(["run", "--", "cat"], { stdin: Buffer.from("short\n") })).stdout).toBe("short\n");
    const long = bytes(3_000_000);
    const back = await here.gc(["run", "--", "cat"], { stdin: long });
    expect(back.bytes.equals(long)).toBe(true);
  });

  test("lets the task see the end of its input, and none with -n", async () => {
    const child = here.start(["run", "--", "cat"], { stdin: "pipe" });
    child.child.stdin.write("one\n");
    void child.child.stdin.flush();
    await until(() => child.stdout === "one\n");
    void child.child.stdin.end();
    expect((await child.end()).code).toBe(0);
    expect((await here.gc(["run", "-n", "--", "cat"], { stdin: Buffer.from("not this") })).stdout).toBe("");
  });

  test("reads the input from a file with --stdin", async () => {
    writeFileSync(join(here.root, "input"), "from a file");
    expect((await here.gc(["run", "--stdin", join(here.root, "input"), "--", "cat"])).stdout).toBe("from a file");
    const missing = await here.gc(["run", "--stdin", join(here.root, "nope"), "--", "cat"]);
    expect(missing.code).toBe(125);
  });

  test("passes 50 MB of binary output on in bounded memory", async () => {
    const child = here.start(["run", "--shell", "head -c 50000000 /dev/urandom"]);
    const { bytes, rss_max_bytes } = await child.end();
    expect(bytes.byteLength).toBe(50_000_000);
    expect(rss_max_bytes).toBeLessThan(220_000_000);
  }, 15_000);

  test("loses and repeats nothing over lost messages and broken connections", async () => {
    let chunks = 0;
    here.world.swallow = (message: Frameable) => message.t === "chunk" && ++chunks % 5 === 0;
    const child = here.start([
      "run",
      "--shell",
      "i=0; while [ $i -lt 400 ]; do echo line $i; i=$((i+1)); sleep 0.002; done",
    ]);
    for (const at of [20, 60]) {
      await until(() => chunks > at);
      here.world.cutLinks();
    }
    const { code, stdout } = await child.end();
    expect(code).toBe(0);
    expect(stdout).toBe(Array.from({ length: 400 }, (_, at) => `line ${at}\n`).join(""));
  }, 15_000);

  test("asks for no output of a task that ends at once, and gives a receipt for it", async () => {
    let chunks = 0;
    here.world.swallow = (message: Frameable) => message.t === "chunk" && ++chunks < 0;
    here.world.fake = () => ({ stdout: { total: 3, kept: 3, text: "hi\n" } });
    // On a machine that is busy elsewhere a task may not end at once; then its output is asked for, rightly.
    for (let attempt = 1; attempt <= 8; attempt++) {
      chunks = 0;
      expect((await here.gc(["run", "--", "true"])).stdout).toBe("hi\n");
      if (chunks === 0) break;
    }
    expect(chunks).toBe(0);
    await until(() => here.world.posts.length >= 1);
    expect(here.world.posts[0]).toStartWith("receipt ");
  });

  test("says what is missing when an endpoint no longer has the beginning of the output", async () => {
    here.world.fake = () => ({ stdout: { total: 1000, kept: 4, text: "end\n" } });
    const { stdout, stderr } = await here.gc(["run", "--", "x"]);
    expect(stdout).toBe("end\n");
    expect(stderr).toContain("996 bytes");
  });

  test("ends quietly, and the task with it, when nobody reads its output any more", async () => {
    const pipeline = `"$0" "$1" run --shell 'while :; do echo y; sleep 0.01; done' | head -1; exit \${PIPESTATUS[0]}`;
    const argv = ["bash", "-c", pipeline, process.execPath, join(import.meta.dir, "../../cmd/gc.ts")];
    const child = Bun.spawn(argv, {
      env: { ...process.env, GC_HOME: here.root, GC_AUTOSTART: "0" },
      stdin: "ignore",
      stdout: "pipe",
      stderr: "pipe",
    });
    expect(await new Response(child.stdout).text()).toBe("y\n");
    expect(await new Response(child.stderr).text()).toBe("");
    expect(await child.exited).toBe(141);
    expect(here.world.posts.some((post) => post.startsWith("cancel "))).toBe(true);
  });

  test("answers with one document with --json", async () => {
    const { code, stdout } = await here.gc(["run", "--json", "--", "sh", "-c", "echo hi; exit 4"]);
    expect(code).toBe(4);
    expect(JSON.parse(stdout)).toMatchObject({
      schema: "gc/result/v1",
      outcome: { exit_code: 4 },
      stdout: { text: "hi\n" },
    });
  });

  test("exits with 125 when it fails before the command runs", async () => {
    const { code, stdout, stderr } = await here.gc(["run", "-e", "nope", "--", "true"]);
    expect({ code, stdout }).toEqual({ code: 125, stdout: "" });
    expect(stderr).toContain('There is no endpoint "nope"');
    here.world.refuse = { kind: "permission", code: "submit.forbidden", message: "You may not submit here" };
    const refused = await here.gc(["run", "-e", "lab", "--", "true"]);
    expect(refused.code).toBe(125);
    expect(refused.stderr).toContain("You may not submit here");
  });

  test("says that the task waits here when the relay stays away, and exits with 125", async () => {
    await here.world.close();
    const env = { GC_RELAY_WAIT: "0.3" };
    const { code, stdout, stderr } = await here.gc(["run", "--", "true"], { env });
    expect({ code, stdout }).toEqual({ code: 125, stdout: "" });
    expect(stderr).toContain("waits in the outbox");
    await here.openWorld();
    expect((await here.gc(["ps"])).code).toBe(0);
    await until(() => here.world.envelopes.size === 1);
  });

  test("drops the task at Ctrl-C while it has not left this machine", async () => {
    await here.world.close();
    const child = here.start(["run", "--", "true"]);
    await until(() => readdirSync(here.root).includes("outbox") && readdirSync(here.home.outbox).length === 1);
    child.child.kill("SIGINT");
    const { code, stderr } = await child.end();
    expect(code).toBe(130);
    expect(stderr).toContain("dropped");
    expect(readdirSync(here.home.outbox)).toEqual([]);
  });

  test("prints the id alone with --detach", async () => {
    const { code, stdout } = await here.gc(["run", "-d", "--", "sleep", "60"]);
    expect(code).toBe(0);
    expect(stdout.trim()).toBe([...here.world.envelopes.keys()][0] ?? "");
  });

  test("uses the endpoint that GC_ENDPOINT names", async () => {
    const env = { GC_ENDPOINT: "lab" };
    expect((await here.gc(["run", "--", "echo", "hi"], { env })).stdout).toBe("hi\n");
    expect((await here.gc(["run", "--", "echo", "hi"], { env: { GC_ENDPOINT: "nope" } })).code).toBe(125);
  });
});

describe("gc run and signals", () => {
  const stubborn = "trap 'echo caught; exit 9' INT; echo ready; while :; do sleep 0.05; done";
  const deaf = "trap '' INT; echo ready; while :; do sleep 0.05; done";

  test("interrupts the task at the first Ctrl-C and goes on with it", async () => {
    const child = here.start(["run", "--shell", stubborn]);
    await until(() => child.stdout.includes("ready"));
    child.child.kill("SIGINT");
    const { code, stdout } = await child.end();
    expect(code).toBe(9);
    expect(stdout).toContain("caught");
    expect(here.world.posts.some((post) => post.startsWith("cancel"))).toBe(false);
  });

  test("cancels the task at the second", async () => {
    const child = here.start(["run", "--shell", deaf]);
    await until(() => child.stdout.includes("ready"));
    child.child.kill("SIGINT");
    await Bun.sleep(50);
    child.child.kill("SIGINT");
    expect((await child.end()).code).toBe(143);
    expect(here.world.posts.some((post) => post.startsWith("cancel"))).toBe(true);
  });

  test("leaves the task alone at the third and says how to come back", async () => {
    const child = here.start(["run", "--shell", `trap '' INT TERM; echo ready; while :; do sleep 0.05; done`]);
    await until(() => child.stdout.includes("ready"));
    for (let times = 0; times < 3; times++) {
      child.child.kill("SIGINT");
      await Bun.sleep(50);
    }
    const { code, stderr } = await child.end();
    expect(code).toBe(130);
    expect(stderr).toContain("gc logs -f ");
  });

  test("leaves the task running when its terminal goes away", async () => {
    const child = here.start(["run", "--shell", "echo ready; exec sleep 60"]);
    await until(() => child.stdout.includes("ready"));
    child.child.kill("SIGHUP");
    expect((await child.end()).code).toBe(129);
    expect([...here.world.tasks.values()][0]?.standing().phase).toBe("running");
    expect(here.world.posts).toEqual([]);
  });

  test("cancels the task when it is terminated", async () => {
    const child = here.start(["run", "--shell", "echo ready; exec sleep 60"]);
    await until(() => child.stdout.includes("ready"));
    child.child.kill("SIGTERM");
    expect((await child.end()).code).toBe(143);
    expect(here.world.posts.some((post) => post.startsWith("cancel"))).toBe(true);
  });
});
