/**
 * B9: does a task cost more when a million others wait? A whole life of tasks is measured, from the client that hands
 * them over to the client that has their results, with simulated workers: once so that 10,000 are queued at the relay
 * before the first may leave it, once 1,000,000. Queued they are because the endpoint is paused (SIGSTOP) meanwhile.
 * The figures are CPU time over all processes; the time it takes is only shown.
 */
import type { Driver } from "./driven.ts";
import { type Bench, cpuEach, type Opened, type Reading, type RunOptions, Skip } from "./harness.ts";
import { World } from "./world.ts";

const shallow = 10_000;
/** Lives of the shallow queue in one round: its CPU time must be long enough to be measured. */
const lives = 10;
const spec = { argv: ["/bin/true"] };
/** Makes a task weigh about 256 bytes. */
const pad = 210;

async function open(folder: string, options: RunOptions): Promise<Opened> {
  if (options.peers_only) throw new Skip("nothing else is measured here");
  const deep = Math.max(10 * shallow, Math.round(1_000_000 * options.scale));
  const world = await World.open(folder, { slots: 64, workers: 2, simulate: true });
  const client = await world.client();
  await fillAndEmpty(world, client, 10 * shallow, 1);
  const mode = "CPU over all processes, durable at every hop, results read; 256 bytes a task";
  const side = (name: string, queued: number, times: number) => ({
    name,
    mode,
    cpu_by: world.crowd.how,
    round: () => fillAndEmpty(world, client, queued, times),
  });
  return {
    sides: [side("10 k queued", shallow, lives), side("1 M queued", deep, 1)],
    gates: [
      {
        what: `CPU per task with ${deep.toLocaleString("en-US")} queued against 10,000`,
        value: (of) => cpuEach(of("1 M queued")) / cpuEach(of("10 k queued")),
        limit: 1.5,
        of_cpu: true,
        better: "at most",
        goal: 1.15,
      },
    ],
    close: () => world.close(),
  };
}

/** `times` times: pause the endpoint, queue `n` tasks at the relay, let it go on, and read all results. */
async function fillAndEmpty(world: World, client: Driver, n: number, times: number): Promise<Reading> {
  let arriving_us = 0;
  const reading = await world.measured(n * times, async () => {
    const begun_ms = performance.now();
    for (let time = 0; time < times; time++) {
      const before_us = world.crowd.cpu_us();
      world.signal("endpoint", "SIGSTOP");
      await client.ask({ do: "submit", n, per_envelope: 1000, in_flight: 4, spec, pad });
      arriving_us += world.crowd.cpu_us() - before_us;
      world.signal("endpoint", "SIGCONT");
      await client.ask({ do: "drain", n });
    }
    return { wall_ms: performance.now() - begun_ms };
  });
  return { ...reading, more: { arriving_us: arriving_us / (n * times), ...reading.more } };
}

export const depth: Bench = {
  id: "B9",
  title: "cost of a task with 1,000,000 queued against 10,000",
  rounds: 5,
  calibrators: [],
  open,
};
