/** A guess is made only when the word is near. */
import { expect, test } from "bun:test";
import { nearest } from "../../core/config/nearest.ts";

const keys = ["slots", "workers", "memory_mib", "display_name", "allow"];

test.each([
  ["slot", "slots"],
  ["Slots", "slots"],
  ["solts", "slots"],
  ["wrokers", "workers"],
  ["memory_mb", "memory_mib"],
  ["displayname", "display_name"],
])("nearest() takes %p for %p", (word, meant) => {
  expect(nearest(word, keys)).toBe(meant);
});

test.each(["x", "", "provider", "deny"])("nearest() does not guess what %p means", (word) => {
  expect(nearest(word, keys)).toBeUndefined();
});

test("nearest() takes the first of two that are equally near", () => {
  expect(nearest("ab", ["aa", "bb"])).toBe("aa");
});
