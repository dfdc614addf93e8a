import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { until } from "../e2e/until.ts";
import { PythonPlace } from "./python_place.ts";

let place: PythonPlace;
beforeEach(async () => {
  place = new PythonPlace();
  await place.must(["run", "--", "true"]);
}, 30_000);
afterEach(() => place.close());

const ran = (): string[] => readFileSync(join(place.cwd, "ran"), "utf8").trim().split("\n");

describe("the SDK survives", () => {
  test("the death of gc, at any moment, and runs nothing twice", async () => {
    await place.tries(
      `
import os, signal, threading, time, random
import gc_compute
from gc_compute import Executor, ShellFunction

random.seed(7)
note = ShellFunction("echo {i} >> '%s/ran'; echo {i}" % os.getcwd())
with Executor() as ex:
    ex.submit(ShellFunction("true")).result()
    stop = threading.Event()
    kills = 0
    def kill():
        global kills
        while not stop.wait(random.uniform(0.1, 0.5)):
            process = gc_compute._the_bridge._process
            if process is not None and process.poll() is None:
                process.send_signal(signal.SIGKILL)
                kills += 1
    killer = threading.Thread(target=kill)
    killer.start()
    fs = []
    for i in range(300):
        fs.append(ex.submit(note, i=i))
        time.sleep(0.005)
    time.sleep(0.5)
    stop.set()
    killer.join()
    assert kills > 3, kills
    assert [f.result(40).stdout for f in fs] == ["%d\\n" % i for i in range(300)]
print("ok")
`,
    );
    const lines = ran();
    expect(new Set(lines).size).toBe(300);
    expect(lines.length).toBe(300);
  }, 90_000);

  test("its own end: what was submitted runs, and a later process reloads it by its group", async () => {
    const first = await place.python(`
import os
from gc_compute import Executor, ShellFunction
ex = Executor()
for i in range(50):
    ex.submit(ShellFunction("echo {i} >> '%s/ran'; sleep 0.1; echo {i}; exit {i}" % os.getcwd()), i=i)
def double(x):
    return [x, x]
ex.submit(double, 4)
print(ex.task_group_id)
`);
    expect(first.code).toBe(0);
    const group = first.stdout.trim();
    const program = `
import sys
from gc_compute import Executor
ex = Executor(task_group_id=sys.argv[1])
fs = ex.reload_tasks()
assert len(fs) == 51, len(fs)
assert all(f.task_id for f in fs)
got = [f.result(30) for f in fs]
assert got[50] == [4, 4]
assert [(r.stdout, r.returncode) for r in got[:50]] == [("%d\\n" % i, i) for i in range(50)], got
again = ex.reload_tasks()
assert [f.result(30) for f in again][50] == [4, 4]
print("ok")
`;
    for (let times = 0; times < 2; times += 1) {
      const { stdout, stderr } = await place.python(program, { args: [group] });
      expect({ stdout, stderr }).toEqual({ stdout: "ok\n", stderr: "" });
    }
    expect(ran().length).toBe(50);
  }, 90_000);

  test("being killed: gc sees what it had taken off, and ends", async () => {
    const run = place.startPython(`
import time
from gc_compute import Executor, ShellFunction
f = Executor().submit(ShellFunction("echo x >> ran_here; sleep 1"))
print(f.wait_for_task_id(), flush=True)
time.sleep(60)
`);
    await until(() => /^[0-9a-f-]{36}\n/.test(run.stdout), "a task id");
    const id = run.stdout.trim();
    run.kill("SIGKILL");
    await until(() => place.processesOf("sdk serve").length === 0, "the bridge to end");
    expect((await place.gc(["wait", id])).code).toBe(0);
  }, 60_000);
});
