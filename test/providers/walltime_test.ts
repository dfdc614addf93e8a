/** Spans and times of schedulers, there and back. */
import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { ctimeOf, hoursMinutes, hoursMinutesSeconds, minutesOf, secondsOf, utcTime } from "../../providers/walltime.ts";

describe("spans", () => {
  test("are never shorter than what was asked for", () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 10_000_000 }), (seconds) => {
        expect(minutesOf(seconds) * 60).toBeGreaterThanOrEqual(seconds);
        expect(secondsOf(`${hoursMinutes(seconds)}:00`) ?? 0).toBeGreaterThanOrEqual(seconds);
        expect(secondsOf(hoursMinutesSeconds(seconds))).toBe(seconds);
      }),
    );
  });

  test.each([
    ["1-02:03:04", 93784],
    ["02:03:04", 7384],
    ["03:04", 184],
    ["45", 45],
    ["00:00:15.7", 15],
  ])("%s is read", (text, seconds) => {
    expect(secondsOf(text)).toBe(seconds);
  });

  test.each(["", "UNLIMITED", "INVALID", "NOT_SET", "1:2:3:4", "-5"])("%s is none", (text) => {
    expect(secondsOf(text)).toBeUndefined();
  });
});

describe("times", () => {
  test("are read as UTC", () => {
    expect(utcTime("2026-11-23T06:26:51")).toBe(Date.UTC(2026, 10, 23, 6, 26, 51));
    expect(ctimeOf("Mon Nov 23 06:26:51 2026")).toBe(Date.UTC(2026, 10, 23, 6, 26, 51));
    expect(ctimeOf("Mon Nov  2 06:26:51 2026")).toBe(Date.UTC(2026, 10, 2, 6, 26, 51));
  });

  test.each(["Unknown", "N/A", "", "2026-11-23"])("%s is none", (text) => {
    expect(utcTime(text)).toBeUndefined();
    expect(ctimeOf(text)).toBeUndefined();
  });
});
