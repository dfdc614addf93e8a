import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { join } from "node:path";
import { until } from "../e2e/until.ts";
import { PythonPlace } from "./python_place.ts";

let place: PythonPlace;
beforeEach(async () => {
  place = new PythonPlace();
  await place.must(["run", "--", "true"]);
}, 30_000);
afterEach(() => place.close());

describe("the SDK copes with", () => {
  test("the relay being away: tasks wait in the outbox and run when it is back", async () => {
    await place.must(["relay", "down"]);
    await place.tries(
      `
import os, subprocess, time
from gc_compute import Executor, ShellFunction
with Executor() as ex:
    f = ex.submit(ShellFunction("echo back"))
    print(f.wait_for_task_id(20))
    assert not f.done()
    subprocess.run([os.environ["GC_EXE"], "relay", "up", "--detach"], check=True, stdout=subprocess.DEVNULL)
    assert f.result(30).stdout == "back\\n"
print("ok")
`,
      { env: { GC_RELAY_WAIT: "0.5", GC_AUTOSTART: "0" } },
    );
  }, 60_000);

  test("forks and threads: a child has a gc of its own, and nothing is left when all have ended", async () => {
    await place.tries(`
import multiprocessing, os, sys
from gc_compute import Executor
def square(x):
    return x * x
def child(queue):
    with Executor() as ex:
        queue.put([f.result() for f in [ex.submit(square, i) for i in range(5)]])
if __name__ == "__main__":
    with Executor() as ex:
        assert ex.submit(square, 3).result() == 9
        fork = multiprocessing.get_context("fork")
        queue = fork.Queue()
        process = fork.Process(target=child, args=(queue,))
        process.start()
        assert queue.get(timeout=30) == [0, 1, 4, 9, 16]
        process.join(20)
        assert process.exitcode == 0
        assert ex.submit(square, 4).result() == 16
    print("ok")
`);
    await until(() => place.processesOf("sdk serve").length === 0, "the bridges to end");
  }, 60_000);

  test("gc not being there, and an SDK of another time", async () => {
    const missing = await place.python("from gc_compute import Executor\nExecutor()\n", {
      env: { GC_EXE: join(place.dir, "nothing") },
    });
    expect(missing.stderr).toContain("GC_EXE names");
    const dies = await place.python(
      "from gc_compute import Executor\ndef f(): pass\nprint(repr(Executor().submit(f).exception(30)))\n",
      { env: { GC_EXE: "/bin/false" } },
    );
    expect(dies.stdout).toContain("gc ended 6 times in a row");
    const old = await place.python(
      "import gc_compute as g\ng.PROTOCOL = 99\ndef f(): pass\nprint(g.Executor().submit(f).exception(30))\n",
    );
    expect(old.stdout).toContain("The SDK speaks version 99 of the protocol");
  }, 60_000);
});
