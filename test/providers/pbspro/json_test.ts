/** JSON of qstat as it has been in the wild: repaired where that takes no guess, unread otherwise. */
import { describe, expect, test } from "bun:test";
import { pbsJson } from "../../../providers/pbspro/json.ts";
import { readQstat } from "../../../providers/pbspro/status.ts";

describe("pbsJson()", () => {
  test("takes numbers with leading zeros, stray backslashes and a banner before", () => {
    const text = 'Note: qstat is slow today\n{"a": 005, "b": "C:\\x \\"q\\" \\d", "c": 1}\n';
    expect(pbsJson(text)).toEqual({ a: "005", b: 'C:x "q" d', c: 1 });
  });

  test.each(["", "{", '{"a": ', "[1]", "qstat: Unknown Job Id", '{"a": 1} {"b": 2}'])(
    "reads nothing from %j",
    (text) => {
      expect(pbsJson(text)).toBeUndefined();
    },
  );
});

describe("readQstat()", () => {
  test("does not take a block for gone when the key of all blocks stands there twice", () => {
    const job = (id: string) => `"Jobs":\n{"${id}": {"Job_Name": "x", "job_state": "R"}}`;
    const stdout = `{\n${job("1.s")},\n${job("2.s")}\n}`;
    const listing = readQstat({ code: 0, stdout, stderr: "" });
    expect(listing.rows.map(({ id }) => id)).toEqual(["2.s"]);
    expect(listing.isAbsent({ id: "1.s" })).toBe(false);
  });
});
