/**
 * Every Python of this machine calls functions in every other one: as source that works, a pickle works in the same
 * minor version and is refused with both versions in any other, and nothing crashes. Which Pythons there are is
 * printed; those in PATH and those that pyenv keeps are found.
 */
// time limit: 300 s
import { afterAll, beforeAll, describe, test } from "bun:test";
import { type Python, PythonPlace, pythons } from "./python_place.ts";

const wanted = ["3.8", "3.9", "3.10", "3.11", "3.12", "3.13"];
const absent = wanted.filter((version) => pythons.every((python) => python.version !== version));
if (absent.length > 0) console.log(`SKIPPED: Python ${absent.join(", ")} (not on this machine)`);

const program = (others: readonly Python[]): string => `
import collections, datetime, sys
from gc_compute import Client, Executor, TaskExecutionFailed
WHERE = ${JSON.stringify(others)}
here = "%d.%d" % sys.version_info[:2]

Point = collections.namedtuple("Point", "x y")
OFFSET = {"days": 1}

def later(day, *, times=2):
    import sys
    moved = [day + datetime.timedelta(**OFFSET) * n for n in range(times)]
    return "%d.%d" % sys.version_info[:2], moved, {1: {2}, "k": (None, b"x")}

def fails(x):
    return [1, 2][x]

day = datetime.date(2026, 2, 28)
wanted = ([day, datetime.date(2026, 3, 1)], {1: {2}, "k": (None, b"x")})
function_id = Client().register_function(later)
with Executor() as ex:
    for there in WHERE:
        ex.python, ex.serializer = there["path"], None
        version, moved, rest = ex.submit_to_registered_function(function_id, args=(day,)).result()
        assert (version, (moved, rest)) == (there["version"], wanted), (version, moved, rest)
        assert list(ex.map(lambda x: x + OFFSET["days"], range(3))) == [1, 2, 3]
        e = ex.submit(fails, 5).exception()
        assert type(e) is IndexError and "in fails" in str(e.__cause__), repr(e)
        ex.serializer = "pickle"
        future = ex.submit(later, day)
        if there["version"] == here:
            assert future.result()[1:] == wanted, future.result()
        else:
            e = future.exception()
            assert isinstance(e, TaskExecutionFailed) and "VersionMismatch" in str(e), repr(e)
            assert "Python %s." % here in str(e) and "Python %s." % there["version"] in str(e), e
print("ok")
`;

describe.skipIf(pythons.length === 0)("Pythons among each other", () => {
  let place: PythonPlace;
  beforeAll(async () => {
    place = new PythonPlace();
    await place.must(["run", "--", "true"]);
  }, 30_000);
  afterAll(() => place.close());

  test.each(pythons.map((python) => [python.version, python] as const))(
    "Python %s calls all others",
    async (_, python) => {
      await place.tries(program(pythons), { python });
    },
    90_000,
  );
});
