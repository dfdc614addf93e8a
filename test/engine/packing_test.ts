/** Bench B12 as a test: it is pure, so its gates hold on every machine (performance.md §8). */
import { expect, test } from "bun:test";
import { byName, contiguous, wholeNodes } from "../../core/engine/whole_nodes.ts";
import { mixes, playBatch, playStream } from "./packing_bench.ts";

const seeds = Array.from({ length: 15 }, (_, k) => k + 1);
const median = (values: number[]): number => values.toSorted((a, b) => a - b)[values.length >> 1] ?? Number.NaN;

for (const mix of mixes) {
  for (const overstated of [undefined, 1, 1.5]) {
    const known = overstated === undefined ? "without walltimes" : `with walltimes of ${overstated} times the truth`;
    test(`B12 ${mix.name} ${known}: the block is used while there is a backlog, and soon done`, () => {
      const figures = seeds.map((seed) => playBatch(mix, seed, overstated));
      expect(median(figures.map(({ utilisation }) => utilisation))).toBeGreaterThanOrEqual(0.97);
      expect(median(figures.map(({ bound }) => bound))).toBeGreaterThanOrEqual(overstated === undefined ? 0.9 : 0.95);
    }, 60_000);
  }
}

for (const overstated of [undefined, 1]) {
  const known = overstated === undefined ? "without" : "with";
  test(`B12 stream ${known} walltimes: no large task waits more than three drain times of its class`, () => {
    for (const seed of seeds.slice(0, 8)) {
      const waits = playStream(seed, overstated);
      expect(waits.size).toBe(3);
      for (const wait of waits.values()) expect(wait).toBeLessThanOrEqual(3);
    }
  }, 60_000);
}

test("among ordinary tasks of unknown length that keep coming, no large one waits more than three drain times", () => {
  for (const seed of seeds.slice(0, 3)) {
    for (const wait of playStream(seed, undefined, "ordinary").values()) expect(wait).toBeLessThanOrEqual(3);
  }
}, 120_000);

test("nodes next to each other first, of the shortest run that is long enough", () => {
  expect(contiguous([0, 1, 2, 3, 5, 6, 8], 2)).toEqual([5, 6]);
  expect(contiguous([0, 1, 2, 3, 5, 6, 8], 4)).toEqual([0, 1, 2, 3]);
  expect(contiguous([0, 2, 3, 5], 3)).toEqual([0, 2, 3]);
});

test("hosts are ordered as people order them", () => {
  expect(["n10", "n9", "n1-2", "n1", "m11"].toSorted(byName)).toEqual(["m11", "n1", "n1-2", "n9", "n10"]);
});

test("a task takes whole nodes when it names nodes or ranks", () => {
  expect(wholeNodes({})).toBeUndefined();
  expect(wholeNodes({ cores: 4, exclusive: true })).toBeUndefined();
  expect(wholeNodes({ nodes: 1 })).toBe(1);
  expect(wholeNodes({ ranks: 8, ranks_per_node: 4 })).toBe(2);
  expect(wholeNodes({ ranks: 3 })).toBe(1);
});
