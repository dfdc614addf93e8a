/**
 * B15: how many submissions does the relay acknowledge, each on stable storage first? One client that waits for each
 * acknowledgement against the raw disk doing one fdatasync after the other; and batches of 1,000 tasks. The endpoint is
 * stopped, so that tasks only arrive.
 */
import { fdatasyncRate } from "./calibrator.ts";
import { type Bench, type Opened, perSecond, type RunOptions, type Side } from "./harness.ts";
import { World } from "./world.ts";

/** About what one sealed and signed task of `/bin/true` weighs. */
const recordBytes = 1024;

async function open(folder: string, options: RunOptions): Promise<Opened> {
  const n = Math.max(100, Math.round(4000 * options.scale));
  const raw: Side = {
    name: "raw fdatasync",
    mode: `append ${recordBytes} bytes, fdatasync, repeat`,
    round: async () => ({ n, wall_ms: (n * 1000) / fdatasyncRate(folder, n, recordBytes) }),
  };
  if (options.peers_only) return { sides: [raw], gates: [], close: async () => {} };
  const world = await World.open(folder, { slots: 2 });
  await world.client().then((client) => client.close());
  await world.stopEndpoint();
  const lanes = await Promise.all([world.client("memory"), world.client("disk"), world.client("memory")]);
  const side = (
    name: string,
    mode: string,
    lane: number,
    count: number,
    per_envelope: number,
    in_flight: number,
  ): Side => ({
    name,
    mode,
    cpu_by: world.crowd.how,
    round: async () => {
      const driver = lanes[lane];
      if (driver === undefined) throw new Error(`There is no client ${lane}`);
      return world.measured(count, () =>
        driver.ask({ do: "submit", n: count, per_envelope, in_flight, spec: { argv: ["/bin/true"] }, pad: 210 }),
      );
    },
  });
  return {
    sides: [
      side("single", "relay durable; the client keeps no outbox; one at a time", 0, n, 1, 1),
      side("single, outbox", "outbox and relay durable, one after the other; one at a time", 1, n, 1, 1),
      side("batched", "relay durable; 1,000 tasks of 256 bytes per envelope, 4 in flight", 2, n * 25, 1000, 4),
      raw,
    ],
    gates: [
      {
        what: "acknowledged submissions of one client against raw fdatasync",
        value: (of) => perSecond(of("single")) / perSecond(of("raw fdatasync")),
        limit: 0.4,
        better: "at least",
        goal: 0.7,
        peer: "raw fdatasync",
      },
      {
        what: "batched submissions, tasks per second",
        value: (of) => perSecond(of("batched")),
        limit: 50_000,
        better: "at least",
        goal: 200_000,
      },
    ],
    close: () => world.close(),
  };
}

export const durability: Bench = {
  id: "B15",
  title: "durably acknowledged submissions against raw fdatasync",
  rounds: 7,
  calibrators: ["fdatasync"],
  open,
};
