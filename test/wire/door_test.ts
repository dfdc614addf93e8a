/** How many may knock before anybody proved anything. */
import { expect, test } from "bun:test";
import { Door, unprovedMax, unprovedPerSourceMax } from "../../core/wire/door.ts";

test("one address may have 32 unproved connections, and gets its places back", () => {
  const door = new Door();
  for (let at = 0; at < unprovedPerSourceMax; at++) expect(door.knock("10.0.0.1", 0)).toBeUndefined();
  expect(door.knock("10.0.0.1", 0)).toBe(1);
  expect(door.knock("10.0.0.2", 0)).toBeUndefined();
  door.proved("10.0.0.1");
  expect(door.knock("10.0.0.1", 0)).toBeUndefined();
});

test("all together may have 256 unproved connections, over a Unix socket too", () => {
  const door = new Door();
  for (let at = 0; at < unprovedMax; at++) expect(door.knock(at % 2 ? undefined : `10.0.0.${at}`, 0)).toBeUndefined();
  expect(door.knock(undefined, 0)).toBe(1);
  door.left(undefined);
  expect(door.knock(undefined, 0)).toBeUndefined();
});

test("an address that fails again and again waits, longer each time, at most 10 min, and is forgiven", () => {
  const door = new Door();
  const fail = (now_ms: number): void => {
    expect(door.knock("10.0.0.1", now_ms)).toBeUndefined();
    door.failed("10.0.0.1", now_ms);
  };
  for (let at = 0; at < 3; at++) fail(0);
  fail(0);
  expect(door.knock("10.0.0.1", 0)).toBe(5);
  expect(door.knock("10.0.0.2", 0)).toBeUndefined();
  expect(door.knock("10.0.0.1", 5000)).toBeUndefined();
  for (let at = 0; at < 31; at++) expect(door.knock("10.0.0.1", 5000)).toBeUndefined();
  for (let at = 0; at < 32; at++) door.failed("10.0.0.1", 5000);
  expect(door.knock("10.0.0.1", 5000)).toBeGreaterThan(100);
  expect(door.knock("10.0.0.1", 5000)).toBeLessThanOrEqual(600);
  expect(door.knock("10.0.0.1", 700_000)).toBeUndefined();
});

test("one failed login a minute is never felt", () => {
  const door = new Door();
  for (let minute = 0; minute < 1000; minute++) {
    expect(door.knock("10.0.0.1", minute * 60_000)).toBeUndefined();
    door.failed("10.0.0.1", minute * 60_000);
  }
});

test("a million addresses do not make it grow without bound, and none with open knocks is forgotten", () => {
  const door = new Door();
  expect(door.knock("first", 0)).toBeUndefined();
  for (let at = 0; at < 200_000; at++) {
    door.knock(`a${at}`, 0);
    door.left(`a${at}`);
  }
  expect(door.remembered).toBeLessThanOrEqual(65_536);
  for (let at = 1; at < unprovedPerSourceMax; at++) door.knock("first", 0);
  expect(door.knock("first", 0)).toBe(1);
});
