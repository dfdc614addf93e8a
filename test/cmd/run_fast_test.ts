import { describe, expect, test } from "bun:test";
import { Command } from "commander";
import type { Cli } from "../../cmd/cli.ts";
import { describe as describeRun } from "../../cmd/run.ts";
import { readFastRun } from "../../cmd/run_fast.ts";

/** What the long way understands by a command line, as far as options of the command itself go. */
function longWay(words: string[]) {
  const parent = new Command("gc").enablePositionalOptions().exitOverride();
  describeRun(parent, {} as Cli);
  const command = parent.commands[0];
  if (command === undefined) throw new Error("run describes no command");
  let seen: { words: string[]; options: object } | undefined;
  command.option("-q, --quiet").option("--json").option("--context <name>").exitOverride();
  command.action((rest: string[], options: object) => {
    seen = { words: rest, options };
  });
  parent.parse(words, { from: "user" });
  return seen;
}

describe("readFastRun", () => {
  for (const line of [
    ["run", "--", "true"],
    ["run", "-e", "lab", "--", "sh", "-c", "exit 3"],
    ["run", "--endpoint", "lab", "-n", "-q", "--", "--help"],
    ["run", "--cwd", "/tmp", "--label", "two words", "--shell", "--", "a | b"],
    ["run", "--context", "far", "--no-input", "--quiet", "--", "x", "--", "-e", "y"],
  ]) {
    test(`understands ${JSON.stringify(line)} as the long way does`, () => {
      const fast = readFastRun(line);
      const long = longWay(line);
      expect(fast?.words as string[]).toEqual(long?.words ?? []);
      // Commander fills in defaults of negated options; what they mean is the same.
      const { input, sandbox, ...options } = (long?.options ?? {}) as { input?: boolean; sandbox?: boolean };
      expect(fast?.options as object).toEqual(input === false ? { ...options, input } : options);
      expect(sandbox).toBe(true);
    });
  }

  test("leaves everything that needs thought to the long way", () => {
    for (const line of [
      ["run"],
      ["run", "--"],
      ["run", "true"],
      ["run", "--help"],
      ["run", "-e"],
      ["run", "-e", "--", "true"],
      ["run", "--walltime", "5", "--", "true"],
      ["run", "-t", "--", "top"],
      ["run", "--endpoint=lab", "--", "true"],
      ["submit", "--", "true"],
    ]) {
      expect(readFastRun(line)).toBeUndefined();
    }
  });
});
