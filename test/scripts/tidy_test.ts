import { describe, expect, test } from "bun:test";
import { rewrapped } from "../../scripts/rewrap.ts";
import { tidyFindings } from "../../scripts/tidy.ts";

const opening = "/** What this is, in a sentence. */\n";

/** What tidy says about one file, as `line: message`. */
function findings(path: string, text: string): string[] {
  return tidyFindings([{ path, text }]).map(({ line, message }) => `${line}: ${message}`);
}

describe("tidyFindings()", () => {
  test("has nothing to say about a file of the house", () => {
    expect(findings("core/relay/mailbox.ts", `${opening}export const a = 1;\n`)).toEqual([]);
  });

  test("wants an opening paragraph, but not of tests", () => {
    expect(findings("core/relay/mailbox.ts", "export const a = 1;\n")).toHaveLength(1);
    expect(findings("test/relay/mailbox_test.ts", "export const a = 1;\n")).toEqual([]);
    expect(findings("scripts/go", "#!/bin/sh\nset -eu\n")).toHaveLength(1);
    expect(findings("scripts/go", "#!/bin/sh\n# Goes where it is told to go.\nset -eu\n")).toEqual([]);
  });

  test("bounds lines and files", () => {
    const wide = `${opening}// ${"x".repeat(118)}\n// https://example.org/${"x".repeat(200)}\n`;
    expect(findings("core/relay/mailbox.ts", wide)).toEqual(["2: 121 columns; at most 120"]);
    expect(findings("core/relay/mailbox.ts", opening + "\n".repeat(399))).toEqual([]);
    expect(findings("core/relay/mailbox.ts", opening + "\n".repeat(400))).toHaveLength(1);
  });

  test.each(["core/relay/utils.ts", "core/common/mailbox.ts", "core/relay/index.ts", "core/relay/mailBox.ts"])(
    "does not take the name %s",
    (path) => {
      expect(findings(path, opening)).toHaveLength(1);
    },
  );

  test.each([
    "Date.now()",
    "new Date()",
    "Math.random()",
    "crypto.randomUUID()",
    "setTimeout(f, 1)",
    "process.env.HOME",
    "Bun.spawn(argv)",
    'fetch("x")',
    "process.exit(1)",
    "console.log(1)",
    "await import(path)",
    "planted(bug)",
    'crashPoint("relay.before_store" + b)',
    'crashPoint("somewhere")',
  ])("keeps %s out of the rooms that decide", (code) => {
    expect(findings("core/relay/mailbox.ts", `${opening}${code};\n`)).toHaveLength(1);
  });

  test("lets the host and the command line touch the world, and prose speak of it", () => {
    expect(findings("core/host/clock.ts", `${opening}Date.now();\n`)).toEqual([]);
    expect(findings("cmd/gc.ts", `${opening}process.exit(await main(process.env.HOME));\n`)).toEqual([]);
    expect(findings("core/relay/mailbox.ts", `${opening}// Date.now() is for the host.\n`)).toEqual([]);
    expect(findings("core/relay/mailbox.ts", `${opening}prefetch(1); new Date(0); planted("noIdem");\n`)).toEqual([]);
  });

  test("wants every test to run", () => {
    for (const way of ["skip", "todo", "only"]) {
      expect(findings("test/relay/mailbox_test.ts", `test.${way}("x", () => {});\n`)).toHaveLength(1);
    }
  });

  test("finds paths of one machine, and links that lead nowhere", () => {
    expect(findings("docs/A.md", `See ${"/wo"}rk/main.\n`)).toHaveLength(1);
    expect(findings("docs/A.md", "[style](STYLE.md) [web](https://example.org) `[code](no.md)`\n")).toEqual([]);
    expect(findings("docs/A.md", "text\n[gone](no_such_file.md)\n")).toEqual([
      '2: the link leads to "docs/no_such_file.md", which is not there',
    ]);
    expect(findings("docs/A.md", "[rules](STYLE.md#house-rules)\n")).toEqual([]);
    expect(findings("docs/A.md", "[rules](STYLE.md#no-such-heading)\n")).toHaveLength(1);
  });
});

describe("rewrapped()", () => {
  const words = (count: number) => Array.from({ length: count }, (_, at) => `word${at}`).join(" ");

  test("moves what is too long to the next line of the paragraph, and keeps every word", () => {
    const text = `/**\n * ${words(20)}\n * last words\n *\n * other\n */\n`;
    const wrapped = rewrapped(text);
    expect(Math.max(...wrapped.split("\n").map((line) => line.length))).toBeLessThanOrEqual(120);
    expect(wrapped.match(/\w+/g)).toEqual(text.match(/\w+/g));
    expect(wrapped.split("\n")).toHaveLength(text.split("\n").length);
    expect(rewrapped(wrapped)).toBe(wrapped);
  });

  test("starts a line of its own rather than run into a list, and leaves code alone", () => {
    const text = `// ${words(20)}\n// - item\nconst a = "${words(30)}";\n`;
    const lines = rewrapped(text).split("\n");
    expect(lines).toHaveLength(5);
    expect(lines[2]).toBe("// - item");
    expect(lines[3]).toHaveLength(text.split("\n")[2]?.length ?? 0);
  });
});
