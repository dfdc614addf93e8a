import { describe, expect, test } from "bun:test";
import { importFindings } from "../../scripts/imports.ts";

/** The messages about a repository that consists of these files. */
function messages(files: { [path: string]: string }): string[] {
  const found = importFindings(Object.entries(files).map(([path, text]) => ({ path, text })));
  return found
    .filter(({ message }) => message !== "nothing imports this file")
    .map(({ path, line, message }) => {
      return `${path}:${line}: ${message}`;
    });
}

describe("importFindings()", () => {
  test("lets arrows point down", () => {
    expect(
      messages({ "core/relay/a.ts": 'import { b } from "../wire/b.ts";\nimport { E } from "../errors.ts";' }),
    ).toEqual([]);
  });

  test("names file, line and rooms when an arrow points up", () => {
    const [message] = messages({ "core/wire/a.ts": '/** A. */\nimport {\n  b,\n} from "../relay/b.ts";' });
    expect(message).toStartWith('core/wire/a.ts:2: "core/wire" may not import "core/relay"; it may import core/schema');
  });

  test("sees types, side effects, re-exports and dynamic imports", () => {
    const ways = [
      'import type { B } from "../endpoint/b.ts";',
      'import "../endpoint/b.ts";',
      'export { b } from "../endpoint/b.ts";',
      'const b = await import("../endpoint/b.ts");',
    ];
    for (const way of ways) expect(messages({ "core/relay/a.ts": way })).toHaveLength(1);
  });

  test("does not mistake prose and strings for imports", () => {
    const text = '/** import("../endpoint/b.ts") */\n// import "../cmd/c.ts"\nconst s = `\nimport "../../cmd/c.ts"`;';
    expect(messages({ "core/relay/a.ts": text.replace("`\n", "`") })).toEqual([]);
  });

  test("keeps the world out of files that decide, but not its types", () => {
    const files = {
      "core/relay/state.ts":
        'import { readFileSync } from "node:fs";\nimport { realClock } from "../host/clock.ts";\n' +
        'import type { Log } from "../host/log.ts";\nimport { runInTurns } from "../host/turn.ts";',
    };
    expect(messages(files)).toEqual([
      'core/relay/state.ts:1: a file that decides may not import "node:fs"',
      'core/relay/state.ts:2: a file that decides may not import "core/host/clock.ts": take what it gives as data',
    ]);
  });

  test("keeps each package in its room", () => {
    expect(messages({ "core/config/a.ts": 'import { parse } from "yaml";' })).toEqual([]);
    expect(messages({ "core/relay/a.ts": 'import { parse } from "yaml";' })).toEqual([
      'core/relay/a.ts:1: only core/config/ may import "yaml"',
    ]);
    expect(messages({ "core/relay/a.ts": 'import x from "left-pad";' })).toEqual([
      'core/relay/a.ts:1: the package "left-pad" has no place in scripts/imports.ts',
    ]);
  });

  test("finds circles, unless a link of them is a type or comes late", () => {
    const back = { "core/wire/b.ts": 'import { c } from "./c.ts";', "core/wire/c.ts": 'import { a } from "./a.ts";' };
    expect(messages({ "core/wire/a.ts": 'import { b } from "./b.ts";', ...back })).toEqual([
      "core/wire/a.ts:0: imports itself: core/wire/a.ts → core/wire/b.ts → core/wire/c.ts → core/wire/a.ts",
    ]);
    expect(messages({ "core/wire/a.ts": 'import type { B } from "./b.ts";', ...back })).toEqual([]);
    expect(messages({ "core/wire/a.ts": 'const b = () => import("./b.ts");', ...back })).toEqual([]);
  });

  test("finds files that nothing imports", () => {
    const files = [
      { path: "cmd/gc.ts", text: 'import { a } from "../core/wire/a.ts";' },
      { path: "core/wire/a.ts", text: "" },
      { path: "core/wire/b.ts", text: "" },
    ];
    expect(importFindings(files)).toEqual([{ path: "core/wire/b.ts", line: 0, message: "nothing imports this file" }]);
  });
});
