/** One way to say something: payload and words apart, one schema a document, nothing a terminal would obey. */
import { describe, expect, test } from "bun:test";
import { usageError } from "../../cmd/failure.ts";
import { loadPainter, type Mode, makePrinter, wantsColor } from "../../cmd/printer.ts";
import { visible, visibleText } from "../../cmd/visible.ts";

const paint = await loadPainter(false);

function printed(mode: Mode, act: (printer: ReturnType<typeof makePrinter>) => void): { out: string; err: string } {
  const said = { out: "", err: "" };
  const write = (fd: 1 | 2, content: string | Uint8Array): void => {
    said[fd === 1 ? "out" : "err"] += typeof content === "string" ? content : Buffer.from(content).toString();
  };
  act(makePrinter(mode, { out: paint, err: paint }, write));
  return said;
}

describe("makePrinter()", () => {
  const all = (printer: ReturnType<typeof makePrinter>): void => {
    printer.note("note");
    printer.warn("off");
    printer.document(
      "gc/thing/v1",
      { id: 7 },
      () => "the thing is 7",
      () => "7",
    );
  };

  test("answers people with words, and keeps everything else on standard error", () => {
    expect(printed("human", all)).toEqual({ out: "the thing is 7\n", err: "note\nwarning: off\n" });
  });

  test("answers programs with one document that names its schema", () => {
    const { out, err } = printed("json", all);
    expect(JSON.parse(out)).toEqual({ schema: "gc/thing/v1", id: 7 });
    expect(err).toBe("warning: off\n");
  });

  test("answers with the bare payload when quiet", () => {
    expect(printed("quiet", all)).toEqual({ out: "7\n", err: "" });
  });

  test("writes one document a line where there is no end", () => {
    const { out } = printed("json", (printer) => {
      printer.line("gc/thing/v1", { id: 1 }, () => "");
      printer.line("gc/thing/v1", { id: 2 }, () => "");
    });
    expect(out).toBe('{"schema":"gc/thing/v1","id":1}\n{"schema":"gc/thing/v1","id":2}\n');
  });

  test("adds no empty line for an empty answer, and changes no byte of a payload", () => {
    expect(printed("human", (printer) => printer.document("gc/thing/v1", {}, () => "")).out).toBe("");
    const bytes = "\u001b[31mred\r\n";
    expect(printed("json", (printer) => printer.payload(bytes)).out).toBe(bytes);
  });

  test("aligns columns by what is seen, and makes cells harmless", () => {
    const rows = [
      { name: "ä漢", count: 5 },
      { name: "evil\u001b]0;x\u0007\nname", count: 12345 },
    ];
    const { out } = printed("human", (printer) => {
      const table = printer.table(rows, [
        { heading: "NAME", cell: (row) => row.name },
        { heading: "COUNT", cell: (row) => row.count, align: "right" },
        { heading: "WHY", cell: () => undefined },
      ]);
      printer.payload(table);
    });
    expect(out.split("\n")).toEqual([
      "NAME                    COUNT  WHY",
      "ä漢                         5  -",
      "evil\\x1b]0;x\\x07\\nname  12345  -",
    ]);
  });
});

describe("visible()", () => {
  test("writes out everything that a terminal obeys or that turns text around", () => {
    expect(visible("a\u001b[2J\u009b1m\u0000\u007f\u202eb\u2028\t\nc")).toBe(
      "a\\x1b[2J\\x9b1m\\x00\\x7f\\u202eb\\u2028\\t\\nc",
    );
  });

  test("leaves letters of every script alone, and lines and tabs of longer text", () => {
    expect(visible("naïve 漢字 😀")).toBe("naïve 漢字 😀");
    expect(visibleText("a\tb\nc\r")).toBe("a\tb\nc\\x0d");
  });
});

describe("wantsColor()", () => {
  const cases: [env: { [name: string]: string }, is_terminal: boolean, wanted: boolean][] = [
    [{}, false, false],
    [{ TERM: "xterm" }, true, true],
    [{ TERM: "dumb" }, true, false],
    [{ NO_COLOR: "1", FORCE_COLOR: "1" }, true, false],
    [{ NO_COLOR: "" }, true, true],
    [{ FORCE_COLOR: "1" }, false, true],
    [{ FORCE_COLOR: "0" }, false, false],
    [{ CLICOLOR: "0" }, true, false],
  ];
  test.each(cases)("with %j and terminal %p says %p", (env, is_terminal, wanted) => {
    expect(wantsColor(env, is_terminal)).toBe(wanted);
  });
});

describe("usageError()", () => {
  test("makes commander's sentence one of ours", () => {
    const error = usageError({
      message: "error: unknown option '--jsn'\n(Did you mean --json?)",
      help: "gc ps --help",
    });
    expect(error).toMatchObject({ kind: "usage", hint: "gc ps --help" });
    expect(error.message).toBe('Unknown option "--jsn". Did you mean --json?');
  });
});
