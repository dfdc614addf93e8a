/** A person with a relay and endpoints on fake batch schedulers: what the stories of blocks are told with. */
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { ended, World } from "../e2e/world.ts";
import { FakeCluster, type FakeName, type FakeOptions } from "../fakes/fake_cluster.ts";

/** What `gc result --json` says of one task. */
export interface Answer {
  readonly id: string;
  readonly outcome: { readonly class: string; readonly reason?: string };
  readonly stdout: { readonly text?: string };
  readonly attempt: number;
}

export class Site {
  readonly world: World;
  private readonly labs: Lab[] = [];

  static async open(): Promise<Site> {
    const world = await World.open();
    world.env.USER = "alice";
    world.env.LOGNAME = "alice";
    await world.gc(["relay", "up", "--detach"]);
    return new Site(world);
  }

  private constructor(world: World) {
    this.world = world;
    mkdirSync(join(world.folder, "files"));
  }

  /** An endpoint with a scheduler of its own, the only one it can find. `lines` go below `engine:`. */
  async endpoint(
    name: string,
    scheduler: FakeName,
    options: FakeOptions,
    flags: readonly string[],
    lines = "",
  ): Promise<Lab> {
    const lab = new Lab(this.world, name, new FakeCluster(scheduler, join(this.world.folder, `fake-${name}`), options));
    this.labs.push(lab);
    const usual = ["--scheduler", scheduler, "--walltime", "10m", "--max-workers-per-node", "1"];
    // Not even a Slurm of this machine, which would be found too.
    const env = { PATH: lab.fake.bin };
    await this.world.gc(["endpoint", "configure", name, ...usual, ...flags], { env });
    if (lines !== "") lab.configure(lines);
    await this.world.gc(["endpoint", "start", "--detach", name], { env: lab.env });
    return lab;
  }

  /** A file that tasks may write. */
  fileOf(name: string): string {
    return join(this.world.folder, "files", name);
  }

  /** Waits for the results of tasks. */
  async results(ids: readonly string[]): Promise<Answer[]> {
    const { code, stdout, stderr } = await ended(this.world.start(["result", "--wait", "--json", ...ids]));
    const { results = [] } = JSON.parse(stdout || "{}") as { results?: Answer[] };
    if (results.length !== ids.length)
      throw new Error(`${results.length} of ${ids.length} results (${code}): ${stderr}`);
    return results;
  }

  async close(): Promise<void> {
    await this.world.close();
    for (const { fake } of this.labs) fake.close();
  }
}

/** One endpoint and its scheduler. */
export class Lab {
  readonly fake: FakeCluster;
  readonly env: { readonly [name: string]: string };
  private readonly world: World;
  private readonly name: string;

  constructor(world: World, name: string, fake: FakeCluster) {
    this.world = world;
    this.name = name;
    this.fake = fake;
    this.env = { PATH: fake.path };
  }

  /** Lines that go below `engine:`, for what no flag says. */
  configure(lines: string): void {
    const path = join(this.world.home, "endpoints", this.name, "config.yaml");
    writeFileSync(path, readFileSync(path, "utf8").replace(/^engine:\n/m, `engine:\n${lines}\n`));
  }

  /** Hands a line of shell over, `count` times; returns the ids. */
  submit(script: string, count = 1): Promise<string[]> {
    return submitTo(this.world, this.name, script, count);
  }

  /** Somebody else's job takes a node; returns its number. */
  occupy(): number {
    const script = join(this.world.folder, `other-${this.name}.sh`);
    writeFileSync(script, "#!/bin/sh\nexec sleep 600\n", { mode: 0o755 });
    const env = { HOME: this.world.folder, E2E_WORLD: this.world.folder };
    const files = { script, stdout: "/dev/null", stderr: "/dev/null", cwd: this.world.folder };
    const size = { nodes: 1, cores: 1, walltime_s: 600, queue: this.fake.queue.cluster.queues[0]?.name ?? "" };
    return this.fake.queue.submit({
      name: "other",
      owner: "bob",
      ...size,
      ...files,
      env,
      held: false,
      words: "",
      extra: {},
    }).seq;
  }

  /** What `gc endpoint blocks` lists. */
  async blocks(): Promise<{ readonly [key: string]: string | number }[]> {
    const text = await this.world.gc(["endpoint", "blocks", this.name, "--json"]);
    return (JSON.parse(text) as { blocks: { [key: string]: string | number }[] }).blocks;
  }

  async stop(): Promise<void> {
    await this.world.gc(["endpoint", "stop", this.name]);
  }

  config(): string {
    return readFileSync(join(this.world.home, "endpoints", this.name, "config.yaml"), "utf8");
  }

  log(): string {
    return readFileSync(join(this.world.home, "endpoints", this.name, "endpoint.log"), "utf8");
  }
}

/** Hands a line of shell over to an endpoint, `count` times; returns the ids. */
export async function submitTo(world: World, endpoint: string, script: string, count: number): Promise<string[]> {
  const stdin = `${JSON.stringify({ script })}\n`.repeat(count);
  const said = await world.gc(["submit", "--endpoint", endpoint, "--quiet", "--file", "-"], { stdin });
  const ids = said.split("\n").filter((line) => line !== "");
  if (ids.length !== count) throw new Error(`${count} tasks were handed over, ids of ${ids.length} came back`);
  return ids;
}
