/** The judge of the benches: what it makes of rounds, without measuring anything. */
import { describe, expect, test } from "bun:test";
import { exitCodeOf, type Gate, judge, type Reading, steadyRounds } from "../../../scripts/bench/harness.ts";

const gate: Gate = {
  what: "gc against peer",
  value: (of) => of("gc").n / of("peer").n,
  limit: 0.8,
  better: "at least",
};

/** Rounds in which gc did `ratios[i]` times what its peer did. */
function roundsOf(ratios: readonly number[]): Map<string, Reading>[] {
  return ratios.map(
    (ratio) =>
      new Map([
        ["gc", { n: 100 * ratio, wall_ms: 1 }],
        ["peer", { n: 100, wall_ms: 1 }],
      ]),
  );
}

describe("judge()", () => {
  test("takes the median of per-round ratios, so one bad round does not decide", () => {
    const result = judge("B0", gate, roundsOf([0.9, 0.91, 0.1, 0.92, 0.93, 0.94, 0.95]), 7);
    expect(result.verdict).toBe("pass");
    expect(result.ratio.median).toBeCloseTo(0.92);
  });

  test("says that it is unsure when the interval has the limit inside", () => {
    expect(judge("B0", gate, roundsOf([0.7, 0.75, 0.81, 0.85, 0.9]), 5)).toMatchObject({
      verdict: "pass",
      sure: false,
    });
    expect(judge("B0", gate, roundsOf([0.9, 0.9, 0.9, 0.9, 0.9]), 5)).toMatchObject({ verdict: "pass", sure: true });
  });

  test("fails a median on the wrong side, whichever side is better", () => {
    expect(judge("B0", gate, roundsOf([0.5, 0.5, 0.5, 0.5, 0.5]), 5)).toMatchObject({ verdict: "FAIL", sure: true });
    const lower: Gate = { ...gate, better: "at most" };
    expect(judge("B0", lower, roundsOf([0.5, 0.5, 0.5, 0.5, 0.5]), 5).verdict).toBe("pass");
  });

  test("judges nothing when fewer than five rounds are left", () => {
    expect(judge("B0", gate, roundsOf([0.1, 0.1, 0.1, 0.1]), 7).verdict).toBe("inconclusive");
  });

  test("never passes a gate whose value could not be measured", () => {
    expect(judge("B0", gate, roundsOf([Number.NaN, Number.NaN, 1, Number.NaN, Number.NaN]), 5).verdict).toBe("FAIL");
  });
});

describe("steadyRounds()", () => {
  test("throws rounds away before which the machine was a quarter off its median", () => {
    const looks = [100, 101, 99, 130, 70, 100, 102].map((spawn) => ({ spawn, fdatasync: 1, tcp: 1 }));
    expect(steadyRounds(looks, ["spawn"])).toEqual([0, 1, 2, 5, 6]);
    expect(steadyRounds(looks, ["fdatasync"])).toHaveLength(7);
    expect(steadyRounds(looks, [])).toHaveLength(7);
  });
});

describe("exitCodeOf()", () => {
  test("is 1 for a gate that fails, 75 for an inconclusive one, 0 when all hold", () => {
    const pass = judge("B0", gate, roundsOf([1, 1, 1, 1, 1]), 5);
    const fail = judge("B0", gate, roundsOf([0, 0, 0, 0, 0]), 5);
    const unknown = judge("B0", gate, roundsOf([1]), 7);
    expect([exitCodeOf([pass]), exitCodeOf([pass, fail, unknown]), exitCodeOf([pass, unknown])]).toEqual([0, 1, 75]);
  });
});
