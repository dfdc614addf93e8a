/**
 * B12: tasks on whole nodes, packed into one block. The real queue, pool and dispatcher under a clock that jumps, so
 * every figure follows from the seed of the round and says nothing of this machine; the same gates are a test
 * (`test/engine/packing_test.ts`). What is measured besides is how long the deciding takes.
 */
import { mixes, playBatch, playStream } from "../../test/engine/packing_bench.ts";
import { type Bench, type Gate, type Opened, type RunOptions, Skip } from "./harness.ts";

/** What is known of the tasks: nothing, or walltimes of so many times what they last. */
const sides = [
  { name: "no walltimes", overstated: undefined, bound: 0.9 },
  { name: "walltimes", overstated: 1, bound: 0.95 },
  { name: "walltimes of 1.5 times the truth", overstated: 1.5, bound: 0.95 },
] as const;
const tasksEach = 600;

async function open(_: string, options: RunOptions): Promise<Opened> {
  if (options.peers_only) throw new Skip("nothing else is measured here");
  return {
    sides: sides.map(({ name, overstated }) => {
      let seed = 0;
      const mode = "600 tasks of each mix at once, then three hours of a stream of one-node tasks with larger ones";
      return { name, mode, round: async () => round(++seed, overstated) };
    }),
    gates: sides.flatMap(({ name, bound }) => gatesOf(name, bound)),
    close: async () => {},
  };
}

function round(seed: number, overstated: number | undefined) {
  const begun_ms = performance.now();
  const figures = mixes.map((mix) => ({ mix, ...playBatch(mix, seed, overstated) }));
  const wall_ms = performance.now() - begun_ms;
  const waits = [...playStream(seed, overstated).values()];
  const more: { [name: string]: number } = { "longest wait": Math.max(...waits) };
  for (const { mix, utilisation, bound } of figures) {
    more[`used ${mix.name}`] = utilisation;
    more[`bound ${mix.name}`] = bound;
  }
  return { n: mixes.length * tasksEach, wall_ms, more };
}

function gatesOf(side: string, bound: number): Gate[] {
  const figure = (name: string): Gate["value"] => {
    return (of) => of(side).more?.[name] ?? Number.NaN;
  };
  return [
    ...mixes.flatMap(({ name }): Gate[] => [
      {
        what: `${name}, ${side}: use of the block while there is a backlog`,
        value: figure(`used ${name}`),
        limit: 0.97,
        better: "at least",
        goal: 0.99,
        of_cpu: true,
      },
      {
        what: `${name}, ${side}: least possible time over the time it took`,
        value: figure(`bound ${name}`),
        limit: bound,
        better: "at least",
        of_cpu: true,
      },
    ]),
    {
      what: `stream, ${side}: longest wait of a large task, in drain times of its class`,
      value: figure("longest wait"),
      limit: 3,
      better: "at most",
      of_cpu: true,
    },
  ];
}

export const packing: Bench = {
  id: "B12",
  title: "tasks on whole nodes: use of a block, time to the end, longest wait",
  rounds: 15,
  calibrators: [],
  open,
};
