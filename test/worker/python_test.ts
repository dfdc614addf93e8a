/** Python functions as tasks of a real worker, under the Python of this machine. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import * as fs from "node:fs";
import { environmentValue, processTable } from "../../core/host/processes.ts";
import type { PythonCall } from "../../core/schema/python.ts";
import type { Result } from "../../core/schema/result.ts";
import type { TaskSpec } from "../../core/schema/task.ts";
import { Rig } from "./rig.ts";

const python = Bun.which("python3");

function call(source: string, args: unknown[] = [], more: Partial<PythonCall> = {}): TaskSpec {
  const text = JSON.stringify({ args, kwargs: {} });
  return { python: { code: { kind: "source", source, entry: "f" }, arguments: { kind: "json", text }, ...more } };
}

function valueIn(result: Result): unknown {
  if (result.value?.kind !== "json") throw new Error(JSON.stringify(result));
  return JSON.parse(result.value.text);
}

describe.skipIf(python === null)("a Python function", () => {
  let rig: Rig;
  beforeAll(async () => {
    const { PYTHONPATH = "" } = process.env;
    rig = await Rig.start({ file: { slots: 2 }, env: { PYTHONPATH } });
  });
  afterAll(() => rig.close());
  const run = (source: string, args: unknown[] = [], more: Partial<PythonCall> = {}, spec: Partial<TaskSpec> = {}) =>
    rig.run({ ...call(source, args, more), ...spec });

  test("gets its arguments and gives its value back", async () => {
    const result = await run("def f(a, b):\n    return [a, b, None, 1.5]", ["x", { y: 2 }]);
    expect(valueIn(result)).toEqual(["x", { y: 2 }, null, 1.5]);
    expect(result).toMatchObject({ outcome: { class: "ok", cause: "exit", exit_code: 0 } });
  });

  test("prints into the output of its task, also without a newline and from a process that it starts", async () => {
    const source = `
import os, subprocess, sys
def f():
    print("one")
    subprocess.run(["sh", "-c", "echo two; echo err >&2"])
    os.write(1, b"three\\n")
    print("four", end="")
`;
    const { stdout, stderr } = await run(source);
    expect(stdout.text).toBe("one\ntwo\nthree\nfour");
    expect(stderr.text).toBe("err\n");
  });

  test("that raises fails with the exception as it was, and without our lines in its traceback", async () => {
    const result = await run("def f(n):\n    return 1 / n", [0]);
    expect(result.outcome).toMatchObject({
      class: "fail",
      cause: "exception",
      exit_code: 1,
      reason: "f() raised ZeroDivisionError: division by zero",
    });
    const { exception } = result;
    expect(exception).toMatchObject({ type: "ZeroDivisionError", module: "builtins", message: "division by zero" });
    expect(exception?.args).toBe('["division by zero"]');
    expect(exception?.traceback).toContain("return 1 / n");
    expect(exception?.traceback).not.toContain("runner.py");
  });

  test.each([
    ["sys.exit(3)", "import sys\ndef f(): sys.exit(3)", { cause: "exception", exit_code: 1 }],
    ["os._exit(7)", "import os\ndef f(): os._exit(7)", { class: "fail", cause: "exit", exit_code: 7 }],
    ["os._exit(0)", "import os\ndef f(): os._exit(0)", { class: "fail", cause: "exit", exit_code: 1 }],
    [
      "a crash",
      "import ctypes\ndef f(): ctypes.string_at(0)",
      { class: "fail", cause: "signal", exit_code: 139, signal: "SIGSEGV" },
    ],
    ["a KILL", "import os\ndef f(): os.kill(os.getpid(), 9)", { cause: "signal", signal: "SIGKILL" }],
  ] as const)("that ends by %s ends alone", async (_name, source, outcome) => {
    expect((await run(source)).outcome).toMatchObject(outcome);
    expect(valueIn(await run("def f(): return 1"))).toBe(1);
  });

  test("whose crash left a fault report says where", async () => {
    const { outcome, stderr } = await run("import ctypes\ndef f(): ctypes.string_at(0)");
    expect(outcome.reason).toBe("Python was killed by SIGSEGV while it ran f()");
    expect(stderr.text).toContain("Segmentation fault");
  });

  test("stays warm for the next call, and keeps what it loaded", async () => {
    const source = "import os\ncalls = []\ndef f():\n    calls.append(1)\n    return [os.getpid(), len(calls)]";
    const first = valueIn(await run(source)) as number[];
    const second = valueIn(await run(source)) as number[];
    expect(second).toEqual([first[0] as number, (first[1] as number) + 1]);
  });

  test.each([
    ["a thread", "import os, threading, time\ndef f():\n threading.Thread(target=time.sleep, args=(60,)).start()"],
    ["a child", "import os, subprocess\ndef f():\n subprocess.Popen(['sleep', '60'])"],
    ["an orphan", "import os, subprocess\ndef f():\n subprocess.run('sleep 60 & disown -a 2>/dev/null', shell=True)"],
  ])("that leaves %s behind gives its value, and the next call gets a fresh interpreter", async (_name, body) => {
    const first = valueIn(await run(`${body}\n return os.getpid()`));
    expect(first).toBeNumber();
    const next = valueIn(await run("import os\ndef f(): return os.getpid()"));
    expect(next).not.toBe(first);
  });

  test("sees its sandbox, its environment and its ids, and the next one finds them restored", async () => {
    const source = `
import os
def f():
    os.environ["LEAKED"] = "yes"
    return [os.getcwd() == os.environ["GC_TASK_SANDBOX_DIR"], os.environ["GC_TASK_UUID"], os.environ.get("MINE")]
`;
    const tid = rig.submit({ ...call(source), env: { MINE: "1" } });
    expect(valueIn(await rig.result(tid))).toEqual([true, tid, "1"]);
    const next = "import os\ndef f(): return [os.environ.get('LEAKED'), os.environ.get('GC_PYTHON_OF')]";
    expect(valueIn(await run(next, [], {}, { env: { MINE: "1" } }))).toEqual([null, null]);
  });

  test("is ended by its walltime and by a cancel, as any task", async () => {
    const source = "import time\ndef f(): time.sleep(60)";
    const late = await run(source, [], {}, { walltime_s: 0.3 });
    expect(late.outcome).toMatchObject({ class: "fail", cause: "walltime", exit_code: 124 });
    const tid = rig.submit(call(source));
    await rig.untilStarted(tid);
    rig.send({ t: "cancel", tid, attempt: 1, cause: "cancel" });
    expect((await rig.result(tid)).outcome).toMatchObject({ class: "cancelled", cause: "cancel" });
    expect(valueIn(await run("def f(): return 1"))).toBe(1);
  });

  test.each([
    ["a coroutine", "import asyncio\nasync def f():\n    await asyncio.sleep(0)\n    return 5", 5],
    ["a generator", "def f():\n    yield 1\n    yield 2", [1, 2]],
    ["an asynchronous generator", "async def f():\n    yield 1\n    yield 2", [1, 2]],
  ])("that returns %s is run to its end", async (_name, source, value) => {
    expect(valueIn(await run(source))).toEqual(value);
  });

  test("whose value cannot be sent says its type and what to do", async () => {
    const enumerated = await run("import enum\nclass E(enum.IntEnum):\n    A = 1\ndef f(): return [E.A]");
    expect(enumerated.exception).toMatchObject({ type: "UnserializableResult", module: "gc" });
    expect(enumerated.outcome.reason).toMatch(/holds, a gc_function_\w+\.E, which JSON cannot carry.*result: "pickle"/);
    const lock = await run("import threading\ndef f(): return threading.Lock()", [], { result: "pickle" });
    expect(lock.outcome.reason).toMatch(/is a _thread\.lock, which cannot be pickled/);
    const huge = await run("def f(): return 'x' * 20000000");
    expect(huge.outcome.reason).toMatch(/19\.1 MiB as JSON, more than the 8\.0 MiB/);
  });

  test("may return megabytes", async () => {
    expect(valueIn(await run("def f(): return 'x' * 7000000"))).toHaveLength(7_000_000);
  });

  test("gets what JSON lacks as tags, and gives it back so", async () => {
    const tagged = [
      { $gc: "tuple", v: [1, { $gc: "bytes", v: "AP8=" }] },
      { $gc: "dict", v: [[1, "one"]] },
      { $gc: "datetime", v: "2026-01-02T03:04:05.000006+02:00" },
      { $gc: "timedelta", v: [1, 2, 3] },
      { $gc: "decimal", v: "1.50" },
      { $gc: "path", v: "/a/b" },
      { $gc: "uuid", v: "12345678-1234-5678-1234-567812345678" },
      { $gc: "float", v: "-inf" },
      { $gc: "complex", v: [1.5, -2] },
      { $gc: "int", v: "0x100000000000000000" },
      { $gc: "set", v: ["a"] },
    ];
    const source = "def f(*a):\n    return [a[0].__class__.__name__, list(a)]";
    expect(valueIn(await run(source, tagged))).toEqual(["tuple", tagged]);
  });

  const numpy = python !== null && Bun.spawnSync([python, "-c", "import numpy"]).success;
  test.skipIf(!numpy)(`gets numpy values and gives them back${numpy ? "" : " (SKIPPED: no numpy here)"}`, async () => {
    const array = { $gc: "ndarray", v: "AQAAAAIAAAADAAAABAAAAA==", dtype: "<i4", shape: [2, 2] };
    const result = await run("def f(a): return [a.T, a.sum(dtype='i8'), a.T.tolist()]", [array]);
    const turned = { ...array, v: "AQAAAAMAAAACAAAABAAAAA==" };
    expect(valueIn(result)).toEqual([
      turned,
      { $gc: "numpy", v: "CgAAAAAAAAA=", dtype: "<i8" },
      [
        [1, 3],
        [2, 4],
      ],
    ]);
    const objects = await run("import numpy\ndef f(): return numpy.array([object()])");
    expect(objects.outcome.reason).toContain("numpy array of objects");
  });

  test("comes and goes as a pickle where both Pythons are of the same minor version, else both are named", async () => {
    const version = Bun.spawnSync([String(python), "-c", "import sys;print('%d.%d.%d' % sys.version_info[:3])"]);
    const own = version.stdout.toString().trim();
    const pickled = Bun.spawnSync([
      String(python),
      "-c",
      "import pickle,base64;print(base64.b64encode(pickle.dumps(((2, 3), {}), 4)).decode())",
    ]);
    const base64 = pickled.stdout.toString().trim();
    const source = "def f(a, b): return a * b";
    const good = await run(source, [], { arguments: { kind: "pickle", base64, version: own }, result: "pickle" });
    expect(good.value).toMatchObject({ kind: "pickle", version: own });
    const bad = await run(source, [], { arguments: { kind: "pickle", base64, version: "3.99.1" } });
    expect(bad.exception).toMatchObject({ type: "VersionMismatch", module: "gc" });
    expect(bad.outcome.reason).toContain("3.99.1");
    expect(bad.outcome.reason).toContain(own);
  });

  test("is imported anew when its module has changed", async () => {
    const dir = rig.path("modules");
    fs.mkdirSync(dir);
    const env = { PYTHONPATH: dir, PYTHONDONTWRITEBYTECODE: "1" };
    const imported: Partial<PythonCall> = { code: { kind: "import", module: "changing", entry: "C.f" } };
    fs.writeFileSync(`${dir}/changing.py`, "class C:\n    f = staticmethod(lambda: 'old')\n");
    expect(valueIn(await run("", [], imported, { env }))).toBe("old");
    fs.writeFileSync(`${dir}/changing.py`, "class C:\n    f = staticmethod(lambda: 'newer')\n");
    expect(valueIn(await run("", [], imported, { env }))).toBe("newer");
  });

  test("whose interpreter is missing, or is none, says so", async () => {
    const missing = await run("def f(): pass", [], { interpreter: "python-of-nowhere" });
    expect(missing.outcome).toMatchObject({ class: "fail", cause: "spawn", exit_code: 127 });
    expect(missing.outcome.reason).toContain('"python-of-nowhere"');
    const none = await run("def f(): pass", [], { interpreter: "/bin/true" });
    expect(none.outcome).toMatchObject({ class: "fail", cause: "spawn", exit_code: 126 });
    expect(none.outcome.reason).toContain('"/bin/true" ended with exit code 0 before it could run the function');
  });

  test("that reads input, or has a terminal, gets a process of its own", async () => {
    const source = "import sys\ndef f(): return [sys.stdin.read(), sys.stdout.isatty()]";
    const read = await run(source, [], {}, { stdin: { kind: "inline", base64: btoa("hello") } });
    expect(valueIn(read)).toEqual(["hello", false]);
    const crashed = await run(
      "import ctypes\ndef f(): ctypes.string_at(0)",
      [],
      {},
      {
        stdin: { kind: "inline", base64: btoa("hello") },
      },
    );
    expect(crashed.outcome.reason).toBe("Python was killed by SIGSEGV while it ran f()");
    expect(fs.readdirSync(rig.path("outputs")).filter((name) => /call|reply/.test(name))).toEqual([]);
  });

  test("that forks and comes back in the child answers once", async () => {
    const source =
      "import os\ndef f():\n    child = os.fork()\n    if child: os.waitpid(child, 0)\n    return bool(child)";
    expect(valueIn(await run(source))).toBe(true);
    expect(valueIn(await run("def f(): return 1"))).toBe(1);
  });

  test("is one of hundreds that run at the same time without mixing up", async () => {
    const tids = Array.from({ length: 300 }, (_, i) => rig.submit(call("def f(i):\n    print(i)\n    return i", [i])));
    for (const [i, tid] of tids.entries()) {
      const result = await rig.result(tid);
      expect([valueIn(result), result.stdout.text]).toEqual([i, `${i}\n`]);
    }
  });

  test("leaves no interpreter behind when its worker leaves", async () => {
    const own = await Rig.start();
    const pid = valueIn(await own.run(call("import os\ndef f(): return os.getpid()"))) as number;
    own.send({ t: "stop", how: "now" });
    await own.worker?.exited;
    await own.until(() => !processTable().some((row) => row.pid === pid && row.state !== "Z"));
    await own.close();
  });

  test("of a worker that was killed is found by whoever buries it", async () => {
    const own = await Rig.start();
    const tid = own.submit(call("import os, time\ndef f():\n    print(os.getpid())\n    time.sleep(300)"));
    await own.untilStarted(tid);
    const ours = () =>
      processTable().filter(({ pid }) => environmentValue(pid, "GC_PYTHON_OF") === own.path("outputs", "w1"));
    await own.until(() => ours().length > 0);
    await own.close();
    expect(ours()).toEqual([]);
  });
});
