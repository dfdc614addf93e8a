import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { until } from "../e2e/until.ts";
import { PythonPlace, someFunctions } from "./python_place.ts";

let place: PythonPlace;
beforeAll(async () => {
  place = new PythonPlace();
  await place.must(["run", "--", "true"]);
}, 30_000);
afterAll(() => place.close());

const head = `
import atexit, concurrent.futures as cf, gc, logging, os, sys, threading, time, weakref
from gc_compute import ComputeFuture, Executor, ShellFunction, as_completed, wait
${someFunctions}
def gone(ref):
    end = time.time() + 20
    while ref() is not None and time.time() < end:
        gc.collect()
        time.sleep(0.01)
    return ref() is None
`;

/** What cpython_test.ts cannot run: CPython's tests of it are about threads, or start programs of their own. */
describe("an Executor does as those of CPython do:", () => {
  test("10,000 calls come back, each with its own value, within 20 s", async () => {
    const { code, stdout, stderr } = await place.python(`${head}
with Executor(batch_size=1000) as ex:
    ex.submit(square, 0).result()
    begun = time.time()
    assert list(ex.map(square, range(10000), chunksize=100)) == [i * i for i in range(10000)]
    print(time.time() - begun)
`);
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    expect(Number(stdout)).toBeLessThan(20);
  }, 60_000);

  test("map ends late ones when it is left early, and its timeout is for all of it", async () => {
    await place.tries(`${head}
with Executor() as ex:
    shown = ex.map(slow, [0, 60, 60])
    assert next(shown) is None
    shown.close()
    begun = time.time()
    try:
        list(ex.map(slow, [0.2] * 3 + [60], timeout=1.5))
        assert False
    except cf.TimeoutError:
        pass
    assert time.time() - begun < 20
    failing = ex.map(fails, [1, 2])
    try:
        next(failing)
        assert False
    except KeyError as error:
        assert error.args == (1,)
    assert list(ex.map(square, [])) == []
print("ok")
`);
    await until(async () => !(await place.must(["ps", "--json"])).includes('"running"'), "the late ones to end");
  }, 60_000);

  test("wait and as_completed take what has ended, what was cancelled, and the same future twice", async () => {
    await place.tries(`${head}
with Executor() as ex:
    ended, bad, late = ex.submit(square, 2), ex.submit(fails, 1), ex.submit(ShellFunction("sleep 60"))
    wait([ended, bad])
    done, pending = wait([ended, late, late], return_when=cf.FIRST_COMPLETED)
    assert (done, pending) == ({ended}, {late})
    done, pending = wait([bad, late], return_when=cf.FIRST_EXCEPTION)
    assert (done, pending) == ({bad}, {late})
    done, pending = wait([ended, late], timeout=0)
    assert (done, pending) == ({ended}, {late})
    seen = []
    try:
        for future in as_completed([ended, bad, late, ended], timeout=0.1):
            seen.append(future)
        assert False
    except cf.TimeoutError as error:
        assert str(error) == "1 (of 3) futures unfinished", error
    assert set(seen) == {ended, bad} and len(seen) == 2
    # A failure that is to come is waited for; being cancelled is none.
    soon = ex.submit(fails, 2)
    done, pending = wait([soon, late], return_when=cf.FIRST_EXCEPTION, timeout=30)
    assert soon in done and late in pending
    threading.Timer(0.1, late.cancel).start()
    assert wait([late], timeout=30).done == {late}
    assert list(as_completed([late], timeout=0)) == [late]
    for ask in (late.result, late.exception):
        try:
            ask(timeout=0)
            assert False
        except cf.CancelledError:
            pass
print("ok")
`);
  }, 60_000);

  test("callbacks: in their order, in spite of one that fails, which is logged; also when cancelled", async () => {
    await place.tries(`${head}
class Kept(logging.Handler):
    records = []
    def emit(self, record):
        self.records.append(record.getMessage())
logging.getLogger("concurrent.futures").addHandler(Kept())
with Executor() as ex:
    order, last = [], threading.Event()
    f = ex.submit(slow, 0.3, 1)
    f.add_done_callback(lambda f: order.append(1))
    f.add_done_callback(lambda f: 1 / 0)
    f.add_done_callback(lambda f: (order.append(f.result()), last.set()))
    assert last.wait(30) and order == [1, 1]
    assert any("calling callback" in text for text in Kept.records), Kept.records
    f.add_done_callback(lambda f: 1 / 0)
    assert len(Kept.records) == 2
    c = ex.submit(ShellFunction("sleep 60"))
    told = []
    c.add_done_callback(told.append)
    c.cancel()
    c.cancel()
    assert told == [c]
    e = ex.submit(fails, 3)
    raised = threading.Event()
    e.add_done_callback(lambda f: raised.set() if isinstance(f.exception(), KeyError) else None)
    assert raised.wait(30)
print("ok")
`);
  }, 60_000);

  test("shutdown: twice, in a with that fails, with 50 calls on their way, and without waiting", async () => {
    await place.tries(`${head}
ex = Executor()
fs = [ex.submit(slow, 0.05, i) for i in range(50)]
ex.shutdown()
assert [f.result(0) for f in fs] == list(range(50))
ex.shutdown(wait=False)
for late in (lambda: ex.submit(square, 1), lambda: ex.map(square, [1]), lambda: ex.submit(ShellFunction("true"))):
    try:
        late()
        assert False
    except RuntimeError as error:
        assert "cannot schedule new futures after shutdown" in str(error)
try:
    with Executor() as inside:
        f = inside.submit(slow, 0.2, "v")
        raise ValueError("mine")
except ValueError:
    assert f.done() and f.result() == "v"
ex = Executor()
first = ex.submit(square, 2)
first.result()
fs = [ex.submit(ShellFunction("sleep 60")) for _ in range(10)]
ex.shutdown(wait=False, cancel_futures=True)
assert all(f.cancelled() for f in fs) and first.result() == 4
print("ok")
`);
  }, 60_000);

  test("nothing is held: not the executor, nor functions, arguments and values of calls that have ended", async () => {
    await place.tries(`${head}
ex = Executor(serializer="pickle")
values = ex.map(lambda n: {n}, range(5))
for value in values:
    ref = weakref.ref(value)
    del value
    assert gone(ref)
def made():
    def inner(x):
        return len(x)
    return inner
argument, fn = {1, 2}, made()
refs = [weakref.ref(argument), weakref.ref(fn)]
f = ex.submit(fn, argument)
del argument, fn
assert f.result() == 2
assert all(gone(ref) for ref in refs)
refs = [weakref.ref(f), weakref.ref(ex)]
late = ex.submit(slow, 0.3, "late")
del f, ex
# Its futures go on without it.
assert late.result(30) == "late"
del late, values
assert all(gone(ref) for ref in refs)
print("ok")
`);
  }, 60_000);

  test("at exit: handlers may still submit, later ones are refused, and what was submitted runs", async () => {
    const { code, stdout, stderr } = await place.python(`
import atexit, os
def refused():
    try:
        ex.submit(ShellFunction("true"))
        print("taken")
    except RuntimeError as error:
        print(error)
# Registered before the SDK is imported, so it runs after the SDK has seen everything off.
atexit.register(refused)
from gc_compute import Executor, ShellFunction
ex = Executor()
touch = ShellFunction("echo {what} >> '%s/at_exit'" % os.getcwd())
ex.submit(touch, what="before")
atexit.register(lambda: ex.submit(touch, what="last"))
`);
    expect({ code, stdout, stderr }).toEqual({
      code: 0,
      stdout: "cannot schedule new futures after interpreter shutdown\n",
      stderr: "",
    });
    const file = Bun.file(`${place.cwd}/at_exit`);
    await until(async () => (await file.exists()) && (await file.text()).split("\n").length === 3, "both to run");
    expect((await file.text()).trim().split("\n").sort()).toEqual(["before", "last"]);
  }, 60_000);

  test("an error of the program ends it with its traceback, not with a wait for what runs", async () => {
    const begun_ms = performance.now();
    const { code, stderr } = await place.python(`${head}
ex = Executor()
ex.submit(ShellFunction("sleep 60")).wait_for_task_id()
raise SystemExit("my mistake")
`);
    expect([code, stderr]).toEqual([1, "my mistake\n"]);
    expect(performance.now() - begun_ms).toBeLessThan(40_000);
  }, 60_000);
});
