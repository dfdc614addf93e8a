/** Tasks as real processes of a real worker: how they start, what they see, how they end, and what is left of them. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import * as fs from "node:fs";
import { environmentValue, processTable } from "../../core/host/processes.ts";
import { newTid, Rig } from "./rig.ts";

let rig: Rig;
beforeAll(async () => {
  rig = await Rig.start({
    file: { env: { ADDED: "by endpoint" } },
    env: {
      LD_PRELOAD: "",
      BUN_OPTIONS: "",
      NODE_OPTIONS: "",
      GC_HOME: "/x",
      LD_LIBRARY_PATH: "/y",
      MIMALLOC_PURGE_DELAY: "1",
      PLAIN: "yes",
    },
  });
});
afterAll(() => rig.close());

/** Living processes of a task. */
function processesOf(tid: string): number[] {
  return processTable()
    .filter(({ pid, state }) => state !== "Z" && environmentValue(pid, "GC_TASK_UUID") === tid)
    .map(({ pid }) => pid);
}

describe("a task", () => {
  test("gets its arguments as they are, and its output comes back on two streams", async () => {
    const result = await rig.run({ argv: ["sh", "-c", 'printf "%s|" "$@"; echo err >&2', "sh", "a b", "$HOME", "*"] });
    expect(result).toMatchObject({
      outcome: { class: "ok", cause: "exit", exit_code: 0 },
      stdout: { text: "a b|$HOME|*|" },
      stderr: { text: "err\n" },
      attempt: 1,
    });
    expect(result.cpu_ms).toBeGreaterThan(0);
  });

  test.each([
    ["its own code", { script: "exit 3" }, { class: "fail", cause: "exit", exit_code: 3 }],
    ["255", { script: "exit 255" }, { class: "fail", cause: "exit", exit_code: 255 }],
    ["128+N for a signal", { script: "kill -SEGV $$" }, { cause: "signal", exit_code: 139, signal: "SIGSEGV" }],
    ["137 for a stray KILL", { script: "kill -KILL $$" }, { cause: "signal", exit_code: 137, signal: "SIGKILL" }],
    ["127 when it is not found", { argv: ["no-such-command"] }, { cause: "spawn", exit_code: 127 }],
    ["127 for a path that is not there", { argv: ["/no/such/file"] }, { cause: "spawn", exit_code: 127 }],
    ["126 when it may not be executed", { argv: ["/etc/passwd"] }, { cause: "spawn", exit_code: 126 }],
    ["126 for a directory", { argv: ["/tmp"] }, { cause: "spawn", exit_code: 126 }],
    ["126 when the command line is too long", { argv: ["true", "x".repeat(3_000_000)] }, { exit_code: 126 }],
    ["126 for a NUL in an argument", { argv: ["true", "a\0b"] }, { cause: "spawn", exit_code: 126 }],
    ["125 when its directory is missing", { argv: ["true"], cwd: "/no/such/dir" }, { cause: "spawn", exit_code: 125 }],
  ] as const)("ends with %s", async (_name, spec, outcome) => {
    const result = await rig.run(JSON.parse(JSON.stringify(spec)));
    expect(result.outcome).toMatchObject(outcome);
  });

  test("whose directory is missing is told which", async () => {
    const { outcome } = await rig.run({ argv: ["true"], cwd: "/no/such/dir" });
    expect(outcome.reason).toBe('The directory to run in, "/no/such/dir", does not exist');
  });

  test("runs a script without an interpreter line, as every shell does", async () => {
    fs.writeFileSync(rig.path("plain"), 'echo "$1"\n', { mode: 0o755 });
    expect((await rig.run({ argv: [rig.path("plain"), "hi"] })).stdout.text).toBe("hi\n");
    fs.writeFileSync(rig.path("garbage"), Buffer.from([1, 2, 0, 3]), { mode: 0o755 });
    expect((await rig.run({ argv: [rig.path("garbage")] })).outcome.exit_code).toBe(126);
  });

  test("sees the endpoint's and its own variables, and nothing that steers gc's runtime", async () => {
    const result = await rig.run({ argv: ["env"], env: { OWN: "1\n2", LD_BIND_NOW: "x" } });
    const text = result.stdout.text ?? "";
    for (const line of ["ADDED=by endpoint", "PLAIN=yes", "OWN=1\n2", "GC_TASK_ATTEMPT=1", "LD_BIND_NOW=x"]) {
      expect(text).toContain(`${line}\n`);
    }
    for (const name of ["BUN_OPTIONS", "NODE_OPTIONS", "LD_LIBRARY_PATH", "GC_HOME", "MIMALLOC_PURGE_DELAY"]) {
      expect(text).not.toContain(`${name}=`);
    }
  });

  test("runs in an empty sandbox of its own, which is gone once the result is acknowledged", async () => {
    const script =
      'test "$PWD" = "$GC_TASK_SANDBOX_DIR" && ls -A | wc -l && mkdir -p a/b && echo x > a/b/c && chmod 500 a';
    for (let i = 0; i < 3; i++) {
      const tid = rig.submit({ script });
      expect((await rig.result(tid)).stdout.text?.trim()).toBe("0");
      await rig.until(() => !fs.existsSync(rig.path("sandboxes", `${tid}.1`)));
    }
  });

  test("runs where it is told: absolute, below its sandbox, or in the home of this machine", async () => {
    expect((await rig.run({ argv: ["pwd"], cwd: "/usr" })).stdout.text).toBe("/usr\n");
    expect((await rig.run({ argv: ["pwd"], cwd: "~" })).stdout.text).toBe(`${rig.dir}\n`);
    expect((await rig.run({ argv: ["pwd"], sandbox: false })).stdout.text).toBe(`${rig.dir}\n`);
    expect(
      (await rig.run({ argv: ["sh", "-c", "printenv GC_TASK_SANDBOX_DIR || echo none"], sandbox: false })).stdout.text,
    ).toBe("none\n");
  });

  test("leads a session of its own and inherits no descriptor of gc", async () => {
    const { stdout } = await rig.run({
      script: "set -- $(ps -o pid=,pgid=,sid= -p $$); echo $1 $2 $3; ls /proc/self/fd",
    });
    const [ids = "", ...fds] = (stdout.text ?? "").trim().split("\n");
    expect(new Set(ids.split(" ")).size).toBe(1);
    expect(fds).toEqual(["0", "1", "2", "3"]);
  });

  test("may write to /dev/stdout and /dev/stderr by name", async () => {
    const { stdout, stderr } = await rig.run({ script: "echo a >> /dev/stdout; echo b | tee -a /dev/stderr; echo c" });
    expect([stdout.text, stderr.text]).toEqual(["a\nb\nc\n", "b\n"]);
  });

  test("whose output is discarded sends back none", async () => {
    expect((await rig.run({ script: "echo lots; echo more >&2", output: "discard" })).stdout).toEqual({
      total: 0,
      kept: 0,
    });
  });

  test("ends once when the same message comes many times", async () => {
    const marker = rig.path("marker");
    const tid = newTid();
    for (let i = 0; i < 5; i++) rig.submit({ script: `echo x >> ${marker}; sleep 0.1` }, tid);
    await rig.result(tid);
    for (let i = 0; i < 5; i++) rig.submit({ script: `echo x >> ${marker}` }, tid);
    await rig.run({ argv: ["true"] });
    expect(fs.readFileSync(marker, "utf8")).toBe("x\n");
  });
});

describe("output", () => {
  test("of 50 MB ends in the last 1,000 lines, and all of it stays in a file", async () => {
    const tid = rig.submit({
      script: "yes 0123456789012345678901234567890123456789012345678 | head -n 1000000; echo end",
    });
    const { stdout } = await rig.result(tid);
    expect(stdout.total).toBe(50_000_004);
    expect(stdout.text?.split("\n").length).toBe(1001);
    expect(stdout.text?.endsWith("8\nend\n")).toBe(true);
    expect(fs.statSync(rig.path("outputs", `${tid}.1.out`)).size).toBe(50_000_004);
    fs.rmSync(rig.path("outputs", `${tid}.1.out`));
  });

  test("without line ends is cut to a megabyte", async () => {
    const tid = rig.submit({ script: "head -c 3000000 /dev/zero | tr '\\0' a" });
    const { stdout } = await rig.result(tid);
    expect([stdout.total, stdout.kept]).toEqual([3_000_000, 1024 * 1024]);
    fs.rmSync(rig.path("outputs", `${tid}.1.out`));
  });

  test("that is binary comes back byte for byte", async () => {
    const { stdout } = await rig.run({ script: "printf '\\377\\000\\001\\200'" });
    expect(stdout.text).toBeUndefined();
    expect([...Buffer.from(stdout.base64 ?? "", "base64")]).toEqual([255, 0, 1, 128]);
  });

  test("of one task never shows up in the next that uses the same file", async () => {
    const specs = Array.from({ length: 40 }, (_, i) => ({
      script: i % 2 === 0 ? `echo task ${i}; echo e${i} >&2` : ":",
    }));
    const tids = specs.map((spec) => rig.submit(spec));
    for (const [i, tid] of tids.entries()) {
      const { stdout, stderr } = await rig.result(tid);
      expect([stdout.text, stderr.text]).toEqual(i % 2 === 0 ? [`task ${i}\n`, `e${i}\n`] : [undefined, undefined]);
    }
    expect(fs.readdirSync(rig.path("outputs")).length).toBeLessThanOrEqual(4);
  });

  test("is followed while the task runs, every byte once, to its end", async () => {
    const tid = rig.submit({
      script: "for i in 1 2 3 4 5; do echo line $i; sleep 0.05; done; echo bad >&2; seq 20000",
    });
    rig.send({ t: "follow", sid: "f1", tid, stdout_from: 0, stderr_from: 0, window: 1 << 20 });
    await rig.until(() => rig.followed("f1", "stdout").bytes.includes("line 1\n"));
    expect(rig.results.has(tid)).toBe(false);
    await rig.until(() => rig.followed("f1", "stdout").end && rig.followed("f1", "stderr").end);
    const wanted = Array.from({ length: 20000 }, (_, i) => `${i + 1}\n`).join("");
    expect(rig.followed("f1", "stdout").bytes.toString()).toBe(`line 1\nline 2\nline 3\nline 4\nline 5\n${wanted}`);
    expect(rig.followed("f1", "stderr").bytes.toString()).toBe("bad\n");
  });

  test("is followed no further than the window allows", async () => {
    const tid = rig.submit({ script: "head -c 300000 /dev/zero; sleep 0.3" });
    rig.send({ t: "follow", sid: "f2", tid, stdout_from: 0, stderr_from: 0, window: 100_000 });
    await rig.result(tid);
    expect(rig.followed("f2", "stdout").bytes.byteLength).toBe(100_000);
  });

  test("that is over is still served until the result is acknowledged", async () => {
    rig.acknowledge = false;
    const tid = rig.submit({ script: "echo out; echo err >&2" });
    await rig.result(tid);
    rig.send({ t: "follow", sid: "f3", tid, stdout_from: 1, stderr_from: 0, window: 1000 });
    await rig.until(() => rig.followed("f3", "stdout", 1).end && rig.followed("f3", "stderr").end);
    expect(rig.followed("f3", "stdout", 1).bytes.toString()).toBe("ut\n");
    rig.acknowledge = true;
    rig.send({ t: "result_ack", done: [{ tid, attempt: 1 }] });
  });
});

describe("ending a task", () => {
  test("at its walltime is 124, and nothing of it survives", async () => {
    const tid = rig.submit({ script: "sleep 300 & sleep 300 & wait", walltime_s: 0.2 });
    const { outcome } = await rig.result(tid);
    expect(outcome).toMatchObject({ class: "fail", cause: "walltime", exit_code: 124 });
    expect(processesOf(tid)).toEqual([]);
  });

  test("that ignores TERM takes its grace and no longer", async () => {
    const began_ms = performance.now();
    const tid = rig.submit({ script: "trap '' TERM; while :; do sleep 0.05; done", walltime_s: 0.1, grace_s: 0.3 });
    const { outcome } = await rig.result(tid);
    expect(outcome.exit_code).toBe(124);
    expect(performance.now() - began_ms).toBeGreaterThan(390);
    expect(processesOf(tid)).toEqual([]);
  });

  test("lets it end by itself within its grace", async () => {
    const { outcome, stdout } = await rig.run({
      script: "trap 'echo saved; exit 0' TERM; while :; do sleep 0.02; done",
      walltime_s: 0.2,
      grace_s: 10,
    });
    expect(outcome.exit_code).toBe(124);
    expect(stdout.text).toBe("saved\n");
  });

  test("gives the grace to its children too, when the shell around them is gone at once", async () => {
    const child = "trap 'sleep 0.3; echo saved; exit 0' TERM; while :; do sleep 0.02; done";
    const { stdout } = await rig.run({ script: `sh -c "${child}" & wait`, walltime_s: 0.2, grace_s: 10 });
    expect(stdout.text).toBe("saved\n");
  });

  test("by a cancel says so", async () => {
    const tid = rig.submit({ script: "sleep 300" });
    await rig.untilStarted(tid);
    rig.send({ t: "cancel", tid, attempt: 1, cause: "cancel", signal: "SIGINT" });
    expect((await rig.result(tid)).outcome).toMatchObject({ class: "cancelled", cause: "cancel", exit_code: 130 });
    expect(processesOf(tid)).toEqual([]);
  });

  test("that is stopped (SIGSTOP) works as well", async () => {
    const tid = rig.submit({ script: "kill -STOP $$; sleep 300", grace_s: 5 });
    await rig.untilStarted(tid);
    rig.send({ t: "cancel", tid, attempt: 1, cause: "cancel" });
    expect((await rig.result(tid)).outcome.class).toBe("cancelled");
  });

  test("is not what a signal does that it handles", async () => {
    const tid = rig.submit({ script: "trap 'echo got; exit 7' INT; echo ready; while :; do sleep 0.02; done" });
    rig.send({ t: "follow", sid: "sig", tid, stdout_from: 0, stderr_from: 0, window: 1000 });
    await rig.until(() => rig.followed("sig", "stdout").bytes.includes("ready"));
    rig.send({ t: "signal", tid, signal: "SIGINT" });
    expect((await rig.result(tid)).outcome).toMatchObject({ class: "fail", exit_code: 7 });
  });
});

describe("what a task leaves behind", () => {
  // Other test files sleep as well at the same time: this many seconds nobody else does.
  const seconds = 300_000 + process.pid;

  test.each([
    ["in the background", `sleep ${seconds} & echo done`],
    ["in a session of its own", `setsid sleep ${seconds} & echo done`],
    ["forked twice, as a daemon", `(setsid sh -c 'sleep ${seconds} & sleep ${seconds}' &) ; sleep 0.1; echo done`],
    ["without the task's environment", `(env -i setsid sleep ${seconds} &) ; sleep 0.1; echo done`],
  ])("is ended when it is %s, and keeps the result waiting only for a moment", async (_name, script) => {
    const before = sleepers();
    const began_ms = performance.now();
    const tid = rig.submit({ script });
    const { outcome, stdout } = await rig.result(tid);
    expect(outcome).toEqual({ class: "ok", cause: "exit", exit_code: 0 });
    expect(stdout.text).toBe("done\n");
    expect(performance.now() - began_ms).toBeLessThan(3000);
    expect(processesOf(tid)).toEqual([]);
    expect(sleepers()).toEqual(before);
  });

  test("is waited for when it only needs a moment to write the rest", async () => {
    const { stdout } = await rig.run({ argv: ["bash", "-c", "exec > >(sleep 0.05; cat); echo late"] });
    expect(stdout.text).toBe("late\n");
  });

  test("does not harm a neighbour that runs at the same time", async () => {
    const neighbour = rig.submit({ script: "(setsid sleep 0.6 &); sleep 0.6; echo fine" });
    const other = rig.submit({ script: `setsid sleep ${seconds} & exit 4` });
    expect((await rig.result(other)).outcome.exit_code).toBe(4);
    expect((await rig.result(neighbour)).stdout.text).toBe("fine\n");
  });

  test("leaves no zombies, however many orphans it makes", async () => {
    await rig.run({ script: "i=0; while [ $i -lt 200 ]; do (true &); i=$((i+1)); done" });
    const worker = rig.readies[0]?.pid;
    await rig.until(() => !processTable().some(({ ppid, state }) => ppid === worker && state === "Z"));
  });

  function sleepers(): number[] {
    return processTable()
      .filter(({ pid }) => {
        try {
          return fs.readFileSync(`/proc/${pid}/cmdline`, "latin1") === `sleep\x00${seconds}\x00`;
        } catch {
          return false;
        }
      })
      .map(({ pid }) => pid);
  }
});
