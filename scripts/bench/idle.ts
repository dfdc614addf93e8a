/**
 * What does an endpoint cost while nothing happens? Login nodes end processes by CPU time, so the budget is 25 ms in a
 * minute (ecosystem.md §1.7). Counted in nanoseconds by the scheduler, per process.
 */
import { processCpu_us } from "./crowd.ts";
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
  const used = (): Map<string, number> => {
    const sums = new Map<string, number>();
    for (const { role, pid } of world.daemons()) sums.set(role, (sums.get(role) ?? 0) + processCpu_us(pid));
    return sums;
  };
  const round = async (): Promise<Reading> => {
    const before = used();
    await Bun.sleep(minute_ms);
    const more: { [name: string]: number } = {};
    for (const [role, us] of used()) {
      more[`${role}_ms_per_minute`] = ((us - (before.get(role) ?? 0)) / 1000) * (60_000 / minute_ms);
    }
    return { n: 1, wall_ms: minute_ms, more };
  };
  return {
    sides: [{ name: "gc", mode: "connected, nothing to do", cpu_by: "/proc/PID/task/*/schedstat", round }],
    gates: [
      {
        what: "CPU of an idle endpoint, milliseconds in a minute",
        value: (of) => of("gc").more?.endpoint_ms_per_minute ?? Number.NaN,
        limit: 25,
        better: "at most",
        goal: 10,
      },
    ],
    close: () => world.close(),
  };
}

export const idle: Bench = {
  id: "idle",
  title: "CPU of an idle endpoint in a minute",
  rounds: 5,
  calibrators: [],
  open,
};
