import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { PythonPlace, pythons } from "./python_place.ts";

let place: PythonPlace;
beforeAll(async () => {
  place = new PythonPlace();
  await place.must(["run", "--", "true"]);
}, 30_000);
afterAll(() => place.close());

const program = `
import collections, dataclasses, datetime, enum, functools, logging, math, os.path, re, sys, typing
import xml.etree.ElementTree as ET
import xml.dom
import json as J
from pathlib import Path
import local_module
from gc_compute import Executor, SerializationError

K = 7
TABLE = {"a": [1, 2], "f": (1.5, None)}
LOG = logging.getLogger("x")
RX = re.compile("a+", re.I)
WHEN = datetime.datetime(2020, 1, 2)
HOME = Path("/tmp/x")
INF = float("inf")

def uses_globals(x):
    number = x * K + TABLE["a"][1] + math.floor(2.5)
    return number, os.path.join("a", "b"), RX.match("AAA").group(), LOG.name, WHEN.year, str(HOME), INF

def factorial(n):
    return 1 if n < 2 else n * factorial(n - 1)

def helper(x):
    return factorial(x) + K

def chain(x):
    return [helper(i) for i in range(x)]

def submodules():
    return xml.dom.Node.ELEMENT_NODE, ET.fromstring("<a>q</a>").text

class Color(enum.Enum):
    RED = 1

class Base:
    k = K
    def __init__(self, v):
        self.v = v
    def get(self):
        return self.v + self.k

class Derived(Base):
    def get(self):
        return super().get() * 2

@dataclasses.dataclass
class Point:
    x: int
    y: typing.List[int] = dataclasses.field(default_factory=list)
    def norm(self) -> float:
        return math.hypot(self.x, 3)

def classes(v, when: "datetime.datetime" = WHEN, p: Path = Path("q")) -> Point:
    return Derived(v).get(), Point(4).norm(), Color.RED.value, when.month, p.name

def timer(fn):
    @functools.wraps(fn)
    def wrapper(*a):
        return ("timed", fn(*a))
    return wrapper

@timer
def decorated(x):
    return x + K

@functools.lru_cache(maxsize=None)
def fib(n):
    return n if n < 2 else fib(n - 1) + fib(n - 2)

def plain(fn):
    def inner(*a):
        return ["plain", fn(*a)]
    return inner

@plain
def plainly(x):
    return x - 1

def make(n):
    def add(x):
        text = """two
  lines"""
        return x + n, text
    return add

def keywords(a, *, b=K, **rest):
    return a, b, rest

def inner(x):
    def f(y):
        return y + K
    return f(x) + (lambda z: z * K)(2)

def unicode(a="ü", b="ä", c=K):
    return a + b + str(c)

async def coroutine(x):
    return x

def generator(n):
    yield from range(n)

counter = 0
def bump():
    global counter
    counter += 1
    return counter

lambdas = [lambda x, i=i: x + i for i in range(3)]
two = (lambda x: x + 1, lambda x: x + 2)

with Executor() as ex:
    def c(fn, *a, **k):
        return ex.submit(fn, *a, **k).result(60)
    def same(a, b):
        assert a == b, (a, b)
    same(c(uses_globals, 2), (18, "a/b", "AAA", "x", 2020, "/tmp/x", INF))
    same(c(chain, 4), [8, 8, 9, 13])
    same(c(submodules), (1, "q"))
    same(c(classes, 3), (20, 5.0, 1, 1, "q"))
    same(c(decorated, 1), ("timed", 8))
    same(c(fib, 10), 55)
    same(c(plainly, 3), ["plain", 2])
    same(c(make(5), 1), (6, "two\\n  lines"))
    same(c(keywords, 1, z=3), (1, 7, {"z": 3}))
    same(c(inner, 1), 22)
    same(c(unicode), "üä7")
    same((c(coroutine, 4), c(generator, 3)), (4, [0, 1, 2]))
    # A warm interpreter keeps the module of a function between calls, so that this may have been called before.
    assert c(bump) >= 1
    same([c(f, 10) for f in lambdas], [10, 11, 12])
    same([c(f, 10) for f in two], [11, 12])
    same(c(lambda x:
        x * 2, 4), 8)
    same((c(math.sqrt, 16), c(len, [1, 2]), c(J.dumps, {"a": 1})), (4.0, 2, '{"a": 1}'))
    same(c(functools.partial(keywords, 1, b=2), q=1), (1, 2, {"q": 1}))
    same(c(local_module.triple, 5), 16)
    # What was sent once is sent anew when what it uses has changed.
    K = 8
    same(c(inner, 1), 25)
    TABLE["a"][1] = 100
    same(c(uses_globals, 2)[0], 118)
    # Without any source text: its bytecode, for the same Python.
    space = {"N": 5}
    exec("def f(x, y=2):\\n  return [x + N + y for _ in range(2)]", space)
    exec("def outer(n):\\n  def rec(k): return 0 if k == 0 else n + rec(k - 1)\\n  return rec", space)
    if not sys.argv[1:]:
        same(c(space["f"], 1), [8, 8])
        same(c(space["outer"](2), 3), 6)
    else:
        ex.python = sys.argv[1]
        same(c(uses_globals, 2)[0], 118)
        same(c(classes, 3)[:2], (22, 5.0))
        error = ex.submit(space["f"], 1).exception(60)
        assert "bytecode of Python" in str(error), error
        ex.serializer = "pickle"
        error = ex.submit(math.sqrt, 4).exception(60)
        assert "pickled by Python %d.%d" % sys.version_info[:2] in str(error), error
    import threading
    LOCK, THING = threading.Lock(), object()
    def locked():
        with LOCK:
            return THING
    ex.serializer = None
    try:
        ex.submit(locked)
        assert False
    except SerializationError as e:
        assert '"LOCK"' in str(e) and '"THING"' in str(e), e
print("ok")
`;

describe("functions travel as source text", () => {
  test("with the globals, closures, classes and decorators that they use; or are refused by name", async () => {
    writeFileSync(join(place.cwd, "local_module.py"), "BY = 3\n\ndef triple(x):\n    return x * BY + 1\n");
    await place.tries(program);
  }, 60_000);

  const [first, ...others] = pythons;
  const newest = [...others].sort((a, b) => Number(b.version.slice(2)) - Number(a.version.slice(2)))[0];
  const pairs = first === undefined || newest === undefined ? [] : [[first, newest] as const, [newest, first] as const];
  test.each(pairs.map(([here, there]) => [here.version, there.version, here, there] as const))(
    "from Python %s to Python %s; a pickle is refused with both versions",
    async (_, __, here, there) => {
      writeFileSync(join(place.cwd, "local_module.py"), "BY = 3\n\ndef triple(x):\n    return x * BY + 1\n");
      const { stdout, stderr } = await place.python(program, { python: here, args: [there.path] });
      expect({ stdout, stderr }).toEqual({ stdout: "ok\n", stderr: "" });
    },
    60_000,
  );

  test("from standard input, as in a REPL without lines", async () => {
    const text =
      "from gc_compute import Executor\nk = 4\ndef f(x): return x + k\nprint(Executor().submit(f, 1).result(30))\n";
    const [python] = pythons;
    const { stdout, stderr } = await place.startAny([python?.path ?? "python3", "-"], { stdin: text }).end();
    expect({ stdout, stderr }).toEqual({ stdout: "5\n", stderr: "" });
  }, 60_000);
});
