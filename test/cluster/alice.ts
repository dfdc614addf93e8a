/** An ordinary user of the cluster, with a relay and endpoints of her own: what the tests of Slurm are done as. */
import { chmodSync, chownSync, existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import type { TaskSpec } from "../../core/schema/task.ts";
import { until } from "../e2e/until.ts";
import { type Daemon, type Ended, ended, World } from "../e2e/world.ts";

const user = "alice";

export class Alice {
  readonly world: World;
  /** A folder that she may write, for what tasks leave. */
  readonly folder: string;
  private readonly ids: { uid: number; gid: number };

  static async arrive(): Promise<Alice> {
    const world = await World.open();
    const alice = new Alice(world);
    await world.gc(["relay", "up", "--detach"]);
    return alice;
  }

  private constructor(world: World) {
    this.world = world;
    this.ids = idsOf(user);
    // Folders of tests are root's alone: she may walk through, not look around.
    for (let dir = world.folder; dir !== "/" && dir !== "/tmp"; dir = dirname(dir)) chmodSync(dir, modeOf(dir) | 0o011);
    this.folder = join(world.folder, "shared");
    mkdirSync(this.folder);
    for (const dir of [world.home, this.folder]) chownSync(dir, this.ids.uid, this.ids.gid);
    world.prefix = ["setpriv", `--reuid=${user}`, `--regid=${user}`, "--init-groups"];
    world.env.TMPDIR = "/tmp";
    world.env.USER = user;
    world.env.LOGNAME = user;
  }

  /** Makes an endpoint whose engine is `engine`, as YAML after `scheduler: slurm`, and starts it. */
  async endpoint(name: string, engine: { readonly [key: string]: string | number | boolean }): Promise<void> {
    const lines = Object.entries({ partition: "batch", exclusive: false, cores_per_node: 2, ...engine });
    const text = lines.map(([key, value]) => `  ${key}: ${JSON.stringify(value)}`).join("\n");
    await this.endpointOf(name, `engine:\n  type: batch\n  scheduler: slurm\n  launcher: srun\n${text}\n`);
  }

  /** Makes an endpoint with this configuration, and starts it. */
  async endpointOf(name: string, config: string): Promise<void> {
    await this.world.gc(["endpoint", "configure", name, "--yes"]);
    writeFileSync(join(this.dirOf(name), "config.yaml"), config);
    await this.start(name);
  }

  start(name: string): Promise<string> {
    return this.world.gc(["endpoint", "start", "--detach", name]);
  }

  dirOf(name: string): string {
    return join(this.world.home, "endpoints", name);
  }

  /** Hands a line of shell over, `count` times; returns the ids. */
  submit(endpoint: string, script: string, count = 1): Promise<string[]> {
    return this.submitAll(endpoint, Array<TaskSpec>(count).fill({ script }));
  }

  /** Hands tasks over; returns the ids. */
  async submitAll(endpoint: string, tasks: readonly TaskSpec[]): Promise<string[]> {
    const input = tasks.map((task) => `${JSON.stringify(task)}\n`).join("");
    const words = ["submit", "--endpoint", endpoint, "--quiet", "--file", "-"];
    const said = await this.world.gc(words, { stdin: input });
    const ids = said.split("\n").filter((line) => line !== "");
    const count = tasks.length;
    if (ids.length !== count) throw new Error(`${count} tasks were handed over, ids of ${ids.length} came back`);
    return ids;
  }

  /** Waits for the results of tasks. */
  async results(ids: readonly string[], limit_ms: number): Promise<Answer[]> {
    const child = this.world.start(["result", "--wait", "--json", ...ids]);
    const timer = setTimeout(() => child.kill(), limit_ms);
    const { code, stdout, stderr } = await ended(child);
    clearTimeout(timer);
    const { results = [] } = JSON.parse(stdout || "{}") as { results?: Answer[] };
    if (results.length !== ids.length)
      throw new Error(`${results.length} of ${ids.length} results (${code}): ${stderr}`);
    return results;
  }

  run(args: readonly string[]): Promise<Ended> {
    return this.world.run(args);
  }

  /** Lines that tasks wrote into the file `name` of the shared folder. */
  lines(name: string): string[] {
    const path = join(this.folder, name);
    if (!existsSync(path)) return [];
    return readFileSync(path, "utf8")
      .split("\n")
      .filter((line) => line !== "");
  }

  log(endpoint: string): string {
    return readFileSync(join(this.dirOf(endpoint), "endpoint.log"), "utf8");
  }

  async processOf(endpoint: string): Promise<Daemon> {
    return until(() => this.world.daemons("endpoint").find(({ about }) => about === endpoint), `endpoint ${endpoint}`);
  }
}

/** What `gc result --json` says of one task. */
export interface Answer {
  readonly id: string;
  readonly outcome: { readonly class: string; readonly exit_code: number; readonly reason?: string };
  readonly stdout: { readonly text?: string };
  readonly attempt: number;
  readonly host: string;
}

export function hosts(answers: readonly Answer[]): Set<string> {
  return new Set(answers.map(({ host }) => host));
}

function idsOf(name: string): { uid: number; gid: number } {
  const line = readFileSync("/etc/passwd", "utf8")
    .split("\n")
    .find((entry) => entry.startsWith(`${name}:`));
  const [, , uid, gid] = line?.split(":") ?? [];
  return { uid: Number(uid), gid: Number(gid) };
}

function modeOf(path: string): number {
  return statSync(path).mode & 0o7777;
}
