// time limit: 180 s
/** What a relay keeps, and what it has in mind: nothing of any task. And what it does when its disk is full. */
import { afterEach, describe, expect, test } from "bun:test";
import { mkdirSync, rmSync, statfsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { Batch, judge } from "./load.ts";
import { searchFiles, searchMemory, spellings } from "./memory.ts";
import { until } from "./until.ts";
import { World } from "./world.ts";

const cleanups: (() => void | Promise<void>)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
}, 20_000);

async function openWorld(): Promise<World> {
  const world = await World.open();
  cleanups.push(() => world.close());
  await world.gc(["endpoint", "configure", "ep", "--yes", "--slots", "4"]);
  return world;
}

describe("a relay", () => {
  test("keeps no byte of any task, neither in its files nor in its memory", async () => {
    const world = await openWorld();
    await world.gc(["relay", "up", "--detach"]);
    await world.gc(["endpoint", "start", "-d", "ep"]);
    const canary = "canary-7f41c2-yellow-feathers";
    await sing(world, canary);
    await world.gc(["relay", "backup", join(world.home, "relay", "copy.db")]);

    const texts = spellings(canary);
    const { pid } = await world.daemon("relay");
    const files = searchFiles(join(world.home, "relay"), texts);
    const memory = searchMemory(pid, texts);
    console.log(
      `canaries in ${files.files} files of the relay (${mb(files.bytes)}): ${files.found.length}; ` +
        `in its memory (${mb(memory.bytes)}): ${memory.found.length}`,
    );
    expect(files.found).toEqual([]);
    expect(memory.found).toEqual([]);
    // The search itself works: the canary is where it must be, and what the relay knows is found in it.
    expect(searchFiles(join(world.home, "sent"), texts).found).not.toEqual([]);
    expect(searchFiles(join(world.home, "endpoints"), texts).found).not.toEqual([]);
    expect(searchMemory((await world.daemon("endpoint")).pid, texts).found).not.toEqual([]);
    const { id } = JSON.parse(await world.gc(["relay", "status", "--json"])) as { id: string };
    expect(searchMemory(pid, [Buffer.from(id)]).found).not.toEqual([]);
    expect(files.files).toBeGreaterThan(3);
  }, 60_000);

  const cannot = cannotMount();
  if (cannot !== undefined) console.log(`SKIPPED: a relay on a full disk (${cannot})`);

  test.skipIf(cannot !== undefined)(
    "on a full disk takes no new tasks, says so, loses none and recovers",
    async () => {
      const world = await openWorld();
      const dir = join(world.home, "relay");
      mkdirSync(dir, { mode: 0o700 });
      mount(dir, 48);
      writeFileSync(join(dir, "config.json"), JSON.stringify({ v: 1, limits: { free_mib_min: 8, ballast_mib: 4 } }));
      await world.gc(["relay", "up", "--detach"]);
      await world.gc(["endpoint", "start", "-d", "ep"]);
      const gate = join(world.folder, "gate");
      const running = gated(world, gate, 4);
      await world.gc(running.submitArgs());
      running.handedOver("");
      await until(() => running.starts(3).length === 1, "four tasks to run");

      // Nearly full: no new tasks, and results still come in.
      fill(dir, 6);
      await until(() => looksFull(world), "the relay to notice", 15_000, 100);
      const refused = new Batch(world, "ep", [0, 0]);
      const answer = await world.run(refused.submitArgs());
      expect(answer.code).toBe(75);
      expect(answer.stdout).toBe("");
      expect(answer.stderr).toMatch(/disk is nearly full/);
      expect(refused.handedOver("")).toBe(true);
      writeFileSync(gate, "");
      await running.fetchAll();

      // Room again: what waited in the outbox is taken.
      rmSync(join(dir, "filler"));
      await until(async () => !(await looksFull(world)), "the relay to notice", 15_000, 100);
      await world.gc(["submit", "--flush"]);
      await refused.fetchAll();
      const verdict = judge([running, refused], new Set());
      expect(verdict).toMatchObject({ lost: [], duplicated: [], unexplained: [], rerun: 0, given_up: 0 });
    },
    90_000,
  );

  test.skipIf(cannot !== undefined)(
    "with no byte left keeps what it acknowledged, and goes on when there is room",
    async () => {
      const world = await openWorld();
      const dir = join(world.home, "relay");
      mkdirSync(dir, { mode: 0o700 });
      mount(dir, 48);
      writeFileSync(join(dir, "config.json"), JSON.stringify({ v: 1, limits: { free_mib_min: 0, ballast_mib: 2 } }));
      await world.gc(["relay", "up", "--detach"]);
      await world.gc(["endpoint", "start", "-d", "ep"]);
      const gate = join(world.folder, "gate");
      const running = gated(world, gate, 4);
      // 4 MiB of input each, so that the disk is full before the last is stored.
      const large = Array.from({ length: 4 }, (_, index) => join(world.folder, `large.${index}`));
      for (const path of large) writeFileSync(path, Buffer.alloc(4 * 1024 * 1024, path));
      await world.gc(running.submitArgs());
      running.handedOver("");
      await until(() => running.starts(3).length === 1, "four tasks to run");
      fill(dir, 1);
      const sums = await Promise.all(
        large.map((path) => world.run(["submit", "-e", "ep", "--group", "large", "--stdin", path, "--", "cksum"])),
      );
      for (const { code, stderr } of sums) {
        expect([0, 75]).toContain(code ?? -1);
        if (code !== 0) expect(stderr).toMatch(/outbox/);
      }
      writeFileSync(gate, "");
      rmSync(join(dir, "filler"));
      await running.fetchAll();
      const flushed = await world.run(["submit", "--flush"]);
      expect([0, 75]).toContain(flushed.code ?? -1);
      const { results } = JSON.parse(
        await world.gc(["result", "--wait", "--timeout", "90", "--json", "--group", "large"]),
      ) as { results: { stdout: { text: string } }[] };
      const expected = large.map((path) => Bun.spawnSync(["cksum"], { stdin: Bun.file(path) }).stdout.toString());
      expect(results.map(({ stdout }) => stdout.text).sort()).toEqual(expected.sort());
      const verdict = judge([running], new Set());
      expect(verdict).toMatchObject({ lost: [], duplicated: [], unexplained: [], rerun: 0, given_up: 0 });
    },
    150_000,
  );
});

/** Tasks of all kinds, with the canary in every part that a person can say or see. */
async function sing(world: World, canary: string): Promise<void> {
  const cwd = join(world.folder, canary);
  mkdirSync(cwd);
  const input = join(world.folder, "input");
  writeFileSync(input, canary.repeat(10_000)); // Beyond what lies in the database itself.
  const said = ["--env", `${canary.replaceAll("-", "_")}=${canary}`, "--label", canary, "--group", canary];
  const at = ["-e", "ep", ...said];
  const echo = ["--shell", "--", `echo ${canary}; cat; echo ${canary} >&2; exit 3`];
  for (let round = 0; round < 5; round++) {
    await world.gc(["submit", ...at, "--cwd", cwd, "--stdin", input, ...echo]);
    await world.gc(["submit", ...at, "--", "cat", `/nowhere/${canary}`]);
    await world.gc(["submit", ...at, "--", `/nowhere/${canary}`]);
    await world.gc(["submit", ...at, "--cwd", `/nowhere/${canary}`, "--", "true"]);
  }
  await world.run(["wait", "--group", canary]);
  const shown = await world.run(["result", "--group", canary]);
  expect(shown.stdout.split(canary).length).toBeGreaterThan(50_000);
  await world.run(["logs", "last"]);
  await world.run(["why", "last"]);
  // Live: input and output that only pass through.
  const live = await world.run(["run", ...at, "--cwd", cwd, ...echo], { stdin: canary.repeat(1000) });
  expect(live).toMatchObject({ code: 3, stderr: expect.stringContaining(canary) });
  expect(live.stdout.split(canary).length).toBe(1002);
  // Cancelled while it runs.
  const id = (await world.gc(["submit", ...at, "--", "sh", "-c", `echo ${canary}; sleep 60`])).trim();
  await until(async () => (await world.run(["logs", id])).stdout.includes(canary), "output", 15_000, 100);
  await world.gc(["cancel", id]);
  await world.run(["result", "--wait", id]);
}

function gated(world: World, gate: string, count: number): Batch {
  const batch = new Batch(
    world,
    "ep",
    Array.from({ length: count }, () => 0),
  );
  for (const task of batch.tasks) {
    task.script = task.script?.replace("sleep 0.000", `while ! [ -e ${gate} ]; do sleep 0.05; done`) ?? "";
  }
  return batch;
}

/** A relay looks at its disk when somebody asks something of it. */
async function looksFull(world: World): Promise<boolean> {
  await world.gc(["ps"]);
  return (JSON.parse(await world.gc(["relay", "status", "--json"])) as { storage_full: boolean }).storage_full;
}

/** Why no small disk can be had, or undefined. */
function cannotMount(): string | undefined {
  if (process.platform !== "linux") return "tmpfs is for Linux";
  if (process.getuid?.() !== 0) return "not root";
  const tried = Bun.spawnSync(["unshare", "-m", "sh", "-c", "mount -t tmpfs none /mnt"], { stderr: "pipe" });
  return tried.success ? undefined : `mount does not work here: ${tried.stderr.toString().trim()}`;
}

function mount(dir: string, mib: number): void {
  const done = Bun.spawnSync(["mount", "-t", "tmpfs", "-o", `size=${mib}m,mode=700`, "gc-e2e", dir]);
  if (!done.success) throw new Error(`Cannot mount: ${done.stderr.toString()}`);
  // Last in, first out: processes are gone and the folder is there when this is called.
  cleanups.push(() => void Bun.spawnSync(["umount", "-l", dir]));
}

/** Leaves this much free. */
function fill(dir: string, left_mib: number): void {
  const { bavail, bsize } = statfsSync(dir);
  writeFileSync(join(dir, "filler"), Buffer.alloc(bavail * bsize - left_mib * 1024 * 1024));
}

function mb(bytes: number): string {
  return `${(bytes / 1e6).toFixed(0)} MB`;
}
