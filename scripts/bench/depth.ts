/**
 * B9: does a task cost more when a million others wait? One relay is filled step by step with the endpoint stopped,
 * then the endpoint (with simulated workers) empties it. The price of arriving and the price of leaving, CPU time over
 * all processes, are taken at 10,000 and at 1,000,000 queued tasks. Rounds are slices of the same filling and emptying.
 */
import type { Driver } from "./driven.ts";
import { type Bench, cpuEach, type Opened, type Reading, type RunOptions, Skip } from "./harness.ts";
import { World } from "./world.ts";

const slice = 10_000;
const spec = { argv: ["/bin/true"] };
/** Makes a task weigh about 256 bytes. */
const pad = 210;

async function open(folder: string, options: RunOptions): Promise<Opened> {
  if (options.peers_only) throw new Skip("nothing else is measured here");
  const rounds = options.rounds ?? depth.rounds;
  const deep = Math.max(100_000, Math.round(1_000_000 * options.scale));
  const world = await World.open(folder, { slots: 64, workers: 2, simulate: true });
  await world.client().then((client) => client.close());
  await world.stopEndpoint();
  const client = await world.client();
  const arrivingShallow = await arrive(world, client, rounds + 1);
  await client.ask({ do: "submit", n: deep - 2 * (rounds + 1) * slice, per_envelope: 1000, in_flight: 4, spec, pad });
  const arrivingDeep = await arrive(world, client, rounds + 1);
  await world.startEndpoint();
  const leavingDeep = await leave(world, client, rounds + 1);
  await client.ask({ do: "drain", n: deep - 2 * (rounds + 1) * slice });
  const leavingShallow = await leave(world, client, rounds + 1);

  // Slices were played in order; the harness deals them out, round by round. The first of each is warm-up.
  const deal = (name: string, readings: Reading[]) => {
    let next = 1;
    return {
      name,
      mode: "CPU over all processes, durable",
      cpu_by: world.crowd.how,
      round: async () => readings[next++ % readings.length] ?? { n: 0, wall_ms: Number.NaN },
    };
  };
  return {
    sides: [
      deal("arrive at 10 k", arrivingShallow),
      deal("arrive at 1 M", arrivingDeep),
      deal("leave at 10 k", leavingShallow),
      deal("leave at 1 M", leavingDeep),
    ],
    gates: [
      {
        what: "CPU per task, submitted and finished, at 1 M queued against 10 k",
        value: (of) =>
          (cpuEach(of("arrive at 1 M")) + cpuEach(of("leave at 1 M"))) /
          (cpuEach(of("arrive at 10 k")) + cpuEach(of("leave at 10 k"))),
        limit: 1.5,
        better: "at most",
        goal: 1.15,
      },
    ],
    close: () => world.close(),
  };
}

async function arrive(world: World, client: Driver, slices: number): Promise<Reading[]> {
  return playSlices(world, slices, () =>
    client.ask({ do: "submit", n: slice, per_envelope: 1000, in_flight: 4, spec, pad }),
  );
}

async function leave(world: World, client: Driver, slices: number): Promise<Reading[]> {
  return playSlices(world, slices, () => client.ask({ do: "drain", n: slice }));
}

async function playSlices(world: World, slices: number, play: () => Promise<{ wall_ms: number }>): Promise<Reading[]> {
  const readings: Reading[] = [];
  for (let at = 0; at < slices; at++) {
    readings.push(await world.measured(slice, play));
  }
  return readings;
}

export const depth: Bench = {
  id: "B9",
  title: "cost of a task with 1,000,000 queued against 10,000",
  rounds: 5,
  calibrators: [],
  open,
};
