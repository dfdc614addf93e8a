/**
 * B13: how soon does an endpoint without blocks ask for one, and does it ask for as much as is needed? 100 tasks on an
 * idle endpoint, timed from the relay's acknowledgement to the first instruction of sbatch (a stub); then a burst to
 * 10,000, and the nodes that were asked for by the time nothing more is. Parsl and Globus Compute look every 5 s.
 */
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import type { Driver } from "./driven.ts";
import { type Bench, type Opened, type Reading, type RunOptions, Skip } from "./harness.ts";
import { median, quantile } from "./statistics.ts";
import { type StubSlurm, stubSlurm } from "./stub_slurm.ts";
import { World } from "./world.ts";

const spec = { argv: ["/bin/true"] };
const nodesPerBlock = 50;
const slotsPerNode = 100;
const first = 100;
const burst = 10_000;
/** Fresh endpoints in each round, one reaction each: who has just asked waits 10 s before it asks again. */
const endpoints = 8;
/** Two gaps between submissions and some time: whoever wants a third block has asked by then. */
const settle_ms = 25_000;

const config = `engine:
  type: batch
  scheduler: slurm
  nodes_per_block: ${nodesPerBlock}
  max_workers_per_node: ${slotsPerNode}
  max_blocks: 10
`;

async function open(folder: string, options: RunOptions): Promise<Opened> {
  if (options.peers_only) throw new Skip("nothing else is measured here");
  const all: number[] = [];
  let made = 0;
  const round = async (): Promise<Reading> => {
    const begun_ms = performance.now();
    const times: number[] = [];
    let nodes = Number.NaN;
    for (let i = 0; i < endpoints; i++) {
      const place = join(folder, String(made++));
      mkdirSync(place);
      const slurm = stubSlurm(place);
      const world = await World.open(place, { slots: 1, config, path: slurm.bin });
      try {
        const client = await world.client();
        times.push(await reaction(client, slurm));
        if (i === endpoints - 1) nodes = await burstNodes(client, slurm);
      } finally {
        await world.crowd.close();
      }
    }
    all.push(...times);
    const off = Math.abs(nodes - Math.ceil(burst / slotsPerNode));
    return { n: 1, wall_ms: performance.now() - begun_ms, more: { p50_ms: median(times), nodes, nodes_off: off } };
  };
  const more = (name: string) => (of: Parameters<Opened["gates"][number]["value"]>[0]) =>
    of("gc").more?.[name] ?? Number.NaN;
  return {
    sides: [{ name: "gc", mode: "stub sbatch; from the relay's acknowledgement to its first instruction", round }],
    gates: [
      { what: "reaction to 100 tasks, p50 in ms", value: more("p50_ms"), limit: 500, better: "at most", goal: 120 },
      {
        what: "reaction to 100 tasks, p99 in ms",
        value: () => quantile(all, 0.99),
        limit: 1000,
        better: "at most",
        goal: 300,
      },
      {
        what: "nodes asked for beyond or below the need of 10,000 tasks",
        value: more("nodes_off"),
        limit: 1,
        better: "at most",
        goal: 0,
      },
    ],
    close: async () => {},
  };
}

async function reaction(client: Driver, slurm: StubSlurm): Promise<number> {
  await client.ask({ do: "submit", n: first, per_envelope: first, in_flight: 1, spec });
  const stored_ms = Date.now();
  await until(10_000, "the first block", () => slurm.submissions_ms().length > 0);
  return Math.max(0, (slurm.submissions_ms()[0] ?? Number.NaN) - stored_ms);
}

async function burstNodes(client: Driver, slurm: StubSlurm): Promise<number> {
  await client.ask({ do: "submit", n: burst - first, per_envelope: 1000, in_flight: 4, spec });
  await Bun.sleep(settle_ms);
  return slurm.submissions_ms().length * nodesPerBlock;
}

async function until(limit_ms: number, what: string, there: () => boolean): Promise<void> {
  for (const begun_ms = performance.now(); !there(); await Bun.sleep(2)) {
    if (performance.now() - begun_ms > limit_ms) throw new Error(`There is no sign of ${what}`);
  }
}

export const scaleOut: Bench = {
  id: "B13",
  title: "From 100 tasks on an idle endpoint to sbatch, and how many nodes 10,000 tasks get",
  rounds: 5,
  calibrators: [],
  open,
};
