/**
 * The workload of bench B12 (performance.md §8): 600 tasks of three mixes that come at once, and a stream of one-node
 * tasks that would fill the block by itself, with larger ones now and then. Everything follows from a seed.
 */
import { dice, lognormal, type MixTask, PackingSimulation } from "./packing_simulation.ts";

export interface Mix {
  readonly name: string;
  readonly nodes: number;
  /** Size → share of the tasks. */
  readonly sizes: readonly (readonly [number, number])[];
}

const pow2 = [
  [1, 0.5],
  [2, 0.2],
  [4, 0.15],
  [8, 0.1],
  [16, 0.05],
] as const;

export const mixes: readonly Mix[] = [
  { name: "pow2 on 64", nodes: 64, sizes: pow2 },
  { name: "pow2 on 16", nodes: 16, sizes: pow2 },
  {
    name: "odd on 64",
    nodes: 64,
    sizes: [
      [1, 0.3],
      [3, 0.25],
      [5, 0.2],
      [11, 0.15],
      [24, 0.1],
    ],
  },
  {
    name: "half+1 on 64",
    nodes: 64,
    sizes: [
      [1, 0.6],
      [33, 0.4],
    ],
  },
  {
    name: "half+1 on 16",
    nodes: 16,
    sizes: [
      [1, 0.6],
      [9, 0.4],
    ],
  },
];

/** Seconds that a task lasts in the middle; the mean of a lognormal with sigma 1 is e^0.5 times that. */
const median_s = 60;
export const mean_s = median_s * Math.exp(0.5);

/** What came of one batch. */
export interface BatchFigures {
  /** Share of the block that was used while something waited that could have run. */
  readonly utilisation: number;
  /** Least possible time, over the time it took. */
  readonly bound: number;
}

/** A batch of one mix. `overstated`: walltimes are declared, so many times what tasks last; undefined: none is. */
export function playBatch({ nodes, sizes }: Mix, seed: number, overstated?: number): BatchFigures {
  const roll = dice(seed);
  const tasks = Array.from({ length: 600 }, () =>
    withWalltime({ at_s: 0, nodes: sizeOf(sizes, roll()) }, roll, overstated),
  );
  const simulation = new PackingSimulation(nodes, 1, tasks);
  const took_s = simulation.run();
  if (simulation.ran.length !== tasks.length) throw new Error(`${simulation.ran.length} of ${tasks.length} ran`);
  const sum = (of: readonly MixTask[], weigh: (task: MixTask) => number): number =>
    of.reduce((total, task) => total + weigh(task), 0);
  const least_s = Math.max(
    sum(tasks, (task) => (task.nodes ?? 1) * task.lasts_s) / nodes,
    ...tasks.map(({ lasts_s }) => lasts_s),
    // Two that need more than half of the block run one after the other.
    sum(
      tasks.filter((task) => (task.nodes ?? 1) * 2 > nodes),
      ({ lasts_s }) => lasts_s,
    ),
  );
  return { utilisation: simulation.utilisation, bound: least_s / took_s };
}

/** Larger tasks among the stream: size, and seconds between two of them on average. */
const rare = [
  [4, 600],
  [16, 1800],
  [33, 5000],
] as const;
const streamNodes = 64;
const stream_s = 3 * 3600;
/** Work that comes as small tasks, over what the block can do. With one-node tasks the queue never empties. */
const streamLoad = { whole: 1.1, ordinary: 0.8 };
const ordinarySlots = 4;

/**
 * A stream; returns by size the longest wait of a larger task, in drain times of its class: until so many nodes of a
 * full block are free when nobody takes them, and until all of its size that are there have run alone on the block.
 * `small`: whether those that keep coming take a whole node each, or one slot of four.
 */
export function playStream(
  seed: number,
  overstated?: number,
  small: "whole" | "ordinary" = "whole",
): Map<number, number> {
  const slots = small === "whole" ? 1 : ordinarySlots;
  const roll = dice(seed);
  const exponential = (of_s: number): number => -Math.log(1 - roll()) * of_s;
  const tasks: MixTask[] = [];
  const come = (nodes: number | undefined, every_s: number): void => {
    for (let at_s = exponential(every_s); at_s < stream_s; at_s += exponential(every_s)) {
      tasks.push(withWalltime({ at_s, nodes }, roll, overstated));
    }
  };
  come(small === "whole" ? 1 : undefined, mean_s / (streamNodes * slots * streamLoad[small]));
  for (const [nodes, every_s] of rare) come(nodes, every_s);
  const simulation = new PackingSimulation(streamNodes, slots, tasks);
  simulation.run();
  if (simulation.ran.length !== tasks.length) throw new Error(`${simulation.ran.length} of ${tasks.length} ran`);
  const longest = new Map<number, number>();
  for (const { nodes = 1, started_s, at_s, of_size } of simulation.ran) {
    if (nodes === 1) continue;
    const drain_s = freeAfter(nodes, slots) + Math.ceil(of_size / Math.floor(streamNodes / nodes)) * mean_s;
    longest.set(nodes, Math.max(longest.get(nodes) ?? 0, (started_s - at_s) / drain_s));
  }
  return longest;
}

/** Seconds until `nodes` of a block that is full of small tasks are free, on average. */
function freeAfter(nodes: number, slots: number): number {
  const roll = dice(99);
  const times = Array.from({ length: 200 }, () => {
    // What runs at some moment is longer than what starts: its length counts, and any part of it may be left.
    const rest = (): number => lognormal(roll, median_s * Math.E, 1) * roll();
    const left = Array.from({ length: streamNodes }, () => Math.max(...Array.from({ length: slots }, rest)));
    return left.toSorted((a, b) => a - b)[nodes - 1] ?? 0;
  });
  return times.reduce((sum, each) => sum + each, 0) / times.length;
}

function withWalltime(task: Omit<MixTask, "lasts_s">, roll: () => number, overstated?: number): MixTask {
  const lasts_s = lognormal(roll, median_s, 1);
  return { ...task, lasts_s, ...(overstated === undefined ? {} : { walltime_s: lasts_s * overstated }) };
}

function sizeOf(sizes: Mix["sizes"], point: number): number {
  let left = point;
  for (const [nodes, share] of sizes) {
    if (left < share) return nodes;
    left -= share;
  }
  return sizes.at(-1)?.[0] ?? 1;
}
