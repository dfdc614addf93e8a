/**
 * Workers on nodes from which the endpoint cannot be reached, with the folder of their block as the only way: two
 * "nodes" are network namespaces without a network, started by a Slurm of a few lines.
 */
import { afterEach, describe, expect, test } from "bun:test";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { until } from "./until.ts";
import { kill, World } from "./world.ts";

const isolated = Bun.spawnSync(["unshare", "-rn", "true"], { stdio: ["ignore", "ignore", "ignore"] }).success;
if (!isolated) console.log("SKIPPED: nodes without a network (unshare -rn does not work here)");

let world: World | undefined;
afterEach(async () => {
  await world?.close();
  world = undefined;
}, 20_000);

/** A Slurm whose blocks are two processes of this machine, each in a network namespace of its own if there can be. */
function slurm(folder: string): string {
  const bin = join(folder, "bin");
  const jobs = join(folder, "jobs");
  mkdirSync(bin);
  mkdirSync(jobs);
  const node = isolated ? "unshare -rn " : "";
  const command = (name: string, lines: string): void => {
    const version = 'case "$1" in --version|-V) echo "slurm 23.11.4"; exit 0;; esac';
    writeFileSync(join(bin, name), `#!/bin/sh\n${version}\ncd '${jobs}'\n${lines}\n`, { mode: 0o755 });
  };
  const start = `for node in 1 2; do setsid ${node}sh "$script" >/dev/null 2>&1 & done`;
  const name = 'basename "$(dirname "$script")"';
  command("sbatch", `for script; do :; done; id=$(($(ls | wc -l) + 1)); ${name} >$id; ${start}; echo $id`);
  const row = 'echo "$id|RUNNING|None|N/A|N/A|node1|$(cat "$id")|$id"';
  command("squeue", `for id in *; do case "$id" in *[!0-9]*) ;; *) ${row};; esac; done`);
  command("scancel", 'for id in *; do test -f "$id" && mv "$id" "$id.over"; done; exit 0');
  command("sacct", "exit 0");
  command("scontrol", "exit 0");
  return bin;
}

async function begin(reach: string): Promise<World> {
  world = await World.open();
  world.env.PATH = `${slurm(world.folder)}:${world.env.PATH}`;
  const path = join(world.folder, "hpc.yaml");
  const engine = `{type: batch, scheduler: slurm, max_workers_per_node: 2, max_idletime: 1h, reach: ${reach}}`;
  writeFileSync(path, `engine: ${engine}\n`);
  await world.gc(["endpoint", "configure", "hpc", "--yes", "--from", path]);
  await world.gc(["endpoint", "start", "hpc", "--detach"]);
  return world;
}

async function connected(here: World): Promise<number> {
  const { stdout, code } = await here.run(["endpoint", "status", "hpc", "--json"]);
  if (code !== 0) return 0;
  const { workers } = JSON.parse(stdout) as { workers: { connected: boolean }[] };
  return workers.filter((worker) => worker.connected).length;
}

const run = ["run", "--endpoint", "hpc", "--"];

describe("reach: [shared]", () => {
  test("two workers run tasks, and nothing listens on the network", async () => {
    const here = await begin("[shared]");
    expect(await here.gc([...run, "echo", "through the folder"])).toBe("through the folder\n");
    await until(async () => (await connected(here)) === 2, "both workers", 30_000);
    expect(existsSync(join(here.home, "endpoints/hpc/door.json"))).toBe(false);
    const many = await Promise.all(Array.from({ length: 6 }, (_, i) => here.gc([...run, "echo", String(i)])));
    expect(many).toEqual(Array.from({ length: 6 }, (_, i) => `${i}\n`));
    const { code } = await here.run([...run, "sh", "-c", "echo no >&2; exit 7"]);
    expect(code).toBe(7);
  }, 90_000);

  test("a task goes on while the endpoint is killed and started again, and is started once", async () => {
    const here = await begin("[shared]");
    const starts = join(here.folder, "starts");
    const go = join(here.folder, "go");
    const script = `echo x >>'${starts}'; until test -e '${go}'; do sleep 0.1; done; echo done`;
    const id = (await here.gc(["submit", "--endpoint", "hpc", "--", "sh", "-c", script])).trim();
    await until(() => existsSync(starts), "its start", 30_000);
    kill((await here.daemon("endpoint")).pid);
    await until(() => here.daemons("endpoint").length === 0, "the end of the endpoint");
    writeFileSync(go, "");
    await here.gc(["endpoint", "start", "hpc", "--detach"]);
    await here.gc(["wait", id]);
    expect(await here.gc(["result", id])).toBe("done\n");
    expect(readFileSync(starts, "utf8")).toBe("x\n");
  }, 90_000);
});

describe.skipIf(!isolated)("reach: [direct, shared]", () => {
  test("a node without a network finds the folder by itself", async () => {
    const here = await begin("[direct, shared]");
    expect(existsSync(join(here.home, "endpoints/hpc/door.json"))).toBe(true);
    // It has an interface of its own, and no other.
    expect(await here.gc([...run, "sh", "-c", "cat /proc/net/dev | grep -c :"])).toBe("1\n");
  }, 90_000);
});
