/**
 * B4: how long does one task take for a program that holds its connection open? A closed loop of `/bin/true` for the
 * median, beside a loop that starts and reaps the same program without gc.
 */
import { spawnFloor } from "./floor.ts";
import { type Bench, type Opened, type Reading, type RunOptions, Skip } from "./harness.ts";
import { quantile } from "./statistics.ts";
import { World } from "./world.ts";

async function open(folder: string, options: RunOptions): Promise<Opened> {
  if (options.peers_only) throw new Skip("the spawn loop alone is part of B1");
  const n = Math.max(50, Math.round(1000 * options.scale));
  const world = await World.open(folder, { slots: 2 });
  const client = await world.client();
  const spec = { argv: ["/bin/true"], output: "discard" as const, sandbox: false };
  await client.ask({ do: "loop", n: Math.min(n, 200), spec });
  const round = async (): Promise<Reading> => {
    let times_ms: number[] = [];
    const reading = await world.measured(n, async () => {
      const answer = await client.ask({ do: "loop", n, spec });
      times_ms = answer.times_ms ?? [];
      return answer;
    });
    const times = {
      p50_ms: quantile(times_ms, 0.5),
      p99_ms: quantile(times_ms, 0.99),
      max_ms: Math.max(...times_ms),
    };
    return { ...reading, more: { ...times, ...reading.more } };
  };
  return {
    sides: [
      {
        name: "gc",
        mode: "closed loop, durable at relay, endpoint and worker; the outbox is written",
        cpu_by: world.crowd.how,
        round,
      },
      { name: "spawn", mode: `${spawnFloor().name}, one at a time`, round: () => spawnOneByOne(n) },
    ],
    gates: [
      {
        what: "median round trip of /bin/true, milliseconds",
        value: (of) => of("gc").more?.p50_ms ?? Number.NaN,
        limit: 2.5,
        better: "at most",
        goal: 1.3,
      },
    ],
    close: () => world.close(),
  };
}

async function spawnOneByOne(n: number): Promise<Reading> {
  const argv = spawnFloor().argv(n);
  argv[argv.length - 2] = "1";
  const begun_ms = performance.now();
  const child = Bun.spawn(argv, { stdio: ["ignore", "pipe", "inherit"] });
  const [, cpu_us] = (await new Response(child.stdout).text()).trim().split(" ").map(Number);
  return { n, wall_ms: performance.now() - begun_ms, cpu_us: (cpu_us ?? Number.NaN) * n };
}

export const roundTrip: Bench = {
  id: "B4",
  title: "round trip of one task for a client that stays connected",
  rounds: 7,
  calibrators: ["spawn", "fdatasync"],
  open,
};
