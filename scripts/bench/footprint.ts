/** B14: how much memory do relay, endpoint and worker hold when they have nothing to do any more, after real work? */
import { readFileSync } from "node:fs";
import { type Bench, type Gate, type Opened, type Reading, type RunOptions, Skip } from "./harness.ts";
import { type DaemonRole, World } from "./world.ts";

const limits_mb: { readonly [role in DaemonRole]: { limit: number; goal: number } } = {
  relay: { limit: 120, goal: 70 },
  endpoint: { limit: 90, goal: 55 },
  worker: { limit: 60, goal: 40 },
};

async function open(folder: string, options: RunOptions): Promise<Opened> {
  if (options.peers_only) throw new Skip("nothing else is measured here");
  const n = Math.max(100, Math.round(10_000 * options.scale));
  const idle_ms = Math.max(5000, 60_000 * options.scale);
  const world = await World.open(folder, { slots: 2 });
  const client = await world.client();
  await client.ask({ do: "tasks", n, per_envelope: 1000, spec: { argv: ["/bin/true"] } });
  await client.close();
  const round = async (): Promise<Reading> => {
    await Bun.sleep(idle_ms);
    const more: { [name: string]: number } = {};
    for (const { role, pid } of world.daemons()) {
      more[`${role}_rss_mb`] = Math.max(more[`${role}_rss_mb`] ?? 0, residentMb(pid, "Rss"));
      more[`${role}_pss_mb`] = Math.max(more[`${role}_pss_mb`] ?? 0, residentMb(pid, "Pss"));
    }
    return { n: 1, wall_ms: idle_ms, more };
  };
  const gates = Object.entries(limits_mb).map(
    ([role, { limit, goal }]): Gate => ({
      what: `idle RSS of the ${role}, MB`,
      value: (of) => of("gc").more?.[`${role}_rss_mb`] ?? Number.NaN,
      limit,
      better: "at most",
      goal,
    }),
  );
  const mode = `${n} tasks, then ${idle_ms / 1000} s of nothing before each look`;
  return { sides: [{ name: "gc", mode, round }], gates, close: () => world.close() };
}

/** Resident megabytes: all of it (Rss), or with shared pages divided among those who share them (Pss). */
function residentMb(pid: number, which: "Rss" | "Pss"): number {
  const line = new RegExp(`^${which}:\\s+(\\d+) kB`, "m").exec(readFileSync(`/proc/${pid}/smaps_rollup`, "latin1"));
  return (Number(line?.[1] ?? Number.NaN) * 1024) / 1e6;
}

export const footprint: Bench = {
  id: "B14",
  title: "idle memory of relay, endpoint and worker after 10,000 tasks",
  rounds: 5,
  calibrators: [],
  open,
};
