/** When a link comes back. */
import { expect, test } from "bun:test";
import { GcError } from "../../core/errors.ts";
import { retryDelay } from "../../core/wire/backoff.ts";

const gone = new GcError("unavailable", "link.unreachable", "Gone");
const denied = new GcError("permission", "relay.swapped", "No");

test("delays spread over the whole range below a bound that doubles from 250 ms to 60 s", () => {
  const bounds = Array.from({ length: 12 }, (_, at) => retryDelay(at + 1, gone, () => 0.999_999));
  expect(bounds.map((delay) => Math.round(delay))).toEqual([
    250, 500, 1000, 2000, 4000, 8000, 16_000, 32_000, 60_000, 60_000, 60_000, 60_000,
  ]);
  expect(retryDelay(9, gone, () => 0)).toBe(0);
});

test("a bound of its own holds for what time heals, not for what it does not", () => {
  expect(retryDelay(9, gone, () => 1, 2000)).toBe(2000);
  expect(retryDelay(9, denied, () => 1, 2000)).toBe(60_000);
});

test("it never gives up and never overflows", () => {
  for (const failures of [100, 1023, 1025, 1e9]) expect(retryDelay(failures, gone, () => 0.5)).toBe(30_000);
});

test("what time does not heal waits 30 to 60 s from the first failure on", () => {
  expect(retryDelay(1, denied, () => 0)).toBe(30_000);
  expect(retryDelay(1, denied, () => 1)).toBe(60_000);
});

test("what the other side asked for is the least, and spread", () => {
  const busy = new GcError("temporary", "link.busy", "Busy", { retry_after_ms: 10_000 });
  expect(retryDelay(1, busy, () => 0)).toBe(10_000);
  expect(retryDelay(1, busy, () => 1)).toBe(15_000);
});
