import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { mpiexec } from "../worker/fake_mpiexec.ts";
import { PythonPlace, pythons } from "./python_place.ts";

let place: PythonPlace;
beforeAll(async () => {
  place = new PythonPlace();
  await place.must(["endpoint", "configure", "my-endpoint"]);
  writeFileSync(join(place.cwd, "mpiexec"), mpiexec, { mode: 0o755 });
  const env = { PATH: `${place.cwd}:${place.env().PATH}` };
  await place.must(["endpoint", "start", "--detach", "my-endpoint"], { env });
}, 30_000);
afterAll(() => place.close());

describe("what users of globus_compute_sdk write, with only the import changed", () => {
  test("a function is called at the endpoint", async () => {
    const { stdout } = await place.python(`
from gc_compute import Executor

endpoint_id = "my-endpoint"

def hello_world(name):
    return f"Hello {name}!"

with Executor(endpoint_id=endpoint_id) as gce:
    future = gce.submit(hello_world, "World")
    print(future.result())
`);
    expect(stdout).toBe("Hello World!\n");
  }, 30_000);

  test("a ShellFunction greets in three languages", async () => {
    const { stdout } = await place.python(`
from gc_compute import Executor, ShellFunction

ex = Executor(endpoint_id="my-endpoint")
func = ShellFunction("echo '{message}'")
for msg in ("hello", "hola", "bonjour"):
    future = ex.submit(func, message=msg)
    print(future.result())
`);
    expect(stdout).toBe("hello\nhola\nbonjour\n");
  }, 30_000);

  test("a walltime of 1 s ends `sleep 2` with the code 124", async () => {
    const { stdout } = await place.python(`
from gc_compute import Executor, ShellFunction

bf = ShellFunction("sleep 2", walltime=1)
with Executor(endpoint_id="my-endpoint") as ex:
    future = ex.submit(bf)
    print(future.result().returncode, future.result().exception_name)
`);
    expect(stdout).toBe("124 subprocess.TimeoutExpired\n");
  }, 30_000);

  test("a ShellResult has its fields, as an object or as a dict", async () => {
    await place.tries(`
from gc_compute import Executor, ShellFunction, ShellResult

with Executor(endpoint_id="my-endpoint") as ex:
    r = ex.submit(ShellFunction("echo out; echo {word} >&2; exit 3"), word="err").result()
    assert isinstance(r, ShellResult)
    assert (r.stdout, r.stderr, r.returncode) == ("out\\n", "err\\n", 3), vars(r)
    assert r.cmd == "echo out; echo err >&2; exit 3" and r.exception_name == "subprocess.CalledProcessError"
    assert "err" in str(r)
    d = ex.submit(ShellFunction("seq 5; echo '{{x}}'", snippet_lines=2, return_dict=True)).result()
    assert d == {"cmd": "seq 5; echo '{x}'", "stdout": "5\\n{x}\\n", "stderr": "", "returncode": 0,
                 "exception_name": None}, d
    r = ex.submit(ShellFunction("kill -SEGV $$")).result()
    assert r.returncode == 139, vars(r)
    try:
        ex.submit(ShellFunction("echo {x}"), 1)
        assert False
    except TypeError:
        pass
    try:
        ShellFunction("true", name="not a name")
        assert False
    except ValueError:
        pass
print("ok")
`);
  }, 30_000);

  test("output also goes to files at the endpoint, and comes back", async () => {
    await place.tries(`
import os
from gc_compute import Executor, ShellFunction
folder = os.getcwd() + "/logs/deep"
with Executor(endpoint_id="my-endpoint") as ex:
    for n in (1, 2):
        f = ShellFunction("echo line{n}; echo bad >&2; exit 4", stdout=folder + "/o.txt", stderr=folder + "/e.txt")
        r = ex.submit(f, n=n).result()
    assert open(folder + "/o.txt").read() == "line1\\nline2\\n"
    assert (r.stdout, r.stderr, r.returncode) == ("line1\\nline2\\n", "bad\\nbad\\n", 4), vars(r)
    r = ex.submit(ShellFunction("echo begun; sleep 30", stdout=folder + "/w.txt", walltime=0.5)).result()
    assert (r.stdout, r.returncode) == ("begun\\n", 124), vars(r)
print("ok")
`);
  }, 30_000);

  test("exceptions come back as themselves, with the remote traceback as their cause", async () => {
    await place.tries(`
from gc_compute import Executor, TaskExecutionFailed

class Overflow(ValueError):
    def __init__(self, much, what):
        super().__init__(much, what)
        self.what = what

def divide(a, b):
    return a / b

def overflows():
    raise Overflow(3, "cup")

with Executor(endpoint_id="my-endpoint") as gce:
    f = gce.submit(divide, 1, 0)
    assert type(f.exception()) is ZeroDivisionError
    assert "in divide" in str(f.exception().__cause__), f.exception().__cause__
    try:
        gce.submit(overflows).result()
        assert False
    except Overflow as e:
        assert e.args == (3, "cup") and e.what == "cup"
    e = gce.submit(__import__("sys").exit, 3).exception()
    assert isinstance(e, TaskExecutionFailed) and "SystemExit" in str(e), repr(e)
print("ok")
`);
  }, 30_000);

  test("MPIFunction starts its first program on each rank, and the rest once", async () => {
    await place.tries(`
from gc_compute import Executor, MPIFunction, ShellFunction
with Executor(endpoint_id="my-endpoint") as ex:
    try:
        ex.submit(MPIFunction("hostname"))
        assert False
    except ValueError as e:
        assert "num_nodes" in str(e), e
    for wrong in ({"num_nodes": 2, "num_ranks": 3}, {"num_nodes": 2, "ranks_per_node": 2, "num_ranks": 5}):
        try:
            ex.resource_specification = wrong
            ex.submit(MPIFunction("hostname"))
            assert False
        except ValueError as e:
            assert "contradict" in str(e), e
    ex.resource_specification = {"num_nodes": 1, "ranks_per_node": 2}
    done = ex.submit(MPIFunction("echo '{word}'\\necho once"), word="rank").result()
    assert sorted(done.stdout.split()) == ["once", "rank", "rank"], (done.stdout, done.stderr)
    assert done.cmd.startswith("$PARSL_MPI_PREFIX echo"), done.cmd
    line = ex.submit(ShellFunction("echo $PARSL_NUM_RANKS; $PARSL_MPI_PREFIX echo rank")).result()
    assert (line.stdout, line.returncode) == ("2\\nrank\\nrank\\n", 0), vars(line)
print("ok")
`);
  }, 30_000);

  test.each(pythons.map((python) => [python.version, python] as const))(
    "Python %s calls a function and a command",
    async (_, python) => {
      await place.tries(
        `
from gc_compute import Executor, ShellFunction
factor = 3
def scaled(x, *, by=factor):
    return x * by
with Executor(endpoint_id="my-endpoint") as ex:
    assert list(ex.map(scaled, range(5))) == [0, 3, 6, 9, 12]
    assert ex.submit(ShellFunction("echo hi")).result().stdout == "hi\\n"
print("ok")
`,
        { python },
      );
    },
    30_000,
  );
});
