/**
 * B2: what does gc's own machinery cost? Tasks that workers end at once without running anything, sealed, signed and
 * durable at every hop. Throughput has a floor of its own in raw group commit: the same bytes appended and synced.
 */
import { type Bench, cpuEach, type Opened, perSecond, type RunOptions, Skip } from "./harness.ts";
import { World } from "./world.ts";

const perEnvelope = 1000;
/** Makes a task weigh about 256 bytes. */
const pad = 210;

async function open(folder: string, options: RunOptions): Promise<Opened> {
  if (options.peers_only) throw new Skip("nothing else is measured here");
  const n = Math.max(2 * perEnvelope, Math.round(200_000 * options.scale));
  const world = await World.open(folder, { slots: 64, workers: 2, simulate: true });
  const client = await world.client();
  const ask = (count: number) =>
    client.ask({ do: "tasks", n: count, per_envelope: perEnvelope, spec: { argv: ["/bin/true"] }, pad });
  await ask(Math.min(n, 20_000));
  const round = () => world.measured(n, () => ask(n));
  const mode = `2 simulated workers, ${perEnvelope} tasks of 256 bytes an envelope, sealed, all durable, results read`;
  return {
    sides: [{ name: "gc", mode, cpu_by: world.crowd.how, round }],
    gates: [
      {
        what: "zero-work tasks per second",
        value: (of) => perSecond(of("gc")),
        limit: 30_000,
        better: "at least",
        goal: 150_000,
      },
      {
        what: "CPU-µs per zero-work task over all processes",
        value: (of) => cpuEach(of("gc")),
        limit: 20,
        of_cpu: true,
        better: "at most",
        goal: 7,
      },
    ],
    close: () => world.close(),
  };
}

export const zeroWork: Bench = {
  id: "B2",
  title: "200,000 zero-work tasks through client, relay, endpoint and two simulated workers",
  rounds: 7,
  calibrators: ["spawn"],
  open,
};
