/** Words go to a shell and come back as they were; lines of options are split without being obeyed. */
import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { commandLine, wordsOf } from "../../providers/quote.ts";

describe("quote", () => {
  test("a command line is split again into its words", () => {
    fc.assert(
      fc.property(fc.array(fc.stringMatching(/^[^\0\n\r]*$/), { maxLength: 5 }), (words) => {
        expect(wordsOf("x", commandLine(words))).toEqual(words);
      }),
    );
  });

  test("options are split at blanks outside quotes, and nothing is expanded", () => {
    expect(wordsOf("x", ` -c 128  --a='b c' "d \\" e" $HOME \\ f `)).toEqual([
      "-c",
      "128",
      "--a=b c",
      'd " e',
      "$HOME",
      " f",
    ]);
  });

  test.each(["'open", '"open', "end\\", "two\nlines", "a\0"])("%j is refused by the name of its field", (text) => {
    expect(() => wordsOf("launcher.overrides", text)).toThrow('"launcher.overrides" is ');
  });
});
