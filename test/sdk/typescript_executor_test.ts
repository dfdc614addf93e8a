// time limit: 300 s
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { chmodSync, existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { until } from "../e2e/until.ts";
import { runtimes, TypescriptPlace } from "./typescript_place.ts";

let place: TypescriptPlace;
beforeAll(async () => {
  place = new TypescriptPlace();
  await place.must(["endpoint", "configure", "my-endpoint"]);
  await place.must(["endpoint", "start", "--detach", "my-endpoint"]);
  await place.must(["run", "--", "true"]);
  await place.install();
}, 60_000);
afterAll(() => place.close());

const head = `import assert from "node:assert/strict";
import { setTimeout as pause } from "node:timers/promises";
import { asCompleted, CancelledError, ComputeError, ComputeFuture, Executor, kwargs, MPIFunction, PythonFunction,
  RemoteError, ShellFunction, ShellResult, TaskTimeout, wait, WaitTimeout } from "gc-compute";
const square = new PythonFunction("def square(x): return x * x");
const slow = new PythonFunction("import time\\ndef slow(s, value=None):\\n    time.sleep(s)\\n    return value");
const fails = new PythonFunction("def fails(x): raise KeyError(x)");
const slept = new ShellFunction("sleep 60");
`;

describe.each(runtimes.map((runtime) => [runtime.name, runtime] as const))("the executor under %s", (_, runtime) => {
  const passes = (program: string) => place.passes(runtime, `${head}${program}\nconsole.log("ok");\n`);

  test("calls functions and commands: what the examples of globus_compute_sdk do", async () => {
    await passes(`
const ex = new Executor({ endpointId: "my-endpoint" });
const hello = new PythonFunction(\`
    def hello_world(name):
        return f"Hello {name}!"
\`);
assert.equal(await ex.submit(hello, "World").result(), "Hello World!");
const say = new ShellFunction("echo '{message}'");
const said = [];
for (const message of ["hello", "hola", "bonjour"]) said.push(String(await ex.submit(say, { message }).result()));
assert.deepEqual(said, ["hello", "hola", "bonjour"]);
const late = await ex.submit(new ShellFunction("sleep 20", { walltime: 1 })).result();
assert.deepEqual([late.returncode, late.exception_name], [124, "subprocess.TimeoutExpired"]);
const r = await ex.submit(new ShellFunction("echo out; echo {word} >&2; exit 3"), { word: "err" }).result();
assert.ok(r instanceof ShellResult);
assert.deepEqual({ ...r }, { cmd: "echo out; echo err >&2; exit 3", stdout: "out\\n", stderr: "err\\n", returncode: 3,
  exception_name: "subprocess.CalledProcessError" });
assert.match(String(r), /err$/);
const two = new ShellFunction("seq 5; echo '{{x}}'", { snippetLines: 2, returnDict: true });
assert.deepEqual(await ex.submit(two).result(), { cmd: "seq 5; echo '{x}'", stdout: "5\\n{x}\\n", stderr: "",
  returncode: 0, exception_name: null });
assert.equal((await ex.submit(new ShellFunction("kill -SEGV $$")).result()).returncode, 139);
const stdout = process.cwd() + "/logs/" + process.pid;
const files = new ShellFunction("echo begun; sleep 30", { stdout, walltime: 0.5 });
const cut = await ex.submit(files).result();
assert.deepEqual([cut.stdout, cut.returncode], ["begun\\n", 124]);
assert.throws(() => ex.submit(say, {}), /wants \\{message\\}/);
assert.throws(() => ex.submit(say, "hello"), /one object/);
`);
  }, 60_000);

  test("results, exceptions, timeouts, map in order, asCompleted and wait", async () => {
    await passes(`
const ex = new Executor();
assert.equal(await ex.submit(square, kwargs({ x: 4 })).result(), 16);
const got = [];
for await (const value of ex.map(square, Array.from({ length: 10 }, (_, i) => i))) got.push(value);
assert.deepEqual(got, [0, 1, 4, 9, 16, 25, 36, 49, 64, 81]);
const pow = new PythonFunction("builtins:pow");
const spread = [];
for await (const value of ex.map(pow, [[2, 3], [3, 2]], { spread: true })) spread.push(value);
assert.deepEqual(spread, [8, 9]);
async function* source() {
  for (let i = 0; i < 20; i += 1) yield i;
}
const read = [];
for await (const value of ex.map(square, source(), { inFlight: 3 })) read.push(value);
assert.equal(read.reduce((a, b) => a + b), 2470);
const late = ex.map(slow, [0, 0, 30], { timeout_s: 6 });
assert.equal((await late.next()).value, null);
assert.equal((await late.next()).value, null);
await assert.rejects(late.next(), WaitTimeout);
const quick = ex.submit(square, 2), never = ex.submit(slow, 60);
const first = await wait([quick, never], { returnWhen: "FIRST_COMPLETED", timeout_s: 20 });
assert.deepEqual([[...first.done], [...first.notDone]], [[quick], [never]]);
await assert.rejects(never.result(0.05), WaitTimeout);
assert.equal((await wait([never], { timeout_s: 0.05 })).notDone.size, 1);
never.cancel();
const bad = ex.submit(fails, 1), sleepy = ex.submit(slow, 60);
const { done, notDone } = await wait([sleepy, bad], { returnWhen: "FIRST_EXCEPTION", timeout_s: 20 });
assert.ok(done.has(bad) && notDone.has(sleepy));
sleepy.cancel();
const fs = [2, 0, 1].map((s) => ex.submit(slow, s, s));
const order = [];
for await (const future of asCompleted(fs, { timeout_s: 20 })) order.push(future.now());
assert.deepEqual([...order].sort(), [0, 1, 2]);
const soon = ex.submit(square, 3), latest = ex.submit(slow, 60);
for await (const future of asCompleted([latest, soon])) {
  assert.equal(future, soon);
  break;
}
latest.cancel();
const values = [];
for await (const value of ex.results(fs)) values.push(value);
assert.deepEqual(values, [2, 0, 1]);
const error = await bad.exception();
assert.ok(error instanceof RemoteError);
assert.deepEqual([error.typeName, error.args], ["KeyError", [1]]);
assert.match(error.remoteTraceback, /in fails/);
await assert.rejects(bad.result(), RemoteError);
await assert.rejects(ex.submit(new PythonFunction("sys:exit"), 3).result(), /SystemExit/);
`);
  }, 60_000);

  test("callbacks run once, also when added late; one may submit more", async () => {
    await passes(`
const ex = new Executor();
const seen = [];
const warned = new Promise((resolve) => process.once("warning", resolve));
const f = ex.submit(square, 3);
const inner = new Promise((resolve) => f.addDoneCallback((one) => resolve(ex.submit(square, one.now()).result())));
f.addDoneCallback(() => { throw new Error("my mistake"); });
f.addDoneCallback((one) => seen.push(one));
assert.equal(await inner, 81);
f.addDoneCallback((one) => seen.push(one));
assert.deepEqual(seen, [f, f]);
assert.ok(f instanceof ComputeFuture);
assert.match((await warned).message, /my mistake/);
`);
  }, 60_000);

  test("cancelling ends a task that runs, tells everybody who waits, and frees its slot", async () => {
    await passes(`
const ex = new Executor();
const f = ex.submit(slept);
await f.submitted(20);
const waiting = wait([f]);
assert.ok(f.cancel() && f.cancelled() && f.done() && f.cancel());
assert.equal((await waiting).done.size, 1);
await assert.rejects(f.result(), CancelledError);
const more = Array.from({ length: 16 }, () => ex.submit(slept));
for (const each of more) assert.ok(each.cancel());
assert.equal(await ex.submit(square, 5).result(20), 25);
const done = ex.submit(square, 1);
await done.result();
assert.equal(done.cancel(), false);
const shown = ex.map(slow, [0, 60, 60]);
for await (const value of shown) break;
`);
    await until(() => place.processesOf("sleep 60").length === 0, "the tasks to end");
  }, 60_000);

  test("shutdown waits or does not, cancels when asked, and nothing is taken afterwards", async () => {
    await passes(`
const ex = new Executor();
const f = ex.submit(slow, 2, "v");
await ex.shutdown({ wait: false });
assert.ok(f.taskId !== undefined && !f.done());
assert.equal(await f.result(20), "v");
assert.throws(() => ex.submit(square, 1), /after shutdown/);
const inside = new Executor();
const kept = inside.submit(slow, 0.3, 1);
// What await using does, which Node 20 cannot read yet.
await inside[Symbol.asyncDispose]();
assert.ok(kept.done());
const other = new Executor();
const fs = Array.from({ length: 20 }, () => other.submit(slow, 60));
await other.shutdown({ cancelFutures: true });
assert.ok(fs.every((one) => one.cancelled()));
await other.shutdown();
`);
  }, 60_000);

  test("options can change between two submits, and are checked", async () => {
    await passes(`
const env = new PythonFunction("import os\\ndef env(name): return os.environ.get(name)");
const ex = new Executor({ env: { COLOR: "red" }, label: "first" });
assert.equal(await ex.submit(env, "COLOR").result(), "red");
ex.env = { COLOR: "blue" };
ex.resourceSpecification = { cores: 1, memory_mib: 64 };
assert.equal(await ex.submit(env, "COLOR").result(), "blue");
ex.walltime = 0.3;
await assert.rejects(ex.submit(slow, 30).result(20), TaskTimeout);
assert.throws(() => { ex.resourceSpecification = { coars: 1 }; }, /no key "coars"/);
assert.throws(() => new Executor({ nonsense: 1 }), /no option "nonsense"/);
await assert.rejects(new Executor({ endpointId: "nowhere" }).submit(square, 1).result(), /no endpoint "nowhere"/);
`);
  }, 60_000);

  test("2,000 calls come back in order, and batches are few", async () => {
    await passes(`
const ex = new Executor();
const fs = Array.from({ length: 2000 }, (_, i) => ex.submit(square, i));
let at = 0;
for await (const value of ex.results(fs)) assert.equal(value, at ** 2, String(at++));
assert.equal(at, 2000);
const envelopes = new Set(fs.map((f) => f.taskId.slice(0, 28)));
assert.ok(envelopes.size < 60, String(envelopes.size));
`);
  }, 60_000);

  test("a program ends when its tasks are safe, unless it waits; a failure nobody looks at is none", async () => {
    const mark = join(place.cwd, `forgotten_${runtime.argv.length}_${runtime.name.replace(/\W/g, "_")}`);
    const { code, stdout, stderr } = await place.program(
      runtime,
      `${head}
const ex = new Executor();
ex.submit(fails, 1);
await ex.submit(fails, 2).exception();
ex.submit(new ShellFunction("until test -e '{mark}.go'; do sleep 0.05; done; touch '{mark}'"), { mark: "${mark}" });
console.log("ok");
`,
    );
    expect({ code, stdout, stderr }).toEqual({ code: 0, stdout: "ok\n", stderr: "" });
    // It has ended while the task was still waiting for this.
    expect(existsSync(mark)).toBe(false);
    await Bun.write(`${mark}.go`, "");
    await until(() => existsSync(mark), "the task to run to its end");
  }, 60_000);
});

test("an MPIFunction runs its first word in ranks, by the launcher of the site", async () => {
  const folder = join(place.dir, "mpi");
  // Speaks as MPICH's does.
  const launcher = `#!/bin/sh
[ "$1" = --version ] && { echo "HYDRA build details:"; exit; }
while [ "$1" != /bin/sh ]; do
  [ "$1" = -n ] && ranks=$2
  shift
done
rank=0
while [ $rank -lt $ranks ]; do PMI_RANK=$rank "$@" || exit; rank=$((rank + 1)); done
`;
  await Bun.write(join(folder, "mpiexec"), launcher);
  chmodSync(join(folder, "mpiexec"), 0o755);
  const env = { PATH: `${folder}:/usr/bin:/bin` };
  await place.must(["endpoint", "configure", "mpi"]);
  await place.must(["endpoint", "start", "--detach", "mpi"], { env });
  for (const runtime of runtimes) {
    await place.passes(
      runtime,
      `${head}
const ex = new Executor({ endpointId: "mpi", resourceSpecification: { num_nodes: 1, ranks_per_node: 3 } });
const hello = new MPIFunction("sh -c 'echo {word} $PMI_RANK' | sort -r", { returnDict: true });
const { stdout, returncode, cmd } = await ex.submit(hello, { word: "rank" }).result();
assert.deepEqual([stdout, returncode], ["rank 2\\nrank 1\\nrank 0\\n", 0]);
assert.equal(cmd, "$PARSL_MPI_PREFIX sh -c 'echo rank $PMI_RANK' | sort -r");
const itself = new ShellFunction("echo $GC_RANKS; $PARSL_MPI_PREFIX echo x", { returnDict: true });
assert.equal((await ex.submit(itself).result()).stdout, "3\\nx\\nx\\nx\\n");
const told = new PythonFunction("import os\\ndef told(): return os.environ['GC_RANKS']");
assert.equal(await ex.submit(told).result(), "3");
ex.resourceSpecification = undefined;
assert.throws(() => ex.submit(hello, { word: "x" }), /needs a resourceSpecification/);
console.log("ok");
`,
    );
  }
}, 60_000);

test("a kept program uses one gc, and leaves none behind", async () => {
  for (const runtime of runtimes) {
    const run = place.startProgram(
      runtime,
      `${head}
const executors = Array.from({ length: 5 }, () => new Executor());
await Promise.all(executors.map((ex) => ex.submit(square, 2).result()));
console.log("up");
process.stdin.once("data", () => process.exit(0));
`,
      { stdin: "pipe" },
    );
    await until(() => run.stdout === "up\n", "the results");
    // The wrapper of this place and the program that it starts are one process.
    expect(place.processesOf("sdk serve").length).toBe(1);
    run.child.stdin.write("end\n");
    await run.child.stdin.flush();
    expect((await run.end()).code).toBe(0);
    await until(() => place.processesOf("sdk serve").length === 0, "gc to end");
  }
  expect(readFileSync(join(place.cwd, "node_modules/gc-compute/package.json"), "utf8")).toContain('"gc-compute"');
}, 60_000);
