import { describe, expect, test } from "bun:test";
import { argvFor, type Input, plainFor, scriptFor } from "../../../cmd/map/template.ts";

const one = (...columns: string[]): Input => ({ columns });

describe("placeholders of gc map", () => {
  test("stand for the input, its columns, its number, and parts of paths", () => {
    const input = one("dir.d/a.tar.gz", "2");
    expect(argvFor(["p", "{1}", "{2}", "{#}", "{1.}", "{1/}", "{1//}", "{1/.}"], input, 7)).toEqual([
      "p",
      "dir.d/a.tar.gz",
      "2",
      "7",
      "dir.d/a.tar",
      "a.tar.gz",
      "dir.d",
      "a.tar",
    ]);
    expect(argvFor(["p", "x{}y"], input, 1)).toEqual(["p", "xdir.d/a.tar.gz 2y"]);
    expect(plainFor("{/.}-{//}", one("file"), 1)).toBe("file-.");
    expect(plainFor("{//} {.}", one("/x"), 1)).toBe("/ /x");
    expect(plainFor("{.}", one("a/.hidden"), 1)).toBe("a/.hidden");
  });

  test("a word that is only {} becomes a word per column; without any, the input comes last", () => {
    expect(argvFor(["echo", "{}"], one("a b", "c"), 1)).toEqual(["echo", "a b", "c"]);
    expect(argvFor(["echo"], one("a b", "c"), 1)).toEqual(["echo", "a b", "c"]);
  });

  test("what is no placeholder stays", () => {
    expect(argvFor(["awk", "{print}", "{nope}", "{}"], one("f"), 1)).toEqual(["awk", "{print}", "{nope}", "f"]);
    expect(argvFor(["echo", "{constructor}"], { columns: ["x"], names: { a: "1" } }, 1)).toEqual([
      "echo",
      "{constructor}",
      "x",
    ]);
  });

  test("names of columns count, and a column that is not there is empty", () => {
    expect(argvFor(["{name}", "{n}", "[{3}]"], { columns: ["x", "1"], names: { name: "x", n: "1" } }, 1)).toEqual([
      "x",
      "1",
      "[]",
    ]);
  });

  test("a shell never reads a value", () => {
    expect(scriptFor("echo {} | wc", one("a; rm -rf $HOME"), 1)).toBe("echo 'a; rm -rf $HOME' | wc");
    expect(scriptFor("cat", one("it's"), 1)).toBe("cat 'it'\\''s'");
  });
});
