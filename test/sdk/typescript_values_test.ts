import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { formatCommand } from "../../sdk/typescript/format.ts";
import { PythonFunction } from "../../sdk/typescript/python_function.ts";
import { readValue } from "../../sdk/typescript/read_values.ts";
import { mpiResourcesOf, resourcesOf } from "../../sdk/typescript/resources.ts";
import { MPIFunction, ShellFunction } from "../../sdk/typescript/shell_function.ts";
import { argumentsText } from "../../sdk/typescript/values.ts";
import { pythons } from "./python_place.ts";
import { runtimes, TypescriptPlace } from "./typescript_place.ts";

let place: TypescriptPlace;
beforeAll(async () => {
  place = new TypescriptPlace();
  await place.must(["run", "--", "true"]);
  await place.install();
}, 30_000);
afterAll(() => place.close());

describe.each(runtimes.map((runtime) => [runtime.name, runtime] as const))("values under %s", (_, runtime) => {
  test("travel to Python and back, each as what it is there", async () => {
    await place.passes(
      runtime,
      `
const same = new gc.PythonFunction("def same(*args): return [[type(a).__name__, a] for a in args]");
const values = [
  ["NoneType", null], ["NoneType", undefined, null], ["bool", true], ["int", 3], ["float", 1.5], ["str", "ü😀"],
  ["float", Infinity], ["float", -0], ["float", NaN], ["int", 2n ** 70n], ["int", -(2n ** 64n)], ["int", 5n, 5],
  ["float", 1e300], ["float", 2 ** 60], ["float", gc.pyFloat(2), 2], ["list", [1, [2]]], ["dict", { a: { b: 1 } }],
  ["dict", { a: undefined }, {}], ["dict", { $gc: "x" }, new Map([["$gc", "x"]])],
  ["dict", new Map([[1, "a"], [2, [3]]])], ["set", new Set([1, 2])], ["tuple", gc.tuple(1, "b"), [1, "b"]],
  ["bytes", new Uint8Array([0, 255])], ["bytes", Buffer.from("hi"), new Uint8Array([104, 105])],
  ["datetime", new Date(1700000000123)], ["dict", Object.create(null), {}],
];
const got = await new gc.Executor().submit(same, ...values.map(([, value]) => value)).result();
for (const [i, [kind, sent, back = sent]] of values.entries()) {
  assert.equal(got[i][0], kind, "argument " + i);
  assert.deepEqual(got[i][1], back, "argument " + i);
}
const made = new gc.PythonFunction(\`
    import collections, datetime, decimal, fractions, pathlib, uuid
    def made():
        return [1 + 2j, range(3), datetime.date(2025, 1, 2), datetime.datetime(2025, 1, 2), datetime.timedelta(1, 2, 3),
                decimal.Decimal("1.10"), fractions.Fraction(1, 3), pathlib.Path("/a"), uuid.UUID(int=5),
                collections.OrderedDict(a=1), frozenset([1]), bytearray(b"x"), {(1, 2): 3}]
\`);
const value = (kind, v) => new gc.PythonValue(kind, v);
assert.deepEqual(await new gc.Executor().submit(made).result(), [value("complex", [1, 2]), value("range", [0, 3, 1]),
  "2025-01-02", "2025-01-02T00:00:00", value("timedelta", [1, 2, 3]), "1.10", value("fraction", [1, 3]), "/a",
  "00000000-0000-0000-0000-000000000005", new Map([["a", 1]]), new Set([1]), new Uint8Array([120]),
  new Map([[[1, 2], 3]])]);
console.log("ok");
`,
    );
  }, 60_000);
});

test("what cannot travel is refused by name before anything is sent", () => {
  class Point {
    x = 1;
  }
  const loop: { self?: unknown } = {};
  loop.self = loop;
  for (const [value, why] of [
    [() => 1, "a function"],
    [Symbol("x"), "a symbol"],
    [new Point(), "the class Point"],
    [[{ deep: /x/ }], "the class RegExp"],
    [new Date(Number.NaN), "an invalid Date"],
    [loop, "contains itself"],
  ] as const) {
    expect(() => argumentsText([value], {})).toThrow(why);
  }
});

test("arrays of numbers are arrays of NumPy, and come back as such", () => {
  const text = argumentsText([new Float32Array([1.5, -2])], {});
  const tagged = { $gc: "ndarray", v: "AADAPwAAAMA=", dtype: "<f4", shape: [2] };
  expect(JSON.parse(text).args).toEqual([tagged]);
  expect(readValue(JSON.stringify(tagged))).toMatchObject({ shape: [2], data: new Float32Array([1.5, -2]) });
  expect(readValue('{"$gc":"numpy","v":"AADAPw==","dtype":"<f4"}')).toBe(1.5);
  expect(readValue('{"$gc":"numpy","v":"BQAAAAAAAAA=","dtype":"<i8"}')).toBe(5);
  expect(readValue('{"$gc":"numpy","v":"AQ==","dtype":"|b1"}')).toBe(true);
  expect(() => readValue('{"$gc":"later","v":1}')).toThrow('unknown tag "later"');
});

test("commands are filled in as Python does it", () => {
  const cases: [string, { [name: string]: string | number }][] = [
    ["{a}-{b} {{x}} {a}", { a: "1", b: "two words" }],
    ...[
      "",
      "d",
      "5",
      "<5",
      "^7",
      "05d",
      "+d",
      " d",
      ",",
      "x",
      "X",
      "o",
      "b",
      "*>8",
      "=+6",
      ".2f",
      "8.3f",
      "e",
      ".0e",
    ].map((spec): [string, { [name: string]: number }] => [`{n:${spec}}|`, { n: 1234 }]),
    ...["d", "+06d", ".1f", "08.2f", ",.1f", ".1%", "x"].map((spec): [string, { [name: string]: number }] => [
      `{n:${spec}}`,
      { n: -42 },
    ]),
    ...["10", ">10", "^9", ".2", "*<6.3", "s"].map((spec): [string, { [name: string]: string }] => [
      `{s:${spec}}|`,
      { s: "naïve" },
    ]),
  ];
  const program = "import json,sys\nprint(json.dumps([t.format(**v) for t, v in json.load(sys.stdin)]))";
  const run = Bun.spawnSync([pythons[0]?.path ?? "python3", "-c", program], {
    stdin: new TextEncoder().encode(JSON.stringify(cases)),
    env: { ...process.env, PYTHONUTF8: "1" },
  });
  expect(cases.map(([text, values]) => formatCommand(text, values))).toEqual(JSON.parse(run.stdout.toString()));
});

test("places that cannot be filled in are refused", () => {
  for (const [text, why] of [
    ["echo {b}", "wants {b}, which has no value; given: a"],
    ["echo {}", "no plain name"],
    ["awk {print $1}", "no plain name"],
    ["echo {a!r}", "no plain name"],
    ["echo }", 'a lone "}"'],
    ["echo { ", 'a lone "{"'],
    ["echo {a:q}", "not supported"],
    ["echo {a:d}", "a format for numbers"],
  ] as const) {
    expect(() => formatCommand(text, { a: "1" })).toThrow(why);
  }
  expect(() => formatCommand("{n:d}", { n: 1.5 })).toThrow("does not fit the number 1.5");
});

test("a ShellFunction is checked when it is made", () => {
  expect(() => new ShellFunction("")).toThrow("The command must be text");
  expect(() => new ShellFunction("true", { walltime: -1 })).toThrow("-1");
  expect(() => new ShellFunction("true", { snippetLines: 0.5 })).toThrow("0.5");
  expect(() => new ShellFunction("true", { name: "not a name" })).toThrow("not a name");
});

test("a PythonFunction finds the function in its text, or asks which", () => {
  const codeOf = (text: string, entry?: string) => new PythonFunction(text, entry === undefined ? {} : { entry }).code;
  expect(codeOf("math:sqrt")).toEqual({ kind: "import", module: "math", entry: "sqrt" });
  expect(codeOf("\n    def f(x):\n        return x\n    ")).toEqual({
    kind: "source",
    source: "def f(x):\n    return x\n",
    entry: "f",
  });
  expect(codeOf("async def g(): pass").entry).toBe("g");
  expect(codeOf("class A:\n  @staticmethod\n  def f(): pass", "A.f").entry).toBe("A.f");
  expect(codeOf("def a(): pass\ndef b(): pass", "b").entry).toBe("b");
  expect(() => codeOf("def a(): pass\ndef b(): pass")).toThrow("defines a, b: say which one is called");
  expect(() => codeOf("return 1")).toThrow("defines no function");
  expect(() => codeOf("def a(): pass", "no name")).toThrow('"no name"');
});

describe("the resources of an MPI program", () => {
  test("two of nodes, ranks and ranks per node determine the third", () => {
    const shape = (given: object) => {
      const { nodes, ranks, ranks_per_node } = mpiResourcesOf(given);
      return [nodes, ranks, ranks_per_node];
    };
    expect(shape({ num_nodes: 2, ranks_per_node: 4 })).toEqual([2, 8, 4]);
    expect(shape({ num_nodes: 2, num_ranks: 8 })).toEqual([2, 8, 4]);
    expect(shape({ num_ranks: 8, ranks_per_node: 4 })).toEqual([2, 8, 4]);
    expect(shape({ num_nodes: 2, ranks_per_node: 4, num_ranks: 8 })).toEqual([2, 8, 4]);
    expect(shape({ num_nodes: 3 })).toEqual([3, 3, 1]);
    expect(shape({ num_ranks: 3 })).toEqual([1, 3, 3]);
    expect(mpiResourcesOf({ num_nodes: 1, launcher_options: "--x" }).launcher_options).toBe("--x");
  });

  test("contradictions are refused with the numbers", () => {
    expect(() => mpiResourcesOf({ num_nodes: 2, ranks_per_node: 4, num_ranks: 9 })).toThrow(
      "num_nodes 2 times ranks_per_node 4 make 8 ranks, and num_ranks is 9",
    );
    expect(() => mpiResourcesOf({ num_nodes: 2, num_ranks: 3 })).toThrow(
      "3 cannot be shared out evenly over num_nodes 2",
    );
    expect(() => mpiResourcesOf({ num_ranks: 7, ranks_per_node: 2 })).toThrow("1 would be left over");
    expect(() => mpiResourcesOf(undefined)).toThrow("needs a resourceSpecification");
    expect(() => resourcesOf({ num_nodes: 1.5 })).toThrow('"num_nodes" cannot be 1.5');
    expect(() => resourcesOf({ cores: 0 })).toThrow('"cores" cannot be 0');
    expect(() => resourcesOf({ toString: 1 } as object)).toThrow('no key "toString"');
  });

  test("the command is a script that starts its first word by the site's launcher", () => {
    const fn = new MPIFunction("echo '{x}' | sort");
    const { script, argv } = fn.spec(fn.line({ x: "a" }), true);
    const env = { ...process.env, PARSL_MPI_PREFIX: "env X=1" };
    const run = Bun.spawnSync(["sh", "-c", script ?? ""], { env });
    expect([run.stdout.toString(), run.stderr.toString(), argv]).toEqual(["a\n", "", undefined]);
    expect(script).toContain("$PARSL_MPI_PREFIX echo");
  });
});
