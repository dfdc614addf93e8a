/** A listed command runs exactly as listed, and nothing else runs. */
import { describe, expect, test } from "bun:test";
import { hash } from "node:crypto";
import { type CommandRule, requireCommand } from "../../core/access/command_list.ts";
import type { TaskSpec } from "../../core/schema/task.ts";
import { codeOf } from "./people.ts";

const script = "#!/bin/sh\nexec ./simulate --steps 10\n";
const rules: CommandRule[] = [
  { argv: ["/usr/bin/simulate", "--steps", "10"] },
  { script_sha256: hash("sha256", script, "hex") },
];
const verdict = (task: TaskSpec, list: readonly CommandRule[] = rules): Promise<string> =>
  codeOf(() => requireCommand(list, task));

describe("requireCommand()", () => {
  test("refuses every Python function where commands are listed, and none where they are not", () => {
    const task: TaskSpec = {
      python: {
        code: { kind: "source", source: "def f(): pass", entry: "f" },
        arguments: { kind: "json", text: "{}" },
      },
    };
    expect(() => requireCommand(undefined, task)).not.toThrow();
    expect(() => requireCommand([{ argv: ["hostname"] }], task)).toThrow("no Python functions");
    expect(() => requireCommand([{ argv: ["hostname"] }], { argv: ["hostname"], ...task })).toThrow();
  });

  test("allows anything without rules, and nothing with none", async () => {
    expect(() => requireCommand(undefined, { argv: ["anything"], env: { A: "1" } })).not.toThrow();
    expect(await verdict({ argv: ["anything"] }, [])).toBe("command.denied");
  });

  test("allows a listed argv and a listed script", async () => {
    expect(await verdict({ argv: ["/usr/bin/simulate", "--steps", "10"] })).toBe("");
    expect(await verdict({ script })).toBe("");
    const capitals = [{ script_sha256: hash("sha256", script, "hex").toUpperCase() }];
    expect(await verdict({ script }, capitals)).toBe("");
  });

  const near: TaskSpec[] = [
    { argv: ["/usr/bin/simulate"] },
    { argv: ["/usr/bin/simulate", "--steps"] },
    { argv: ["/usr/bin/simulate", "--steps", "100"] },
    { argv: ["/usr/bin/simulate", "--steps", "10", "--output", "/etc/passwd"] },
    { argv: ["/usr/bin/simulate", "--steps 10"] },
    { argv: ["/usr/bin/simulate --steps 10"] },
    { argv: ["simulate", "--steps", "10"] },
    { argv: ["/usr/bin/../bin/simulate", "--steps", "10"] },
    { argv: ["/usr/bin/simulate", "--steps", "10\0"] },
    { argv: [] },
    { script: "/usr/bin/simulate --steps 10" },
    { script: `${script} ` },
    { script: script.trim() },
    { argv: [hash("sha256", script, "hex")] },
    { argv: ["/usr/bin/simulate", "--steps", "10"], script },
    { argv: ["/usr/bin/simulate", "--steps", "10"], script: "rm -rf ~" },
    {},
  ];
  for (const task of near) {
    test(`denies ${JSON.stringify(task).slice(0, 90)}`, async () => {
      expect(await verdict(task)).toBe("command.denied");
    });
  }

  test("denies a listed command with an environment or a directory that could make it another", async () => {
    const argv = ["/usr/bin/simulate", "--steps", "10"];
    expect(await verdict({ argv, env: { LD_PRELOAD: "/tmp/x.so" } })).toBe("command.surroundings");
    expect(await verdict({ argv, env: {} })).toBe("command.surroundings");
    expect(await verdict({ script, cwd: "/tmp/elsewhere" })).toBe("command.surroundings");
  });

  test("denies a listed command with options for its launcher, which could run another one beside it", async () => {
    const argv = ["/usr/bin/simulate", "--steps", "10"];
    expect(await verdict({ argv, resources: { ranks: 2 } })).toBe("");
    const launcher_options = "--task-prolog=/tmp/x.sh";
    expect(await verdict({ argv, resources: { ranks: 2, launcher_options } })).toBe("command.surroundings");
  });
});
