/** Short forms of host names become names, and nothing else becomes a name. */
import { describe, expect, test } from "bun:test";
import { expandHostlist } from "../../providers/hostlist.ts";

describe("expandHostlist()", () => {
  test.each([
    ["node01", "node01"],
    ["node[01-03]", "node01 node02 node03"],
    ["n[001-003,7],m-[1-2]-ib", "n001 n002 n003 n7 m-1-ib m-2-ib"],
    ["r[1-2]c[08-10]", "r1c08 r1c09 r1c10 r2c08 r2c09 r2c10"],
    ["a,b.example.org,c[5]", "a b.example.org c5"],
    ["x[9-11]", "x9 x10 x11"],
  ])("expands %s", (text, names) => {
    expect(expandHostlist(text)?.join(" ")).toBe(names);
  });

  test.each(["n[1-", "n]", "n[a-b]", "n[3-1]", "None assigned", "n[1-999999999]", "n[0-9999]m[0-9999]", "(null)"])(
    "refuses %s",
    (text) => {
      expect(expandHostlist(text)).toBeUndefined();
    },
  );

  test("is empty for nothing", () => {
    expect(expandHostlist("")).toEqual([]);
  });
});
