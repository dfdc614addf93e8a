/** Nodes, ranks and ranks per node: two determine the third, and contradictions are refused with the numbers. */
import { describe, expect, test } from "bun:test";
import { isParallel, rankShape } from "../../core/task/ranks.ts";

describe("rankShape()", () => {
  test("works out the third of nodes, ranks and ranks per node", () => {
    const whole = { nodes: 2, ranks: 8, ranks_per_node: 4 };
    expect(rankShape({ nodes: 2, ranks_per_node: 4 })).toEqual(whole);
    expect(rankShape({ nodes: 2, ranks: 8 })).toEqual(whole);
    expect(rankShape({ ranks: 8, ranks_per_node: 4 })).toEqual(whole);
    expect(rankShape(whole)).toEqual(whole);
  });

  test("takes one rank per node for nodes alone, and one node for ranks alone", () => {
    expect(rankShape({ nodes: 3 })).toEqual({ nodes: 3, ranks: 3, ranks_per_node: 1 });
    expect(rankShape({ ranks: 4 })).toEqual({ nodes: 1, ranks: 4, ranks_per_node: 4 });
    expect(rankShape({ ranks_per_node: 4 })).toEqual({ nodes: 1, ranks: 4, ranks_per_node: 4 });
  });

  test("leaves alone what is not parallel", () => {
    expect(isParallel({})).toBe(false);
    expect(rankShape({ nodes: 1 })).toBeUndefined();
    expect(isParallel({ ranks: 1 })).toBe(true);
  });

  test("refuses contradictions and fractions of ranks with the numbers", () => {
    expect(() => rankShape({ nodes: 2, ranks: 6, ranks_per_node: 4 })).toThrow(
      "2 nodes with 4 ranks each make 8, and the task asks for 6 ranks",
    );
    expect(() => rankShape({ nodes: 2, ranks: 3 })).toThrow("3 ranks cannot be shared out evenly over 2 nodes");
    expect(() => rankShape({ ranks: 7, ranks_per_node: 4 })).toThrow("3 would be left over");
  });

  test("never gives a fraction, whatever it is asked", () => {
    for (let nodes = 1; nodes <= 12; nodes++) {
      for (let ranks = 1; ranks <= 24; ranks++) {
        const asked = { nodes, ranks };
        if (ranks % nodes !== 0) expect(() => rankShape(asked)).toThrow();
        else expect(Number.isInteger(rankShape(asked)?.ranks_per_node)).toBe(true);
      }
    }
  });
});
