/**
 * Kills: `kill -9` of clients, relay, endpoint and workers at random phases, and a keeper that starts again what died,
 * as an init system would. Which one is killed when comes from a seed; what is true afterwards may not depend on it.
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { until } from "./until.ts";
import { type Ended, ended, kill, type World } from "./world.ts";

export type Kind = "client" | "relay" | "endpoint" | "worker";
export const kinds: readonly Kind[] = ["client", "relay", "endpoint", "worker"];

type Command = Bun.Subprocess<"ignore" | Blob, "pipe", "pipe">;

/** mulberry32: numbers from 0 to 1 that a seed determines. */
export function dice(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** Keeps a relay and an endpoint running until it is told to stop. */
export class Keeper {
  private running = true;
  private readonly over: Promise<void>;
  private readonly world: World;

  constructor(world: World, endpoint: string) {
    this.world = world;
    const keep = async (role: "relay" | "endpoint", args: string[]): Promise<void> => {
      while (this.running) {
        // Somebody else may start it at the same moment; then this command fails, and nothing is amiss.
        if (world.daemons(role).length === 0) await world.run(args).catch(() => (this.running = false));
        else await Bun.sleep(20);
      }
    };
    const loops = [keep("relay", ["relay", "up", "--detach"]), keep("endpoint", ["endpoint", "start", "-d", endpoint])];
    this.over = Promise.all(loops).then(() => {});
  }

  async stop(): Promise<void> {
    this.running = false;
    await this.over;
    await this.world.daemon("relay");
    await this.world.daemon("endpoint");
  }
}

/** The killer. */
export class Reaper {
  readonly counts: { [kind in Kind]: number } = { client: 0, relay: 0, endpoint: 0, worker: 0 };
  readonly workers = new Set<number>();
  private readonly clients = new Set<Command>();
  private readonly world: World;
  private readonly roll: () => number;
  private order: Kind[] = [];

  constructor(world: World, roll: () => number) {
    this.world = world;
    this.roll = roll;
  }

  get total(): number {
    return kinds.reduce((sum, kind) => sum + this.counts[kind], 0);
  }

  /** Waits for a command that may be killed meanwhile. */
  async watch(command: Command): Promise<Ended> {
    this.clients.add(command);
    try {
      return await ended(command);
    } finally {
      this.clients.delete(command);
    }
  }

  /** Kills one process, each kind as often as the others. */
  async strike(): Promise<void> {
    if (this.order.length === 0) {
      this.order = [...kinds, ...kinds]
        .map((kind) => ({ kind, place: this.roll() }))
        .sort((a, b) => a.place - b.place)
        .map(({ kind }) => kind);
    }
    const kind = this.order.shift() ?? "client";
    const phase_ms = this.roll() ** 2 * 700;
    await until(() => this.living(kind).length > 0, `a ${kind} to kill`);
    await Bun.sleep(phase_ms);
    const targets = await until(() => this.living(kind), `a ${kind} to kill`);
    const pid = targets[Math.floor(this.roll() * targets.length)];
    if (pid === undefined || !kill(pid)) return;
    this.counts[kind] += 1;
    if (kind === "worker") this.workers.add(pid);
  }

  private living(kind: Kind): number[] {
    if (kind === "client") return [...this.clients].filter((each) => each.exitCode === null).map(({ pid }) => pid);
    const found = this.world.daemons(kind);
    // Three workers in a row that die before a word pause the endpoint; that is a promise too, and not the one here.
    return found.filter(({ about }) => kind !== "worker" || this.mayKill(about)).map(({ pid }) => pid);
  }

  private mayKill(dir: string): boolean {
    let log = "";
    try {
      log = readFileSync(join(dir, "worker.log"), "utf8");
    } catch {
      // Not written yet.
    }
    return log.includes("worker.connected");
  }
}
