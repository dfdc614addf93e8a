/** What is used stays, what is not goes, and memory has an end. */
import { expect, test } from "bun:test";
import { RecentMap } from "../../core/access/recent.ts";

test("RecentMap never holds more than twice its capacity", () => {
  const map = new RecentMap<number, string>(10);
  for (let i = 0; i < 1000; i++) {
    map.set(i, String(i));
    map.get(i - 5);
    expect(map.size).toBeLessThanOrEqual(20);
  }
});

test("RecentMap keeps an entry that is asked for, however much comes after it", () => {
  const map = new RecentMap<string, number>(10);
  map.set("asked", 1);
  map.set("not asked", 2);
  for (let i = 0; i < 1000; i++) {
    map.set(`other ${i}`, i);
    expect(map.get("asked")).toBe(1);
  }
  expect(map.get("not asked")).toBeUndefined();
});

test("RecentMap gives the newest value, also after the older one has aged, and forgets what was deleted", () => {
  const map = new RecentMap<string, number>(2);
  map.set("a", 1);
  map.set("b", 2);
  map.set("c", 3);
  map.set("a", 4);
  expect(map.get("a")).toBe(4);
  map.delete("a");
  expect(map.get("a")).toBeUndefined();
});
