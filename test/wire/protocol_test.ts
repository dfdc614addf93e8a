/** The protocol's document says what the schemas say. */
import { expect, test } from "bun:test";
import { join } from "node:path";
import * as limits from "../../core/limits.ts";
import { allKinds, withTables } from "../../scripts/protocol.ts";

const document = await Bun.file(join(import.meta.dir, "../../docs/PROTOCOL.md")).text();

test("every message that can be validated has a row in PROTOCOL.md", () => {
  const kinds = allKinds();
  expect(kinds.length).toBeGreaterThan(40);
  expect(kinds.filter((t) => !document.includes(`\n| \`${t}\` |`))).toEqual([]);
});

test("the tables of PROTOCOL.md are those that scripts/protocol.ts writes", async () => {
  expect(await withTables(document)).toBe(document);
});

test("the limits in PROTOCOL.md are those of the code", () => {
  const said = [...document.matchAll(/`(\w+)` = (\d+)/g)].map(([, name, value]) => [name, Number(value)]);
  expect(said.length).toBeGreaterThan(7);
  for (const [name, value] of said) {
    expect([name, value]).toEqual([name, (limits as { [name: string]: number })[name as string]]);
  }
});
