/**
 * B10: what does a task cost when there are many workers? The same number of tasks that end at once over 1, 10, 100 and
 * 1,000 workers of 32 slots, which are links of one process outside; only relay, endpoint and client are counted. Then
 * the thousand do nothing.
 */
import { mkdirSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { processCpu_us } from "./crowd.ts";
import { type Bench, cpuEach, type Opened, type Reading, type RunOptions, type Side, Skip } from "./harness.ts";
import { stubSlurm } from "./stub_slurm.ts";
import { World } from "./world.ts";

const counts = [1, 10, 100, 1000] as const;
const slots = 32;
const spec = { argv: ["/bin/true"] };
const joinWithin_ms = 60_000;
const config = `engine:
  type: batch
  scheduler: slurm
  max_blocks: 1
  max_workers_per_node: ${slots}
  walltime: 12h
  max_idletime: 11h
`;

/** A world whose only block has `count` simulated workers. */
class Field {
  readonly world: World;
  /** From the start of the workers until the endpoint counts all. */
  readonly joined_ms: number;
  /** What the memory of the endpoint grew by meanwhile. */
  readonly grown_kb: number;
  private readonly workers: Bun.Subprocess;

  static async open(folder: string, count: number): Promise<Field> {
    const place = join(folder, `workers-${count}`);
    mkdirSync(place);
    const world = await World.open(place, { slots, config, path: stubSlurm(place).bin });
    // A block is asked for when there is a task for it.
    const client = await world.client();
    await client.ask({ do: "submit", n: 1, per_envelope: 1, in_flight: 1, spec });
    const block = await blockFolder(world);
    const before_kb = endpointRss_kb(world);
    const begun_ms = performance.now();
    const program = join(import.meta.dir, "worker_crowd.ts");
    const workers = Bun.spawn([process.execPath, program, block, String(count), String(slots)], {
      stdio: ["ignore", "ignore", "inherit"],
      env: { PATH: process.env.PATH ?? "", HOME: place },
    });
    try {
      while ((await connected(world)) < count) {
        if (performance.now() - begun_ms > joinWithin_ms) throw new Error(`Of ${count} workers not all have joined`);
        await Bun.sleep(50);
      }
    } catch (error) {
      workers.kill();
      throw error;
    }
    const joined_ms = performance.now() - begun_ms;
    const grown_kb = endpointRss_kb(world) - before_kb;
    await client.ask({ do: "drain", n: 1 });
    return new Field(world, workers, joined_ms, grown_kb);
  }

  private constructor(world: World, workers: Bun.Subprocess, joined_ms: number, grown_kb: number) {
    this.world = world;
    this.workers = workers;
    this.joined_ms = joined_ms;
    this.grown_kb = grown_kb;
  }

  daemonCpu_us(): number {
    return this.world.daemons().reduce((sum, { pid }) => sum + processCpu_us(pid).own, 0);
  }

  async close(): Promise<void> {
    this.workers.kill();
    await this.workers.exited;
    await this.world.crowd.close();
  }
}

function endpointRss_kb(world: World): number {
  const pid = world.daemons().find(({ role }) => role === "endpoint")?.pid;
  return Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, "latin1"))?.[1]);
}

async function blockFolder(world: World): Promise<string> {
  const blocks = join(world.home, "endpoints/bench/blocks");
  for (let tries = 0; tries < 500; tries++, await Bun.sleep(20)) {
    const [name] = readdirSync(blocks);
    if (name !== undefined) return join(blocks, name);
  }
  throw new Error(`There is no block in ${blocks}`);
}

async function connected(world: World): Promise<number> {
  const { workers } = JSON.parse(await world.gc(["endpoint", "status", "bench", "--json"]));
  return workers.filter((worker: { connected: boolean }) => worker.connected).length;
}

async function open(folder: string, options: RunOptions): Promise<Opened> {
  if (options.peers_only) throw new Skip("nothing else is measured here");
  const n = Math.max(2000, Math.round(100_000 * options.scale));
  const quiet_ms = Math.max(5000, 20_000 * options.scale);
  const fields: Field[] = [];
  const sides: Side[] = [];
  for (const count of counts) {
    const field = await Field.open(folder, count);
    fields.push(field);
    const client = await field.world.client();
    const ask = (tasks: number) => client.ask({ do: "tasks", n: tasks, per_envelope: 1000, spec });
    await ask(Math.min(n, 20_000));
    const round = async (): Promise<Reading> => {
      const reading = await field.world.measured(n, () => ask(n));
      return { ...reading, more: { ...reading.more, joined_ms: field.joined_ms, grown_kb: field.grown_kb } };
    };
    const mode = "durable at every hop; relay, endpoint and client are counted, the simulated workers are not";
    sides.push({ name: nameOf(count), mode, cpu_by: field.world.crowd.how, round });
  }
  const most = fields.at(-1);
  const idle = async (): Promise<Reading> => {
    const before_us = most?.daemonCpu_us() ?? Number.NaN;
    await Bun.sleep(quiet_ms);
    const percent = (((most?.daemonCpu_us() ?? Number.NaN) - before_us) / 1000 / quiet_ms) * 100;
    return { n: 1, wall_ms: quiet_ms, more: { idle_percent: percent } };
  };
  sides.push({ name: "idle", mode: "1,000 workers without a task", round: idle });
  return { sides, gates, close: async () => void (await Promise.all(fields.map((field) => field.close()))) };
}

const nameOf = (count: number): string => (count === 1 ? "1 worker" : `${count} workers`);

const gates: Opened["gates"] = [
  {
    what: "CPU per task with 1,000 workers against 1",
    value: (of) => cpuEach(of("1000 workers")) / cpuEach(of("1 worker")),
    limit: 2,
    of_cpu: true,
    better: "at most",
    goal: 1.3,
  },
  {
    what: "CPU of relay and endpoint with 1,000 idle workers, percent of a core",
    value: (of) => of("idle").more?.idle_percent ?? Number.NaN,
    limit: 2,
    better: "at most",
    goal: 0.5,
  },
  {
    what: "memory of the endpoint per worker that joins, kB",
    value: (of) => (of("1000 workers").more?.grown_kb ?? Number.NaN) / 1000,
    limit: 60,
    better: "at most",
    goal: 15,
  },
];

export const workerGrowth: Bench = {
  id: "B10",
  title: "The cost of a task with 1, 10, 100 and 1,000 workers, and of 1,000 that are idle",
  rounds: 5,
  calibrators: [],
  open,
};
