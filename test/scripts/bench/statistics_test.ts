/** Medians, quartiles and the interval in which the true median lies. */
import { describe, expect, test } from "bun:test";
import { median, quantile, summarise } from "../../../scripts/bench/statistics.ts";

describe("quantile()", () => {
  test("interpolates between neighbours and does not disturb what it is given", () => {
    const values = [4, 1, 3, 2];
    expect(median(values)).toBe(2.5);
    expect(quantile(values, 0)).toBe(1);
    expect(quantile(values, 1)).toBe(4);
    expect(values).toEqual([4, 1, 3, 2]);
    expect(median([])).toBeNaN();
  });
});

describe("summarise()", () => {
  test("gives the whole range for five values: it covers the median with 94 %", () => {
    const summary = summarise([5, 1, 4, 2, 3]);
    expect(summary.interval).toEqual([1, 5]);
    expect(summary.coverage).toBeCloseTo(0.9375);
  });

  test("leaves the extremes out when there are enough values to do without", () => {
    const summary = summarise([1, 2, 3, 4, 5, 6, 7, 8, 100]);
    expect(summary.interval).toEqual([2, 8]);
    expect(summary.coverage).toBeCloseTo(1 - (2 * (1 + 9)) / 512);
  });

  test("covers the median as often as it says", () => {
    let seed = 7;
    const uniform = (): number => {
      seed = (seed * 1103515245 + 12345) % 2147483648;
      return seed / 2147483648;
    };
    const tries = 4000;
    let inside = 0;
    for (let i = 0; i < tries; i++) {
      const [low, high] = summarise(Array.from({ length: 11 }, uniform)).interval;
      if (low <= 0.5 && 0.5 <= high) inside++;
    }
    const promised = summarise(Array.from({ length: 11 }, uniform)).coverage;
    expect(Math.abs(inside / tries - promised)).toBeLessThan(0.02);
  });
});
