// time limit: 300 s
import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { until } from "../e2e/until.ts";
import { runtimes, TypescriptPlace } from "./typescript_place.ts";

let place: TypescriptPlace;
beforeEach(async () => {
  place = new TypescriptPlace();
  await place.must(["run", "--", "true"]);
  await place.install();
}, 30_000);
afterEach(() => place.close());

/** What has run so far, a line each. */
function ran(): string[] {
  const path = join(place.cwd, "ran");
  return existsSync(path) ? readFileSync(path, "utf8").trim().split("\n") : [];
}

describe.each(runtimes.map((runtime) => [runtime.name, runtime] as const))(
  "under %s the SDK survives",
  (_, runtime) => {
    test("the death of gc, at any moment, and runs nothing twice", async () => {
      const run = place.startProgram(
        runtime,
        `
const note = new gc.ShellFunction("echo {i} >> '" + process.cwd() + "/ran'; echo {i}");
const ex = new gc.Executor();
const fs = [];
for (let i = 0; i < 300; i += 1) {
  fs.push(ex.submit(note, { i }));
  await new Promise((resolve) => setTimeout(resolve, 5));
}
let i = 0;
for await (const { stdout } of ex.results(fs)) assert.equal(stdout, i++ + "\\n");
console.log("ok");
`,
      );
      // Ends gc again and again while tasks are on their way.
      let is_over = false;
      const ended = run.end(60_000).finally(() => {
        is_over = true;
      });
      const killed = new Set<number>();
      for (let lines = -1; killed.size < 5 && !is_over; lines = ran().length) {
        const alive = () => place.processesOf("sdk serve").find((pid) => !killed.has(pid));
        const pid = await until(() => is_over || (ran().length > lines && alive()), "gc to be there and tasks to run");
        if (pid === true) break;
        killed.add(pid);
        process.kill(pid, "SIGKILL");
      }
      const { code, stdout, stderr } = await ended;
      expect({ code, stdout, stderr }).toEqual({ code: 0, stdout: "ok\n", stderr: "" });
      expect(killed.size).toBeGreaterThan(1);
      expect(new Set(ran()).size).toBe(300);
      expect(ran().length).toBe(300);
    }, 90_000);

    test("its own end: a later program, or the SDK in Python, reloads what was submitted by its group", async () => {
      const first = await place.program(
        runtime,
        `
const ex = new gc.Executor();
const note = new gc.ShellFunction("echo {i} >> '" + process.cwd() + "/ran'; sleep 0.1; echo {i}; exit {i}");
for (let i = 0; i < 50; i += 1) ex.submit(note, { i });
ex.submit(new gc.PythonFunction("def double(x): return [x, x]"), 4);
console.log(ex.taskGroupId);
`,
      );
      expect([first.code, first.stderr]).toEqual([0, ""]);
      const group = first.stdout.trim();
      for (let times = 0; times < 2; times += 1) {
        await place.passes(
          runtime,
          `
const ex = new gc.Executor({ taskGroupId: "${group}" });
const fs = await ex.reloadTasks();
assert.equal(fs.length, 51);
const got = await Promise.all(fs.map((f) => f.result(30)));
assert.deepEqual(got[50], [4, 4]);
assert.deepEqual(got.slice(0, 50).map((r) => [r.stdout, r.returncode]), got.slice(0, 50).map((_, i) => [i + "\\n", i]));
const again = await ex.reloadTasks();
assert.deepEqual(await again[50].result(30), [4, 4]);
assert.deepEqual(await new gc.Executor({ taskGroupId: crypto.randomUUID() }).reloadTasks(), []);
console.log("ok");
`,
        );
      }
      await place.tries(`
from gc_compute import Executor
fs = Executor(task_group_id="${group}").reload_tasks()
assert fs[50].result(30) == [4, 4] and len(fs) == 51
print("ok")
`);
      expect(ran().length).toBe(50);
    }, 90_000);

    test("the relay being away: tasks wait in the outbox and run when it is back", async () => {
      await place.must(["relay", "down"]);
      await place.passes(
        runtime,
        `
import { execFileSync } from "node:child_process";
const ex = new gc.Executor();
const f = ex.submit(new gc.ShellFunction("echo back"));
await f.submitted(20);
assert.ok(!f.done());
execFileSync(process.env.GC_EXE, ["relay", "up", "--detach"], { stdio: "ignore" });
assert.equal((await f.result(30)).stdout, "back\\n");
console.log("ok");
`,
        { env: { GC_RELAY_WAIT: "0.5", GC_AUTOSTART: "0" } },
      );
    }, 60_000);

    test("gc not being there, or being something else", async () => {
      const missing = await place.program(runtime, "new gc.Executor();", {
        env: { GC_EXE: join(place.dir, "nothing") },
      });
      expect(missing.stderr).toContain("GC_EXE names");
      const dies = `
const ex = new gc.Executor();
const error = await ex.submit(new gc.ShellFunction("true")).exception(30);
assert.match(error.message, /gc ended 6 times in a row/);
console.log("ok");
`;
      await place.passes(runtime, dies, { env: { GC_EXE: "/bin/false" } });
      const old = join(place.dir, "old");
      const line = '{"t":"error","code":"sdk.version","message":"The SDK speaks version 1 of the protocol"}';
      await Bun.write(old, `#!/bin/sh\necho '${line}'; exit 76\n`);
      await Bun.$`chmod +x ${old}`.quiet();
      await place.passes(
        runtime,
        `
const error = await new gc.Executor().submit(new gc.ShellFunction("true")).exception(30);
assert.equal(error.code, "sdk.version");
console.log("ok");
`,
        { env: { GC_EXE: old } },
      );
    }, 60_000);
  },
);
