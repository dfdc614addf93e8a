/** Numbers and pairs as people type them. */
import { describe, expect, test } from "bun:test";
import { gather, gatherPairs, memory_mib, wholeNumber } from "../../cmd/amount.ts";

describe("memory_mib()", () => {
  test.each([
    ["512", 512],
    ["512M", 512],
    ["8G", 8192],
    ["8gb", 8192],
    ["8GiB", 8192],
    ["1T", 1024 * 1024],
  ])("reads %p as %p MiB", (text, mib) => {
    expect(memory_mib(text)).toBe(mib);
  });

  test.each(["", "0", "8K", "-1G", "1.5G", "G", "8 G", "9999999999"])("refuses %p", (text) => {
    expect(() => memory_mib(text)).toThrow("amount of memory");
  });
});

describe("wholeNumber()", () => {
  test("reads digits and refuses everything that Number() would also take", () => {
    expect(wholeNumber(0)("0")).toBe(0);
    for (const text of ["", " ", "1e3", "0x10", "-1", "1.0", "NaN", "99999999999"])
      expect(() => wholeNumber(0)(text)).toThrow();
    expect(() => wholeNumber(1)("0")).toThrow("at least 1");
  });
});

describe("gatherPairs()", () => {
  test("keeps what stands after the first equals sign", () => {
    expect(gatherPairs("B=c=d", { A: "" })).toEqual({ A: "", B: "c=d" });
    expect(gatherPairs("A=", undefined)).toEqual({ A: "" });
  });

  test.each(["A", "=x", "1A=x", "A B=x", ""])("refuses %p", (pair) => {
    expect(() => gatherPairs(pair, undefined)).toThrow("NAME=VALUE");
  });
});

test("gather() keeps the order", () => {
  expect(gather("b", gather("a", undefined))).toEqual(["a", "b"]);
});
