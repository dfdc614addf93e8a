/**
 * The program that runs Python functions, under every Python that this machine has: those in PATH, and those that pyenv
 * or uv keep. What is not there is not tested.
 */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import * as fs from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import type { PythonCall } from "../../core/schema/python.ts";
import { Rig } from "./rig.ts";

const kept = [".pyenv/versions", ".local/share/uv/python"].flatMap((folder) => {
  const dir = join(homedir(), folder);
  return fs.existsSync(dir) ? fs.readdirSync(dir).map((name) => join(dir, name, "bin/python3")) : [];
});
const minors = Array.from({ length: 12 }, (_, minor) => Bun.which(`python3.${minor + 6}`)).filter(
  (path) => path !== null,
);

/** One interpreter of each minor version that really starts. */
const pythons = new Map<string, string>();
for (const path of [...kept, ...minors]) {
  if (!fs.existsSync(path)) continue;
  const asked = Bun.spawnSync([path, "-c", "import sys; print('%d.%d' % sys.version_info[:2])"]);
  const version = asked.stdout.toString().trim();
  if (asked.success && !pythons.has(version)) pythons.set(version, path);
}
const old = join(homedir(), ".pyenv/versions/2.7.18/bin/python");

const source = `
import datetime, decimal, pathlib, sys, uuid
def f(values, fail=False):
    print("é", end="")
    if fail:
        raise KeyError("é")
    return ["%d.%d" % sys.version_info[:2], values]
async def g():
    return (yield_nothing(), {1: {2.5}})
def yield_nothing():
    return None
`;

describe.skipIf(pythons.size === 0)("the runner", () => {
  let rig: Rig;
  beforeAll(async () => {
    rig = await Rig.start({ env: { LC_ALL: "C" } });
  });
  afterAll(() => rig.close());
  const run = (interpreter: string, entry: string, args: unknown[]) => {
    const given = { kind: "json", text: JSON.stringify({ args }) } as const;
    const python: PythonCall = { code: { kind: "source", source, entry }, arguments: given, interpreter };
    return rig.run({ python });
  };

  test.each([...pythons])("under Python %s calls, tags, prints, raises and awaits", async (version, path) => {
    const tagged = [
      {
        $gc: "tuple",
        v: [
          { $gc: "bytes", v: "AA==" },
          { $gc: "date", v: "2026-01-02" },
        ],
      },
      { $gc: "datetime", v: "2026-01-02T03:04:05+00:00" },
      { $gc: "time", v: "03:04:05.500000" },
      { $gc: "path", v: "/x" },
      { $gc: "int", v: "-0x20000000000000" },
    ];
    const good = await run(path, "f", [tagged]);
    expect(JSON.parse(good.value?.kind === "json" ? good.value.text : "null")).toEqual([version, tagged]);
    expect(good.stdout.text).toBe("é");
    const bad = await run(path, "f", [tagged, true]);
    expect(bad.exception).toMatchObject({ type: "KeyError", message: "'é'" });
    const awaited = await run(path, "g", []);
    expect(JSON.parse(awaited.value?.kind === "json" ? awaited.value.text : "null")).toEqual({
      $gc: "tuple",
      v: [null, { $gc: "dict", v: [[1, { $gc: "set", v: [2.5] }]] }],
    });
  });

  const why = fs.existsSync(old) ? "" : ` (SKIPPED: there is no ${old})`;
  test.skipIf(why !== "")(`under Python 2 says that it is too old${why}`, async () => {
    const { outcome, stderr } = await run(old, "f", []);
    expect(outcome).toMatchObject({ class: "fail", cause: "spawn", exit_code: 126 });
    expect(stderr.text).toContain("is too old: gc needs Python 3.6 or newer");
  });

  test("finds the interpreter of a virtual environment, and says so when conda is missing", async () => {
    const [, path = ""] = [...pythons][0] ?? [];
    fs.mkdirSync(rig.path("venv/bin"), { recursive: true });
    fs.symlinkSync(path, rig.path("venv/bin/python"));
    expect((await run(`venv:${rig.path("venv")}`, "f", [1])).outcome.class).toBe("ok");
    const missing = await run("conda:lab", "f", [1]);
    expect(missing.outcome.reason).toContain('"conda"');
  });
});
