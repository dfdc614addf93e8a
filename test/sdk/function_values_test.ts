/**
 * Values of numpy and pandas, and pickles of cloudpickle and dill, between Pythons that have them and Pythons that have
 * others. The packages are installed for this test alone; where they cannot be had, it is skipped with the reason.
 */
// time limit: 420 s
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { PythonPlace, pythons } from "./python_place.ts";

const folder = mkdtempSync(join(tmpdir(), "gc-values-"));
const [python] = pythons;
/** Here are all of them; there are others of cloudpickle and dill, and nothing else. */
const here = join(folder, "here");
const there = join(folder, "there");
const missing =
  install(here, ["numpy", "pandas", "cloudpickle==3.1.1", "dill==0.3.9"]) ??
  install(there, ["cloudpickle==3.0.0", "dill==0.3.8"]);
if (missing !== undefined)
  console.log(`SKIPPED: values of numpy and pandas, pickles of cloudpickle and dill (${missing})`);

const noUv = install(join(folder, "uv"), ["uv"]);
if (noUv !== undefined) console.log(`SKIPPED: a script whose packages uv installs (${noUv})`);

/** Writes a package of one module as a wheel, so that nothing has to be fetched. */
const wheel = `
import sys, zipfile
files = {
    "twice.py": "def twice(x):\\n    return 2 * x\\n",
    "twice-1.0.dist-info/METADATA": "Metadata-Version: 2.1\\nName: twice\\nVersion: 1.0\\n",
    "twice-1.0.dist-info/WHEEL": "Wheel-Version: 1.0\\nGenerator: test\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n",
}
files["twice-1.0.dist-info/RECORD"] = "".join("%s,,\\n" % name for name in files) + "twice-1.0.dist-info/RECORD,,\\n"
with zipfile.ZipFile(sys.argv[1] + "/twice-1.0-py3-none-any.whl", "w") as out:
    for name, text in files.items():
        out.writestr(name, text)
`;

/** Makes a virtual environment. Returns why there can be none. */
function install(at: string, packages: readonly string[]): string | undefined {
  if (python === undefined) return "no Python 3.8 or newer";
  const venv = [python.path, "-m", "venv", at];
  const steps =
    packages.length === 0
      ? [venv]
      : [
          venv,
          [join(at, "bin/python"), "-m", "pip", "install", "--quiet", "--retries", "1", "--timeout", "20", ...packages],
        ];
  for (const argv of steps) {
    const { success, stderr } = Bun.spawnSync(argv, { timeout: 150_000, stdout: "ignore", stderr: "pipe" });
    if (!success) return `${argv.slice(1).join(" ")}: ${stderr.toString().trim().split("\n").at(-1) || "no answer"}`;
  }
  return undefined;
}

describe.skipIf(missing !== undefined)("values of packages", () => {
  let place: PythonPlace;
  const tries = (program: string): Promise<string> => {
    const full = `HERE, THERE = ${JSON.stringify(`venv:${here}`)}, ${JSON.stringify(`venv:${there}`)}\n${program}`;
    return place.tries(full, { python: { version: python?.version ?? "", path: join(here, "bin/python") } });
  };
  beforeAll(async () => {
    place = new PythonPlace();
    await place.must(["run", "--", "true"]);
  }, 30_000);
  afterAll(async () => {
    await place?.close();
    rmSync(folder, { recursive: true, force: true });
  }, 30_000);

  test("arrays of numpy travel as JSON; where there is no numpy, that is said", async () => {
    await tries(`
import numpy as np
from gc_compute import Executor
def scaled(a, by):
    return a * by, a.sum(), a.shape
with Executor(python=HERE) as ex:
    for a in (np.arange(6.0).reshape(2, 3), np.array([1, 2], dtype=">i2"), np.zeros((0, 2)), np.array([1 + 2j])):
        b, total, shape = ex.submit(scaled, a, 2).result()
        assert type(b) is np.ndarray and b.dtype == (a * 2).dtype and (b == a * 2).all(), b
        assert total == a.sum() and shape == a.shape
    rows = np.array([(1, 2.5)], dtype=[("n", "<i4"), ("x", "<f8")])
    assert (ex.submit(lambda r: r, rows).result() == rows).all()
    ex.python = THERE
    e = ex.submit(scaled, np.arange(3), 2).exception()
    assert "has no numpy" in str(e), repr(e)
print("ok")
`);
  }, 60_000);

  test("data frames of pandas travel as pickles; as JSON they are refused with what to do", async () => {
    await tries(`
import pandas as pd
from gc_compute import Executor, SerializationError
def total(frame):
    return frame.groupby("k").sum()
frame = pd.DataFrame({"k": ["a", "b", "a"], "v": [1, 2, 3], "t": pd.to_datetime(["2026-01-01"] * 3).astype("int64")})
with Executor(python=HERE) as ex:
    try:
        ex.submit(total, frame)
        assert False
    except SerializationError as e:
        assert "DataFrame" in str(e) and 'serializer="pickle"' in str(e), e
    e = ex.submit(lambda: __import__("pandas").DataFrame({"a": [1]})).exception()
    assert "DataFrame" in str(e) and "pickle" in str(e), repr(e)
    ex.serializer = "pickle"
    back = ex.submit(total, frame).result()
    assert back.equals(frame.groupby("k").sum()), back
    ex.python = THERE
    e = ex.submit(total, frame).exception()
    assert "ModuleMissing" in str(e) and "pandas" in str(e), repr(e)
print("ok")
`);
  }, 60_000);

  test.each(["cloudpickle", "dill"])(
    "%s carries what source cannot, and only to its own version",
    async (name) => {
      await tries(`
import importlib
from gc_compute import Executor, SerializationError
module = importlib.import_module(${JSON.stringify(name)})
class Counter:
    def __init__(self, n):
        self.n = n
    def __call__(self, by):
        return Counter(self.n + by)
    def __eq__(self, other):
        return self.n == other.n
with Executor(python=HERE, serializer=${JSON.stringify(name)}) as ex:
    assert ex.submit(Counter(3), 4).result().n == 7
    back = ex.submit(lambda: lambda x: x + 1).result()
    assert back(1) == 2
    ex.python = THERE
    told = str(ex.submit(Counter(3), 4).exception())
    assert "VersionMismatch" in told and module.__version__ in told, told
    assert ${JSON.stringify(name === "dill" ? "dill 0.3.8" : "cloudpickle 3.0.0")} in told, told
    # Source and JSON go there all the same.
    ex.serializer = None
    assert ex.submit(lambda x: x + 1, 1).result() == 2
print("ok")
`);
    },
    60_000,
  );

  test.skipIf(noUv !== undefined)(
    "a script gets the packages that its metadata names from uv",
    async () => {
      const { exe } = place;
      const uv = new PythonPlace();
      try {
        const made = await uv.python(wheel, { args: [uv.cwd] });
        expect(made).toMatchObject({ code: 0, stderr: "" });
        const head = `# /// script\n# dependencies = ["twice @ file://${uv.cwd}/twice-1.0-py3-none-any.whl"]\n# ///\n`;
        writeFileSync(
          join(uv.cwd, "s.py"),
          `${head}import sys, twice\nprint(twice.twice(21), sys.argv[1:])\nsys.exit(3)\n`,
        );
        const env = { PATH: `${join(folder, "uv/bin")}:${process.env.PATH}`, UV_PYTHON_DOWNLOADS: "never" };
        const { code, stdout, stderr } = await uv.startAny([exe, "run", "s.py", "--fast"], { env }).end(90_000);
        expect({ code, stdout, stderr }).toEqual({ code: 3, stdout: "42 ['--fast']\n", stderr: "" });
      } finally {
        await uv.close();
      }
    },
    120_000,
  );

  test("a Python without the serializer says so before anything is sent, and at the endpoint", async () => {
    const bare = join(folder, "bare");
    expect(install(bare, [])).toBeUndefined();
    await tries(`
from gc_compute import Executor
with Executor(python="venv:${bare}", serializer="cloudpickle") as ex:
    e = ex.submit(lambda: 1).exception()
    assert "SerializerMissing" in str(e) and "cloudpickle" in str(e), repr(e)
print("ok")
`);
    const { stdout } = await place.python(
      `
from gc_compute import Executor, SerializationError
try:
    Executor(serializer="dill").submit(lambda: 1)
except SerializationError as e:
    print(e)
`,
      { python: { version: "", path: join(bare, "bin/python") } },
    );
    expect(stdout).toContain('serializer="dill" needs the package dill');
  }, 120_000);
});
