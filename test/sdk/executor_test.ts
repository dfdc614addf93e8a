import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { PythonPlace, someFunctions } from "./python_place.ts";

let place: PythonPlace;
beforeAll(async () => {
  place = new PythonPlace();
  await place.must(["run", "--", "true"]);
}, 30_000);
afterAll(() => place.close());

const head = `
import asyncio, concurrent.futures as cf, threading, time
from gc_compute import Executor, ShellFunction, ComputeFuture, SerializationError, wait, as_completed
${someFunctions}`;

describe("what CPython's own tests expect of an executor", () => {
  test("results, exceptions, timeouts, map in order, wait and as_completed", async () => {
    await place.tries(`${head}
with Executor() as ex:
    assert isinstance(ex, cf.Executor)
    assert ex.submit(square, x=4).result() == 16
    assert list(ex.map(pow, range(10), range(10))) == list(map(pow, range(10), range(10)))
    late = ex.map(slow, [0, 0, 30], timeout=3)
    assert next(late) is None and next(late) is None
    try:
        next(late)
        assert False
    except cf.TimeoutError:
        pass
    i = ex.map(divmod, [1, 1, 1, 1], [2, 3, 0, 5])
    assert (next(i), next(i)) == ((0, 1), (0, 1))
    try:
        next(i)
        assert False
    except ZeroDivisionError:
        pass
    quick, never = ex.submit(square, 2), ex.submit(slow, 60)
    done, pending = wait([quick, never], return_when=cf.FIRST_COMPLETED, timeout=20)
    assert done == {quick} and pending == {never}
    try:
        never.result(timeout=0.05)
        assert False
    except cf.TimeoutError:
        pass
    never.cancel()
    bad = ex.submit(fails, 1)
    done, _ = wait([bad, ex.submit(slow, 0.3)], return_when=cf.FIRST_EXCEPTION)
    assert bad in done
    fs = [ex.submit(slow, s, s) for s in (0.6, 0, 0.3)]
    assert {f.result() for f in as_completed(fs, timeout=20)} == {0, 0.3, 0.6}
    assert ex.task_count_submitted > 10
print("ok")
`);
  }, 60_000);

  test("callbacks run once, also when added late; one may submit more", async () => {
    await place.tries(`${head}
seen = []
with Executor() as ex:
    inner = []
    f = ex.submit(square, 3)
    f.add_done_callback(lambda f: inner.append(ex.submit(square, f.result())))
    f.add_done_callback(lambda f: 1 / 0)
    f.add_done_callback(seen.append)
    f.result()
    while not inner:
        time.sleep(0.01)
    assert inner[0].result() == 81
    f.add_done_callback(seen.append)
    assert seen == [f, f] and isinstance(f, ComputeFuture)
print("ok")
`);
  }, 60_000);

  test("cancelling ends a task that runs, and tells everybody who waits", async () => {
    await place.tries(`${head}
with Executor() as ex:
    f = ex.submit(ShellFunction("sleep 60"))
    f.wait_for_task_id(20)
    t = time.time()
    waiter = threading.Thread(target=wait, args=([f],))
    waiter.start()
    assert f.cancel() and f.cancelled() and f.done() and f.cancel()
    waiter.join(5)
    assert not waiter.is_alive()
    try:
        f.result()
        assert False
    except cf.CancelledError:
        pass
    # Its slot is free at once: as many sleepers as there are slots would block this for a minute.
    more = [ex.submit(ShellFunction("sleep 60")) for _ in range(16)]
    for each in more:
        assert each.cancel()
    assert ex.submit(square, 5).result(20) == 25
    assert time.time() - t < 20
    done = ex.submit(square, 1)
    done.result()
    assert not done.cancel()
print("ok")
`);
  }, 60_000);

  test("shutdown waits or does not, cancels when asked, and nothing is taken afterwards", async () => {
    await place.tries(`${head}
ex = Executor()
f = ex.submit(slow, 0.5, "v")
ex.shutdown(wait=False)
assert not f.done() and f.result(20) == "v"
try:
    ex.submit(square, 1)
    assert False
except RuntimeError as e:
    assert "after shutdown" in str(e)
with Executor() as ex:
    f = ex.submit(slow, 0.3, 1)
assert f.done() and f.result() == 1
ex = Executor()
fs = [ex.submit(slow, 60) for _ in range(20)]
ex.shutdown(cancel_futures=True)
assert all(f.cancelled() for f in fs)
ex.shutdown()
print("ok")
`);
  }, 60_000);

  test("2,000 calls from several threads come back in order, and batches are few", async () => {
    await place.tries(`${head}
with Executor() as ex:
    results = {}
    def part(n):
        results[n] = [f.result() for f in [ex.submit(square, n * 500 + i) for i in range(500)]]
    threads = [threading.Thread(target=part, args=(n,)) for n in range(4)]
    fs = [t.start() for t in threads]
    [t.join() for t in threads]
    assert [v for n in range(4) for v in results[n]] == [i * i for i in range(2000)]
    fs = [ex.submit(square, i) for i in range(500)]
    envelopes = {f.wait_for_task_id()[:28] for f in fs}
    assert len(envelopes) < 60, len(envelopes)
print("ok")
`);
  }, 60_000);

  test("asyncio awaits them, and a cancelled await cancels the task", async () => {
    await place.tries(`${head}
async def main(ex):
    wrapped = [asyncio.wrap_future(ex.submit(square, i)) for i in range(50)]
    assert await asyncio.gather(*wrapped) == [i * i for i in range(50)]
    loop = asyncio.get_running_loop()
    assert await loop.run_in_executor(ex, square, 7) == 49
    f = ex.submit(slow, 60)
    try:
        await asyncio.wait_for(asyncio.wrap_future(f), 0.2)
        assert False
    except asyncio.TimeoutError:
        pass
    assert f.cancelled()
with Executor() as ex:
    asyncio.run(main(ex))
print("ok")
`);
  }, 60_000);

  test("values that JSON lacks travel both ways; what cannot travel is named before anything is sent", async () => {
    await place.tries(`${head}
import datetime, decimal, fractions, pathlib, uuid, collections
def same(*args, **kwargs):
    return args, kwargs
values = [(1, 2), {3, 4}, frozenset("ab"), b"\\0\\xff", bytearray(b"x"), 2**70, float("inf"), 1 + 2j,
          {1: "a", (2,): None},
          {"$gc": "x"}, range(3), datetime.datetime(2025, 11, 25, 1, 2, 3, 4, datetime.timezone.utc),
          datetime.date(2025, 1, 2),
          datetime.timedelta(1, 2, 3), decimal.Decimal("1.10"), fractions.Fraction(1, 3), pathlib.Path("/a/b"),
          uuid.UUID(int=5), collections.OrderedDict(a=1), "ü\\ud83d\\ude00"[:1], None, True, [], ""]
with Executor() as ex:
    args, kwargs = ex.submit(same, *values, k=(1,)).result()
    assert list(args) == values and kwargs == {"k": (1,)}, args
    assert [type(a) for a in args] == [type(v) for v in values]
    try:
        ex.submit(same, threading.Lock())
        assert False
    except SerializationError as e:
        assert "_thread.lock" in str(e)
    ex.serializer = "pickle"
    assert ex.submit(divmod, 7, 2).result() == (3, 1)
print("ok")
`);
  }, 60_000);

  test("options can change between two submits", async () => {
    await place.tries(`${head}
def env(name):
    import os
    return os.environ.get(name)
with Executor(env={"COLOR": "red"}, label="first") as ex:
    assert ex.submit(env, "COLOR").result() == "red"
    ex.env = {"COLOR": "blue"}
    ex.resource_specification = {"cores": 1, "memory_mib": 64}
    assert ex.submit(env, "COLOR").result() == "blue"
    ex.walltime = 0.3
    try:
        ex.submit(slow, 30).result(20)
        assert False
    except TimeoutError as e:
        pass
    for wrong in ({"coars": 1}, {"num_nodes": 2, "num_ranks": 3}):
        ex.resource_specification = None
        try:
            ex.resource_specification = wrong
            ex.submit(square, 1)
            assert False
        except ValueError:
            ex.resource_specification = None
    try:
        Executor(nonsense=1)
        assert False
    except TypeError:
        pass
print("ok")
`);
  }, 60_000);

  test("an endpoint that nobody knows is an error of the future, with what to do", async () => {
    const { stderr, code } = await place.python(`${head}
Executor(endpoint_id="nowhere").submit(square, 1).result()
`);
    expect(code).toBe(1);
    expect(stderr).toContain('There is no endpoint "nowhere"');
  }, 60_000);
});
