/** A listed function runs as it was listed, known by its hash, and nothing else runs. */
import { describe, expect, test } from "bun:test";
import { type AllowLists, requireListed } from "../../core/access/function_list.ts";
import { functionDigest, functionId } from "../../core/access/registered_function.ts";
import type { PythonCall, PythonCode } from "../../core/schema/python.ts";
import type { TaskSpec } from "../../core/schema/task.ts";
import { codeOf } from "./people.ts";

const code: PythonCode = { kind: "source", source: "def f(x):\n    return x\n", entry: "f" };
const changed: PythonCode = { ...code, source: "def f(x):\n    return -x\n" };
const sha256 = functionDigest(code);
const call = (more: Partial<PythonCall> = {}): PythonCall => ({
  code,
  arguments: { kind: "json", text: '{"args":[1]}' },
  ...more,
});
const verdict = (task: TaskSpec, lists: AllowLists = { functions: [sha256] }): Promise<string> =>
  codeOf(() => requireListed(lists, task));

describe("requireListed()", () => {
  test("takes a listed function by its SHA-256 or its id, however it is written", async () => {
    for (const named of [sha256, `sha256:${sha256}`, functionId(sha256)]) {
      expect(await verdict({ python: call() }, { functions: [named] })).toBe("");
      expect(await verdict({ python: call({ code: changed }) }, { functions: [named] })).toBe("function.denied");
    }
  });

  test("names the hash of what it refuses, and the key of the configuration", () => {
    const act = () => requireListed({ functions: [] }, { python: call() });
    expect(act).toThrow(sha256);
    expect(act).toThrow("allowed_functions in the endpoint's config.yaml");
  });

  test("refuses another body under the name of a registered function, with and without a list", async () => {
    for (const named of [sha256, functionId(sha256)]) {
      const python = call({ code: changed, function: named });
      expect(await verdict({ python }, {})).toBe("function.changed");
      expect(await verdict({ python })).toBe("function.changed");
      expect(await verdict({ python: call({ function: named }) })).toBe("");
    }
  });

  const pickle = { kind: "pickle", base64: "gAR9lC4=", version: "3.12.1" } as const;
  const around: [string, TaskSpec][] = [
    ["an environment", { python: call(), env: { PYTHONPATH: "/tmp" } }],
    ["a directory", { python: call(), cwd: "/tmp" }],
    ["an input", { python: call(), stdin: { kind: "inline", base64: "" } }],
    ["options for its launcher", { python: call(), resources: { ranks: 2, launcher_options: "-x LD_PRELOAD=/x.so" } }],
    ["an interpreter", { python: call({ interpreter: "/tmp/python" }) }],
    ["pickled arguments, which run code", { python: call({ arguments: pickle }) }],
  ];
  test.each(around)("refuses a listed function with %s", async (_, task) => {
    expect(await verdict(task)).toBe("function.surroundings");
    expect(await verdict(task, {})).toBe("");
  });

  test("lets no command and no script by, unless commands are listed too", async () => {
    const script = { name: "s.py", source: "", args: [] };
    for (const task of [{ argv: ["true"] }, { script: "true" }, { python_script: script }]) {
      expect(await verdict(task)).toBe("command.denied");
      expect(await verdict({ ...task, python: call() })).toBe("function.denied");
    }
    const both = { functions: [sha256], commands: [{ argv: ["true"] }] };
    expect(await verdict({ argv: ["true"] }, both)).toBe("");
    expect(await verdict({ argv: ["false"] }, both)).toBe("command.denied");
    expect(await verdict({ python: call() }, both)).toBe("");
    expect(await verdict({ python_script: script }, both)).toBe("command.denied");
  });

  test("lets anything by where there is no list", async () => {
    for (const task of [{ argv: ["true"] }, { python: call() }]) expect(await verdict(task, {})).toBe("");
  });
});
