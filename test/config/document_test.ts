/** Changing one value of a file that people wrote leaves the rest of it alone. */
import { describe, expect, test } from "bun:test";
import { parseYaml, withTopLevelValue } from "../../core/config/document.ts";

const set = (text: string) => withTopLevelValue(Buffer.from(text), "config.yaml", "relay", "far");

describe("withTopLevelValue()", () => {
  const cases: [what: string, before: string, after: string][] = [
    [
      "a value",
      "# one\nrelay: local # two\n\n  # odd indent\nengine: {type: local}\n",
      "# one\nrelay: far # two\n\n  # odd indent\nengine: {type: local}\n",
    ],
    ["a quoted value", "relay: 'lo cal'\r\na: 1\r\n", "relay: far\r\na: 1\r\n"],
    ["a value that is not there", "engine: {type: local}", "engine: {type: local}\n\nrelay: far\n"],
  ];
  test.each(cases)("changes %s and nothing else", (_, before, after) => {
    expect(set(before)).toBe(after);
  });

  test.each([
    "relay:\nengine: {type: local}\n",
    "{engine: {type: local}, relay: x}\n",
    "{engine: {type: local}}\n",
    "relay: |\n  x\n",
  ])("copes with %j", (before) => {
    const value = parseYaml(Buffer.from(set(before)), "config.yaml").value as { relay: string };
    expect(value.relay).toBe("far");
  });
});
