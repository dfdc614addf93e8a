/**
 * What does an endpoint cost while nothing happens? Login nodes end processes by CPU time, so the budget is 25 ms in a
 * minute (ecosystem.md §1.7).
 */
import { countAlone } from "./crowd.ts";
import { type Bench, type Opened, type Reading, type RunOptions, Skip } from "./harness.ts";
import { World } from "./world.ts";

async function open(folder: string, options: RunOptions): Promise<Opened> {
  if (options.peers_only) throw new Skip("nothing else is measured here");
  const minute_ms = Math.max(5000, 60_000 * options.scale);
  const world = await World.open(folder, { slots: 2 });
  const client = await world.client();
  await client.ask({ do: "tasks", n: 100, per_envelope: 100, spec: { argv: ["/bin/true"] } });
  await client.close();
  await Bun.sleep(5000);
  const counted = world.daemons().map(({ role, pid }) => ({ role, alone: countAlone(pid) }));
  const round = async (): Promise<Reading> => {
    const before = counted.map(({ alone }) => alone.cpu_us());
    await Bun.sleep(minute_ms);
    const more: { [name: string]: number } = {};
    for (const [at, { role, alone }] of counted.entries()) {
      more[`${role}_ms_per_minute`] = ((alone.cpu_us() - (before[at] ?? 0)) / 1000) * (60_000 / minute_ms);
    }
    return { n: 1, wall_ms: minute_ms, more };
  };
  return {
    sides: [
      { name: "gc", mode: "connected, nothing to do", cpu_by: `${counted[0]?.alone.how}, each daemon alone`, round },
    ],
    gates: [
      {
        what: "CPU of an idle endpoint, milliseconds in a minute",
        value: (of) => of("gc").more?.endpoint_ms_per_minute ?? Number.NaN,
        limit: 25,
        better: "at most",
        goal: 10,
      },
    ],
    close: async () => {
      await world.stop();
      for (const { alone } of counted) await alone.close();
      await world.close();
    },
  };
}

export const idle: Bench = {
  id: "idle",
  title: "CPU of an idle endpoint in a minute",
  rounds: 5,
  calibrators: [],
  open,
};
