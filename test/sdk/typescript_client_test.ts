import { afterAll, beforeAll, describe, test } from "bun:test";
import { runtimes, TypescriptPlace } from "./typescript_place.ts";

let place: TypescriptPlace;
beforeAll(async () => {
  place = new TypescriptPlace();
  await place.must(["run", "--", "true"]);
  await place.install();
}, 30_000);
afterAll(() => place.close());

describe.each(runtimes.map((runtime) => [runtime.name, runtime] as const))("Client under %s", (_, runtime) => {
  test("runs registered functions, one or a batch, and tells where they stand", async () => {
    await place.passes(
      runtime,
      `
const c = new gc.Client();
const until = async (look) => {
  while (!(await look())) await new Promise((resolve) => setTimeout(resolve, 20));
};
const add = await c.registerFunction(new gc.PythonFunction("def add(a, b=1):\\n    return a + b"));
assert.equal((await c.getFunction(add)).name, "add");
const id = await c.run("local", add, 2, gc.kwargs({ b: 5 }));
await until(async () => !(await c.getTask(id)).pending);
assert.equal(await c.getResult(id), 7);
const batch = c.createBatch();
for (let i = 0; i < 20; i += 1) batch.add(add, i);
const shell = await c.registerFunction(new gc.ShellFunction("echo {x}"), { name: "says" });
batch.add(shell, { x: 4 });
const sent = await c.batchRun("local", batch);
assert.equal(sent.tasks[add].length, 20);
await until(async () => Object.values(await c.getBatchResult(sent.task_ids)).every((row) => !row.pending));
const rows = await c.getBatchResult(sent.task_ids);
const sums = sent.task_ids.slice(0, 20).map((one) => rows[one].result);
assert.deepEqual(sums, Array.from({ length: 20 }, (_, i) => i + 1));
assert.equal(rows[sent.task_ids[20]].result.stdout, "4\\n");
assert.equal(rows[sent.task_ids[0]].status, "success");
assert.ok(rows[sent.task_ids[0]].ended_ms > 1e12);
// The same from a client that submitted nothing of it.
assert.equal(await new gc.Client().getResult(id), 7);
const wait = await c.registerFunction(new gc.ShellFunction("until test -e {flag}; do sleep 0.05; done; echo there"));
const { writeFileSync } = await import("node:fs");
const flag = process.cwd() + "/flag" + process.pid;
const waiting = await c.run(undefined, wait, { flag });
await assert.rejects(c.getResult(waiting), gc.TaskPending);
writeFileSync(flag, "");
await until(async () => !(await c.getTask(waiting)).pending);
assert.equal((await c.getResult(waiting)).stdout, "there\\n");
const sleeps = await c.run(undefined, await c.registerFunction(new gc.ShellFunction("sleep 60")));
await c.cancel(sleeps);
await until(async () => !(await c.getTask(sleeps)).pending);
await assert.rejects(c.getResult(sleeps), gc.TaskCancelled);
assert.equal((await c.getTask(sleeps)).status, "failed");
const ex = new gc.Executor();
assert.equal(await ex.submitToRegisteredFunction(add, 1).result(), 2);
assert.match((await ex.submitToRegisteredFunction("nobody-knows-it").exception()).message, /no registered function/);
await c.deleteFunction(shell);
await assert.rejects(c.getFunction(shell), gc.ComputeError);
await assert.rejects(c.getTask("00000000-0000-8000-8000-000000000000"), /no task/);
console.log("ok");
`,
    );
  }, 60_000);

  test("tells how endpoints are", async () => {
    await place.passes(
      runtime,
      `
const c = new gc.Client();
const status = await c.getEndpointStatus("local");
assert.equal(status.status, "online");
assert.ok(status.total_workers >= 1 && status.idle_workers <= status.total_workers, JSON.stringify(status));
assert.ok((await c.getEndpoints()).some((row) => row.id === status.id));
assert.equal((await c.getEndpointStatus()).name, "local");
assert.match((await c.whoami()).id, /^[0-9a-f-]{36}$/);
await assert.rejects(c.getEndpointStatus("nowhere"), /no endpoint "nowhere"/);
console.log("ok");
`,
    );
  }, 60_000);

  test("calls what the SDK in Python has registered, and the other way round", async () => {
    const { stdout } = await place.python(`
from gc_compute import Client, ShellFunction
c = Client()
def twice(x):
    return [x, x]
print(c.register_function(twice), c.register_function(ShellFunction("seq {n}", snippet_lines=1)))
`);
    const [twice = "", seq = ""] = stdout.trim().split(" ");
    await place.passes(
      runtime,
      `
const ex = new gc.Executor();
assert.deepEqual(await ex.submitToRegisteredFunction("${twice}", "a").result(), ["a", "a"]);
assert.equal((await ex.submitToRegisteredFunction("${seq}", { n: 5 }).result()).stdout, "5\\n");
assert.equal(await ex.registerFunction(new gc.ShellFunction("seq {n}", { snippetLines: 1 })), "${seq}");
console.log("ok");
`,
    );
  }, 60_000);
});
