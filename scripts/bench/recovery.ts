/**
 * B18: what does a crash cost? 2,000 tasks run on two workers; a worker, then the endpoint, then the relay is killed.
 * When was it noticed, when do tasks run again, and how often was a task started without need? Of the tasks of a dead
 * worker each runs alone at its second attempt (one of them may have killed it), so after that it is the first that
 * counts, and not a full house.
 */
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type Bench, type Opened, type Reading, type RunOptions, Skip } from "./harness.ts";
import { type DaemonRole, World } from "./world.ts";

const workers = 2;
const patience_ms = 60_000;

/** What the endpoint says of a worker. */
interface Row {
  id: string;
  running: number;
  connected: boolean;
}

/** A world full of tasks that note their start and sleep. */
class Crash {
  private readonly world: World;
  private readonly starts: string;
  private readonly log: string;
  private readonly n: number;

  static async open(place: string, n: number): Promise<Crash> {
    mkdirSync(place);
    const world = await World.open(place, { slots: n, workers });
    const crash = new Crash(world, place, n);
    const client = await world.client();
    const note = `echo "$0" >>'${crash.starts}'; exec sleep 3600`;
    const spec = { argv: ["/bin/sh", "-c", note], output: "discard" as const, sandbox: false };
    await client.ask({ do: "submit", n, per_envelope: 500, in_flight: 4, spec });
    await until("all tasks to start", () => crash.started() === n);
    return crash;
  }

  private constructor(world: World, place: string, n: number) {
    this.world = world;
    this.n = n;
    this.starts = join(place, "starts");
    this.log = join(world.home, "endpoints/bench/endpoint.log");
    writeFileSync(this.starts, "");
  }

  /** A worker dies: its tasks, and no others, wait for another run, and the first runs on what takes its place. */
  async worker(): Promise<{ [name: string]: number }> {
    const before = await this.status();
    const killed_ms = this.kill("worker");
    const seen_ms = await this.logged("worker.ended", killed_ms);
    await until("a task of the worker to run again", () => this.started() > this.n);
    const again_ms = Date.now() - killed_ms;
    const { running, workers: all } = await this.status();
    const kept = all.filter(({ id }) => before.workers.some((one) => one.id === id));
    const lost = this.n - kept.reduce((sum, one) => sum + one.running, 0);
    return {
      worker_seen_ms: seen_ms,
      worker_again_ms: again_ms,
      worker_extra: Math.max(0, running - (this.n - lost) - 1, this.started() - this.n - lost),
    };
  }

  /** The endpoint dies and is started again: workers and tasks go on as if nothing had been. */
  async endpoint(): Promise<{ [name: string]: number }> {
    const started = this.started();
    const before = await this.status();
    const killed_ms = this.kill("endpoint");
    await this.world.startEndpoint();
    await until("all workers to be back", async () => {
      const { running, workers: all } = await this.status();
      return running === before.running && all.length === workers && all.every(({ connected }) => connected);
    });
    return { endpoint_again_ms: Date.now() - killed_ms, endpoint_extra: this.started() - started };
  }

  /** The relay dies and is started again: the endpoint notices, and comes back to it. */
  async relay(): Promise<{ [name: string]: number }> {
    const started = this.started();
    const before = await this.status();
    const killed_ms = this.kill("relay");
    const seen_ms = await this.logged("relay.waiting", killed_ms);
    await this.world.gc(["relay", "up", "--detach"]);
    await until("the endpoint to be back", async () => (await this.status()).running === before.running);
    return { relay_seen_ms: seen_ms, relay_again_ms: Date.now() - killed_ms, relay_extra: this.started() - started };
  }

  close(): Promise<void> {
    return this.world.crowd.close();
  }

  private started(): number {
    return readFileSync(this.starts, "latin1").split("\n").length - 1;
  }

  private async status(): Promise<{ running: number; workers: Row[] }> {
    try {
      return JSON.parse(await this.world.gc(["endpoint", "status", "bench", "--json"]));
    } catch {
      return { running: 0, workers: [] };
    }
  }

  private kill(role: DaemonRole): number {
    const found = this.world.daemons().find((daemon) => daemon.role === role);
    if (found === undefined) throw new Error(`There is no ${role} to kill`);
    process.kill(found.pid, "SIGKILL");
    return Date.now();
  }

  /** How long after `since_ms` the endpoint wrote down an event. */
  private async logged(event: string, since_ms: number): Promise<number> {
    let found_ms: number | undefined;
    await until(event, () => {
      for (const line of readFileSync(this.log, "utf8").split("\n")) {
        const [time = "", , name] = line.split(" ");
        if (name === event && Date.parse(time) >= since_ms) found_ms ??= Date.parse(time);
      }
      return found_ms !== undefined;
    });
    return (found_ms ?? Number.NaN) - since_ms;
  }
}

async function until(what: string, there: () => boolean | Promise<boolean>): Promise<void> {
  for (const begun_ms = performance.now(); !(await there()); await Bun.sleep(20)) {
    if (performance.now() - begun_ms > patience_ms)
      throw new Error(`Waited ${patience_ms / 1000} s in vain for ${what}`);
  }
}

async function open(folder: string, options: RunOptions): Promise<Opened> {
  if (options.peers_only) throw new Skip("nothing else is measured here");
  const n = Math.max(20, Math.round(2000 * options.scale));
  let made = 0;
  const round = async (): Promise<Reading> => {
    const begun_ms = performance.now();
    const crash = await Crash.open(join(folder, String(made++)), n);
    try {
      const more = { ...(await crash.worker()), ...(await crash.endpoint()), ...(await crash.relay()) };
      return { n, wall_ms: performance.now() - begun_ms, more };
    } finally {
      await crash.close();
    }
  };
  return {
    sides: [{ name: "gc", mode: `${n} tasks on ${workers} workers, kill -9`, round }],
    gates,
    close: async () => {},
  };
}

type Of = Parameters<Opened["gates"][number]["value"]>[0];
const most =
  (...names: string[]) =>
  (of: Of) =>
    Math.max(...names.map((name) => of("gc").more?.[name] ?? Number.NaN));

const gates: Opened["gates"] = [
  { what: "a dead worker is seen, ms", value: most("worker_seen_ms"), limit: 1000, better: "at most", goal: 100 },
  { what: "a lost connection is seen, ms", value: most("relay_seen_ms"), limit: 5000, better: "at most", goal: 2000 },
  {
    what: "tasks run again, or are found running, ms",
    value: most("worker_again_ms", "endpoint_again_ms", "relay_again_ms"),
    limit: 10_000,
    better: "at most",
    goal: 3000,
  },
  {
    what: "tasks started without need",
    value: most("worker_extra", "endpoint_extra", "relay_extra"),
    limit: 0,
    better: "at most",
  },
];

export const recovery: Bench = {
  id: "B18",
  title: "A worker, the endpoint and the relay killed under 2,000 running tasks",
  rounds: 5,
  calibrators: [],
  open,
};
