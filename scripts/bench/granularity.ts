/**
 * B17: how small may tasks be? `sleep` for 10, 100 and 1,000 ms in 8 slots: the time that all take together against
 * what it would be if nothing else took any (tasks × duration / slots), and that against the vfork loop, which does
 * nothing but start them.
 */
import { floorEfficiency, type Grain, xargsEfficiency } from "./granularity_peers.ts";
import type { Bench, Opened, Reading, RunOptions, Side } from "./harness.ts";
import { World } from "./world.ts";

const slots = 8;
/** Duration and number of tasks of a round: a few seconds each. */
const grains: readonly Grain[] = [
  { ms: 10, n: 1600 },
  { ms: 100, n: 480 },
  { ms: 1000, n: 24 },
];

async function open(folder: string, options: RunOptions): Promise<Opened> {
  const sides: Side[] = [];
  const close: (() => Promise<void>)[] = [];
  const scaled = grains.map(({ ms, n }) => ({
    ms,
    n: Math.max(slots, Math.round((n * options.scale) / slots) * slots),
  }));
  for (const grain of scaled) {
    for (const peer of [floorEfficiency(grain, slots), xargsEfficiency(grain, slots)]) {
      sides.push(peer.side);
      close.push(() => peer.crowd.close());
    }
  }
  if (!options.peers_only) {
    const world = await World.open(folder, { slots });
    close.push(() => world.close());
    const client = await world.client();
    const ask = ({ ms, n }: Grain) =>
      client.ask({
        do: "tasks",
        n,
        per_envelope: 1000,
        spec: { argv: sleeper(ms), output: "discard", sandbox: false },
      });
    await ask({ ms: 10, n: 200 });
    for (const grain of scaled) {
      const round = async (): Promise<Reading> => stretched(await world.measured(grain.n, () => ask(grain)), grain);
      sides.push({
        name: `gc ${grain.ms} ms`,
        mode: "durable at every hop, results read",
        cpu_by: world.crowd.how,
        round,
      });
    }
  }
  const gates = options.peers_only ? [] : grains.slice(0, 2).map(({ ms }) => gate(ms));
  return { sides, gates, close: async () => void (await Promise.all(close.map((one) => one()))) };
}

/** A shell that sleeps: it leaves alone the number that every task has as its last argument. */
function sleeper(ms: number): string[] {
  return ["/bin/sh", "-c", `exec sleep ${ms / 1000}`];
}

/** With how many times as long as it had to take. */
function stretched(reading: Reading, { ms, n }: Grain): Reading {
  return { ...reading, more: { ...reading.more, stretch: reading.wall_ms / ((n * ms) / slots) } };
}

function gate(ms: number): Opened["gates"][number] {
  return {
    what: `time for tasks of ${ms} ms against the floor`,
    value: (of) => (of(`gc ${ms} ms`).more?.stretch ?? Number.NaN) / (of(`floor ${ms} ms`).more?.stretch ?? Number.NaN),
    limit: ms === 10 ? 1.1 : 1.03,
    better: "at most",
    goal: ms === 10 ? 1.03 : 1.01,
    peer: `floor ${ms} ms`,
  };
}

export const granularity: Bench = {
  id: "B17",
  title: "sleep for 10, 100 and 1,000 ms in 8 slots against the vfork floor and xargs -P8",
  rounds: 7,
  calibrators: ["spawn"],
  open,
};
