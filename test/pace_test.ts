import { describe, expect, test } from "bun:test";
import { Pace } from "../core/pace.ts";

describe("Pace", () => {
  test("is due at once, then after its time, and at once when the clock was set back", () => {
    const pace = new Pace(10);
    expect(pace.next(1000)).toBeUndefined();
    pace.done(1000);
    expect(pace.next(1004)).toBe(1010);
    expect(pace.next(1010)).toBeUndefined();
    expect(pace.next(900)).toBeUndefined();
  });
});
