// time limit: 300 s
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { type Python, PythonPlace, pythons } from "./python_place.ts";

let place: PythonPlace;
beforeAll(async () => {
  place = new PythonPlace();
  await place.must(["run", "--", "true"]);
}, 30_000);
afterAll(() => place.close());

/** Pythons that came with their own tests of `concurrent.futures`; distributions leave them out. */
const tested: readonly Python[] = pythons.filter(
  ({ path }) => Bun.spawnSync([path, "-c", "import test.test_concurrent_futures"], { stderr: "ignore" }).success,
);
const byAge = [...tested].sort((a, b) => a.version.localeCompare(b.version, "en", { numeric: true }));
/** The oldest and the newest: each takes half a minute, most of which it sleeps. */
const ends = [...new Set([byAge.at(0), byAge.at(-1)])].filter((python) => python !== undefined);
if (ends.length === 0)
  test.skipIf(true)("SKIPPED: CPython's own tests of concurrent.futures; no Python here has them", () => {});

/** Runs CPython's test classes with our executor and our futures in the place of its own. */
const program = `
import concurrent.futures, importlib, sys, unittest
import gc_compute
# Before the tests are imported, so that they make futures of ours. They look for the name in messages.
class Future(gc_compute.ComputeFuture):
    pass
concurrent.futures._base.Future = Future
name = "test.test_concurrent_futures"
single = importlib.import_module(name)
def part(module):
    return importlib.import_module(name + "." + module) if hasattr(single, "__path__") else single

class Gc:
    worker_count = 5
    executor_type = gc_compute.Executor
    def setUp(self):
        # The functions of the tests are imported there: by the Python that has them. One test returns objects.
        self.executor = gc_compute.Executor(python=sys.executable, serializer="pickle")
    def tearDown(self):
        self.executor.shutdown(wait=True)

#: Each with the reason why it says nothing about an executor of ours.
left_out = {
    "test_max_workers_negative": "there is no max_workers",
    "test_no_stale_references": "a method of an object travels only by cloudpickle; see expectations_test.ts",
    "test_cancel": "a cancelled future tells who waits at once, and has the next state",
}
if sys.version_info < (3, 9):
    left_out["test_submit_keyword"] = "the function could be a keyword argument, which 3.9 ended"
suite = unittest.TestSuite()
def add(kind, *bases):
    class Case(*bases, unittest.TestCase):
        pass
    Case.__name__ = Case.__qualname__ = kind
    for test in unittest.defaultTestLoader.loadTestsFromTestCase(Case):
        if test._testMethodName not in left_out:
            suite.addTest(test)
add("Executor", Gc, part("executor").ExecutorTest)
add("Wait", Gc, part("test_wait").WaitTests)
add("AsCompleted", Gc, part("test_as_completed").AsCompletedTests)
add("Future", part("test_future").FutureTests)
result = unittest.TextTestRunner(verbosity=2).run(suite)
print(result.testsRun, len(result.failures) + len(result.errors), len(result.skipped))
`;

describe("CPython's own tests of concurrent.futures pass", () => {
  test.each(ends.map((python) => [python.version, python] as const))(
    "in Python %s",
    async (_, python) => {
      const { stdout, stderr } = await place.startPython(program, { python }).end(100_000);
      const [ran = 0, failed = -1, skipped = -1] = stdout.trim().split(" ").map(Number);
      if (failed !== 0 || skipped !== 0) throw new Error(stderr);
      expect(ran).toBeGreaterThan(35);
    },
    110_000,
  );
});
