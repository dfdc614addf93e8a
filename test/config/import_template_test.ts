/** Templates of Globus Compute become text with the same lines, whatever is in them; nothing in them is executed. */
import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { marker, renderTemplate } from "../../core/config/import_template.ts";
import { GcError } from "../../core/errors.ts";

const render = (text: string, values: { [name: string]: string } = {}) => renderTemplate(text, "t.j2", values);
const rendered = (text: string, values?: { [name: string]: string }) => render(text, values).text;

describe("renderTemplate()", () => {
  test("puts in what is written as a default", () => {
    expect(
      rendered('{{ a|default("x") }} {{ b | d(4) }} {{c|default(true)}} {{ d|default(none) }} {{ e|default() }}.'),
    ).toBe("x 4 true null .");
    expect(rendered("{{ a|default('it\\'s', true) }}")).toBe("it's");
    expect(rendered('{{ a|default("}} {{") }}')).toBe("}} {{");
    expect(rendered('{% set q = "debug" %}{{ a|default(q) }}')).toBe("debug");
    expect(rendered('{{ a|default("two\\nlines") }}')).toBe('"two\\nlines"');
  });

  test("puts in what the person says, quoted so that it stays one value", () => {
    expect(rendered("{{ a }} {{ b|default(1) }}", { a: "x: [y", b: "12" })).toBe('"x: [y" 12');
  });

  test("marks what it cannot know", () => {
    for (const open of [
      "a",
      "a.b|default(1)",
      "a|upper",
      "a|default(f(1))",
      "1 + 1",
      "''.__class__",
      "a if b else c",
    ]) {
      const { text, expressions } = render(`k: {{ ${open} }}`);
      expect(text.replace(marker, "?")).toBe("k: ?");
      expect(expressions).toMatchObject([{ source: open, line: 1, column: 4 }]);
      expect(expressions[0]?.value).toBeUndefined();
    }
  });

  test("follows whether a variable is defined, and leaves other conditions and loops out", () => {
    const text = "{% if a is defined %}A{% elif b is not defined %}B{% else %}C{% endif %}";
    expect(rendered(text)).toBe("B");
    expect(rendered(text, { a: "1" })).toBe("A");
    expect(rendered(text, { b: "1" })).toBe("C");
    const { text: rest, left_out } = render("1\n{% if x %}\n2\n{% for y in z %}\n3\n{% endfor %}{% endif %}\n4\n");
    expect(rest).toBe("1\n\n\n\n\n\n4\n");
    expect(left_out).toEqual([{ source: "if x", line: 2, column: 1, last_line: 6 }]);
    expect(render("{% include 'other' %}").left_out).toMatchObject([{ source: "include 'other'" }]);
  });

  test("tells where things stood", () => {
    const { text, sourceOf } = render('{# c #}a: {{ b|default("longer") }} c\n{{ d|d(1) }} e\n');
    const at = (word: string) => {
      const before = text.slice(0, text.indexOf(word));
      const line = before.split("\n").length;
      return sourceOf({ line, column: before.length - before.lastIndexOf("\n") });
    };
    expect(at(" c")).toEqual({ line: 1, column: 36 });
    expect(at("longer")).toEqual({ line: 1, column: 11 });
    expect(at(" e")).toEqual({ line: 2, column: 13 });
  });

  test("refuses what does not close, with its place", () => {
    for (const [text, place] of [
      ["a: {{ b", "t.j2:1:4"],
      ["\n{% if a %}", "t.j2:2:1"],
      ["{% endif %}", "t.j2:1:1"],
      ["{% else %}", "t.j2:1:1"],
      ["{% if a %}{% endfor %}", "t.j2:1:11"],
      ["{# a", "t.j2:1:1"],
    ] as const) {
      expect(() => render(text)).toThrow(place);
    }
  });

  test("keeps the lines of any text, or refuses it with a place", () => {
    const piece = fc.constantFrom(
      "{{",
      "}}",
      "{%",
      "%}",
      "{#",
      "#}",
      "if a ",
      "else",
      "endif",
      "set a = 1",
      '"',
      "'",
      "\\",
      "\n",
      "|d(",
      ")",
      " x ",
    );
    fc.assert(
      fc.property(fc.array(fc.oneof(piece, fc.string()), { maxLength: 30 }), (pieces) => {
        const text = pieces.join("");
        try {
          const { text: out, marked } = render(text);
          for (const made of [out, marked]) expect(made.split("\n").length).toBe(text.split("\n").length);
        } catch (error) {
          expect(error).toBeInstanceOf(GcError);
          expect((error as GcError).message).toMatch(/t\.j2:\d+:\d+/);
        }
      }),
      { numRuns: 2000 },
    );
  });
});
