/**
 * gc as a whole, for one bench: an executable, a GC_HOME in the bench's folder, the relay of that home and one endpoint
 * called "bench", every process of it in one crowd. Also the place where a missing executable is noticed.
 */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { type Crowd, gatherCrowd, processCpu_us } from "./crowd.ts";
import { Driver } from "./driven.ts";
import type { Reading } from "./harness.ts";

const root = dirname(dirname(import.meta.dir));

/** Where the executable under test is: `GC_BENCH_EXE`, else `dist/gc`. */
export function executable(): string {
  const path = process.env.GC_BENCH_EXE ?? join(root, "dist/gc");
  if (!existsSync(path)) throw new Error(`There is no "${path}": build it first (sh scripts/build)`);
  return path;
}

export interface WorldOptions {
  readonly slots: number;
  readonly workers?: number;
  /** Workers end every task at once without running it. */
  readonly simulate?: boolean;
  /** A whole configuration instead of one that is made of the above. */
  readonly config?: string;
  /** Folders of commands that go before those of the machine, such as a scheduler's. */
  readonly path?: string;
}

export type DaemonRole = "relay" | "endpoint" | "worker";

export class World {
  readonly crowd: Crowd;
  readonly home: string;
  private readonly env: { [name: string]: string };
  private readonly drivers: Driver[] = [];

  /** Configures the endpoint and, unless told otherwise, starts it. */
  static async open(folder: string, options: WorldOptions, start = true): Promise<World> {
    const world = new World(folder, options);
    const { config } = options;
    const from = join(folder, "bench.yaml");
    if (config !== undefined) writeFileSync(from, config);
    const workers = options.workers === undefined ? [] : ["--workers", String(options.workers)];
    try {
      const how = config === undefined ? ["--slots", String(options.slots), ...workers] : ["--from", from];
      await world.gc(["endpoint", "configure", "bench", "--yes", ...how]);
      if (start) await world.startEndpoint();
    } catch (error) {
      await world.close();
      throw error;
    }
    return world;
  }

  private constructor(folder: string, { simulate, path }: WorldOptions) {
    this.home = join(folder, "home");
    mkdirSync(this.home, { recursive: true, mode: 0o700 });
    this.crowd = gatherCrowd(`GC_HOME=${this.home}`);
    this.env = {
      GC_HOME: this.home,
      HOME: this.home,
      PATH: `${path === undefined ? "" : `${path}:`}/usr/local/bin:/usr/bin:/bin`,
      ...(simulate === true ? { GC_SIMULATE_TASKS: "1" } : {}),
    };
  }

  startEndpoint(): Promise<string> {
    return this.gc(["endpoint", "start", "bench", "--detach"]);
  }

  /** Ends endpoint and workers as Ctrl-C in its terminal does, and waits until they are gone. */
  async stopEndpoint(): Promise<void> {
    const gone = (): boolean => this.daemons().every(({ role }) => role === "relay");
    this.signal("endpoint", "SIGINT");
    for (let tries = 0; !gone(); tries++) {
      if (tries > 2000) throw new Error("The endpoint does not stop");
      await Bun.sleep(20);
    }
  }

  signal(to: DaemonRole, signal: "SIGINT" | "SIGSTOP" | "SIGCONT"): void {
    for (const { role, pid } of this.daemons()) if (role === to) process.kill(pid, signal);
  }

  /** argv and environment of a gc command in this world, as a member of its crowd. */
  command(args: readonly string[]): { argv: string[]; env: { [name: string]: string } } {
    return { argv: this.crowd.join([executable(), ...args]), env: this.env };
  }

  /**
   * The same as a person starts it. Joining a crowd costs a shell and a wait for all processors (milliseconds on a busy
   * machine), which is not to be measured where the time of one command is.
   */
  bareCommand(args: readonly string[]): { argv: string[]; env: { [name: string]: string } } {
    return { argv: [executable(), ...args], env: this.env };
  }

  /** Runs a gc command; returns its stdout. @throws Error with its stderr when it fails. */
  async gc(args: readonly string[]): Promise<string> {
    const { argv, env } = this.command(args);
    const child = Bun.spawn(argv, { env, cwd: this.home, stdin: "ignore", stdout: "pipe", stderr: "pipe" });
    const [stdout, stderr, code] = await Promise.all([
      new Response(child.stdout).text(),
      new Response(child.stderr).text(),
      child.exited,
    ]);
    if (code !== 0) throw new Error(`gc ${args.join(" ")} ended with ${code}: ${stderr.trim()}`);
    return stdout;
  }

  /** A client process in the crowd, connected to the relay. `memory`: it keeps no outbox on disk. */
  async client(outbox: "disk" | "memory" = "disk"): Promise<Driver> {
    const argv = this.crowd.join([process.execPath, join(import.meta.dir, "driver.ts"), outbox]);
    const driver = await Driver.start(argv, this.env, this.crowd);
    this.drivers.push(driver);
    return driver;
  }

  /** Daemons of this world that live now. */
  daemons(): { role: DaemonRole; pid: number }[] {
    return this.crowd.pids().flatMap((pid) => {
      const role = /\0__(relay|endpoint|worker)\0/.exec(commandLine(pid))?.[1];
      return role === undefined ? [] : [{ role: role as DaemonRole, pid }];
    });
  }

  /**
   * Runs `work`, which does `n` things, and takes its time and the CPU of all processes; `more` says how that CPU is
   * divided, microseconds for each thing: by role, the tasks themselves as children of workers.
   */
  async measured(n: number, work: () => Promise<{ wall_ms: number }>): Promise<Reading> {
    const before_us = this.crowd.cpu_us();
    const before = this.shares_us();
    const { wall_ms } = await work();
    const cpu_us = this.crowd.cpu_us() - before_us;
    const after = this.shares_us();
    const more = Object.fromEntries(
      Object.entries(after).map(([name, us]) => [`${name}_us`, (us - (before[name] ?? 0)) / n]),
    );
    return { n, wall_ms, cpu_us, more };
  }

  private shares_us(): { [name: string]: number } {
    const shares: { [name: string]: number } = { client: 0 };
    for (const driver of this.drivers) shares.client = (shares.client ?? 0) + processCpu_us(driver.pid).own;
    for (const { role, pid } of this.daemons()) {
      const { own, children } = processCpu_us(pid);
      shares[role] = (shares[role] ?? 0) + own;
      if (role === "worker") shares.tasks = (shares.tasks ?? 0) + children;
    }
    return shares;
  }

  /** Asks the daemons to stop. */
  async stop(): Promise<void> {
    await this.stopEndpoint();
    await this.gc(["relay", "down"]).catch(() => {});
  }

  /** Stops everything; whatever does not stop is ended. */
  async close(): Promise<void> {
    for (const driver of this.drivers) await driver.close();
    if (this.daemons().length > 0) await this.stop();
    await this.crowd.close();
  }
}

function commandLine(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, "latin1");
  } catch {
    return "";
  }
}
