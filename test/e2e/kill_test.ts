// time limit: 280 s
/**
 * Real processes under kill -9: every task comes to exactly one end (DESIGN §4, reliability-security.md §4.4).
 * KILL_SEED=N repeats the kills of a run, as far as processes repeat themselves; KILL_PLANTED=noAdopt runs with a bug.
 */
import { afterAll, afterEach, describe, expect, test } from "bun:test";
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { dice, Keeper, kinds, Reaper } from "./chaos.ts";
import { Batch, judge } from "./load.ts";
import { until } from "./until.ts";
import { World } from "./world.ts";

const killsMin = 208;
const batchSize = 4;
const batchCount = 50;

const core = join(dirname(dirname(import.meta.dir)), "core");
const worlds: World[] = [];

async function openWorld(slots: number): Promise<World> {
  const world = await World.open();
  worlds.push(world);
  await world.gc(["endpoint", "configure", "ep", "--yes", "--slots", String(slots)]);
  return world;
}

async function closeWorlds(): Promise<void> {
  for (const world of worlds.splice(0)) await world.close();
}
afterEach(closeWorlds, 20_000);
afterAll(closeWorlds, 20_000);

/** Names of all crash points in the sources. */
function crashPoints(): string[] {
  const files = [...new Bun.Glob("**/*.ts").scanSync({ cwd: core, absolute: true })];
  const text = files.map((path) => readFileSync(path, "utf8")).join("\n");
  return [...new Set([...text.matchAll(/crashPoint\("([^"]+)"\)/g)].map((match) => match[1] ?? ""))].sort();
}

describe("kill -9", () => {
  test("at random phases and at all crash points: 0 lost, 0 duplicated, reruns only where a worker died", async () => {
    const seed = Number(process.env.KILL_SEED ?? Date.now() % 1_000_000);
    const roll = dice(seed);
    const begun_ms = performance.now();
    const world = await openWorld(4);
    const marks = join(world.folder, "marks");
    mkdirSync(marks);
    const points = crashPoints();
    const reaper = new Reaper(world, roll);
    world.env.GC_CRASH_MARKS = marks;
    world.env.GC_PLANTED = process.env.KILL_PLANTED ?? "";
    world.env.GC_CRASH_POINT = points.map((name) => `${name}:${passage(name, roll)}`).join(",");
    const keeper = new Keeper(world, "ep");

    const batches: Batch[] = [];
    const collected: Promise<void>[] = [];
    let open = 0;
    const submitOne = async (): Promise<void> => {
      const times = Array.from({ length: batchSize }, () => 0.05 + 0.5 * roll());
      const batch = new Batch(world, "ep", times);
      open += 1;
      while (!batch.handedOver((await reaper.watch(batch.submit())).stdout)) {}
      batches.push(batch);
      const collecting = collect(batch, reaper).finally(() => (open -= 1));
      collecting.catch(() => {}); // Awaited below, unless something fails first.
      collected.push(collecting);
    };
    const submitAll = async (): Promise<void> => {
      for (let i = 0; i < batchCount || reaper.total < killsMin; i++) {
        // Spread over all kills, so that there is work whenever somebody dies.
        const enough = (): boolean => open === 0 || reaper.total >= (i * killsMin) / batchCount;
        await until(enough, "more kills", 60_000);
        await submitOne();
      }
    };
    const submitted = submitAll();
    submitted.catch(() => {}); // Likewise.
    try {
      while (reaper.total < killsMin) await reaper.strike();
    } catch (error) {
      console.log(`seed ${seed}\n${world.logs()}`);
      throw error;
    }
    await submitted;
    const struck_ms = performance.now();
    await Promise.all(collected);
    // Whoever was killed too soon to come by its crash point often enough gets more to do.
    const left = (): string[] => points.filter((name) => !readdirSync(marks).includes(name));
    for (let more = 0; more < 20 && left().length > 0; more++) {
      await submitOne();
      await collected.at(-1);
    }
    expect(left()).toEqual([]);
    await keeper.stop();
    // Once more, with nobody disturbing: the same results.
    for (const batch of batches) await batch.fetchAll();
    const healed_ms = performance.now();

    const crashed = points.map((name) => Number(readFileSync(join(marks, name), "utf8")));
    const verdict = judge(batches, new Set([...reaper.workers, ...crashed]));
    await world.gc(["endpoint", "stop", "ep"]);
    await world.gc(["relay", "down"]);
    const orphans = await orphansOf(world);
    const { tasks, lost, duplicated, rerun, given_up, poisoned, restarted, unexplained } = verdict;
    console.log(
      [
        `kills ${reaper.total} (${kinds.map((kind) => `${kind} ${reaper.counts[kind]}`).join(", ")})`,
        `crash points ${points.length}, tasks ${tasks}, lost ${lost.length}, duplicated ${duplicated.length}`,
        `rerun ${rerun}, given up as asked ${given_up}, poisoned ${poisoned}, orphans ${orphans.length}`,
        `seed ${seed}, ${seconds(struck_ms - begun_ms)} of kills, healed in ${seconds(healed_ms - struck_ms)}`,
      ].join("; "),
    );
    expect({ lost, duplicated, restarted, unexplained, orphans }).toEqual({
      lost: [],
      duplicated: [],
      restarted: [],
      unexplained: [],
      orphans: [],
    });
    expect(tasks).toBeGreaterThanOrEqual(batchCount * batchSize);
    for (const kind of kinds) expect(reaper.counts[kind]).toBeGreaterThanOrEqual(killsMin / kinds.length - 2);
  }, 240_000);

  test("of the endpoint: what runs goes on and is adopted within 10 s, and nothing runs twice", async () => {
    const world = await openWorld(4);
    await world.gc(["endpoint", "start", "-d", "ep"]);
    const gate = join(world.folder, "gate");
    const batch = gated(world, gate, 8);
    expect((await world.run(batch.submitArgs())).code).toBe(0);
    batch.handedOver("");
    await until(() => [0, 1, 2, 3].every((index) => batch.starts(index).length === 1), "four tasks to run");

    for (let round = 0; round < 3; round++) {
      process.kill((await world.daemon("endpoint")).pid, "SIGKILL");
      await until(() => world.daemons("endpoint").length === 0, "the endpoint to be gone");
      // Long enough for the worker to be between two attempts to connect.
      await Bun.sleep(1000 * round);
      const connected = (await workerLog(world)).split("worker.connected").length;
      const begun_ms = performance.now();
      await world.gc(["endpoint", "start", "-d", "ep"]);
      await until(async () => (await workerLog(world)).split("worker.connected").length > connected, "adoption");
      expect(performance.now() - begun_ms).toBeLessThan(10_000);
    }
    writeFileSync(gate, "");
    await batch.fetchAll();
    const verdict = judge([batch], new Set());
    expect(verdict).toMatchObject({ lost: [], duplicated: [], unexplained: [], rerun: 0, given_up: 0 });
  }, 60_000);

  test("of a worker: what it ran is ended, and runs again where that was asked for", async () => {
    const world = await openWorld(2);
    await world.gc(["endpoint", "start", "-d", "ep"]);
    const gate = join(world.folder, "gate");
    const batch = gated(world, gate, 2);
    expect((await world.run(batch.submitArgs())).code).toBe(0);
    batch.handedOver("");
    await until(() => [0, 1].every((index) => batch.starts(index).length === 1), "two tasks to run");
    const { pid } = await world.daemon("worker");
    const before = world.pids().filter((each) => !world.daemons().some((daemon) => daemon.pid === each));
    expect(before.length).toBeGreaterThanOrEqual(2);
    process.kill(pid, "SIGKILL");
    await until(() => batch.starts(0).length === 2, "the first task to start again");
    await until(() => !world.pids().some((each) => before.includes(each)), "the end of what it ran");
    writeFileSync(gate, "");
    await batch.fetchAll();
    const verdict = judge([batch], new Set([pid]));
    expect(verdict).toMatchObject({ lost: [], duplicated: [], restarted: [], unexplained: [], rerun: 1, given_up: 1 });
  }, 60_000);
});

describe("the relay", () => {
  test("loses nothing when it is killed with tasks that wait, run and have ended", async () => {
    const world = await openWorld(2);
    const { waiting, running, over, gate } = await threeStages(world);
    process.kill((await world.daemon("relay")).pid, "SIGKILL");
    await world.gc(["relay", "up", "--detach"]);
    writeFileSync(gate, "");
    await world.gc(["endpoint", "start", "-d", "other"]);
    for (const batch of [waiting, running, over]) await batch.fetchAll();
    const verdict = judge([waiting, running, over], new Set());
    expect(verdict).toMatchObject({ lost: [], duplicated: [], unexplained: [], rerun: 0, given_up: 0 });
  }, 60_000);

  test("gets back what outboxes and endpoints hold when its store is gone", async () => {
    const world = await openWorld(2);
    const { waiting, running, over, gate } = await threeStages(world);
    const before = JSON.parse(await world.gc(["relay", "status", "--json"])) as { epoch: string; data_dir: string };
    process.kill((await world.daemon("relay")).pid, "SIGKILL");
    await until(() => world.daemons("relay").length === 0, "the relay to be gone");
    for (const name of readdirSync(before.data_dir)) {
      if (/^relay\.db|^bodies/.test(name)) rmSync(join(before.data_dir, name), { recursive: true });
    }
    await world.gc(["relay", "up", "--detach"]);
    const after = JSON.parse(await world.gc(["relay", "status", "--json"])) as { epoch: string };
    expect(after.epoch).not.toBe(before.epoch);
    writeFileSync(gate, "");
    await world.gc(["submit", "--flush"]);
    await world.gc(["endpoint", "start", "-d", "other"]);
    for (const batch of [waiting, running, over]) await batch.fetchAll();
    const verdict = judge([waiting, running, over], new Set());
    expect(verdict).toMatchObject({ lost: [], duplicated: [], unexplained: [], rerun: 0, given_up: 0 });
  }, 60_000);
});

/** A batch whose tasks run until there is a file at `gate`. */
function gated(world: World, gate: string, count: number, endpoint = "ep"): Batch {
  const batch = new Batch(
    world,
    endpoint,
    Array.from({ length: count }, () => 0),
  );
  for (const task of batch.tasks) {
    task.script = task.script?.replace("sleep 0.000", `while ! [ -e ${gate} ]; do sleep 0.05; done`) ?? "";
  }
  return batch;
}

/** Tasks that wait at the relay for an endpoint that is down, tasks that run, and tasks whose results nobody
 * fetched. */
async function threeStages(world: World) {
  const gate = join(world.folder, "gate");
  await world.gc(["endpoint", "configure", "other", "--yes", "--slots", "2"]);
  await world.gc(["endpoint", "start", "-d", "ep"]);
  const over = new Batch(world, "ep", [0, 0, 0]);
  const running = gated(world, gate, 4);
  const waiting = new Batch(world, "other", [0, 0, 0]);
  for (const batch of [over, running, waiting]) {
    expect((await world.run(batch.submitArgs())).code).toBe(0);
    expect(batch.handedOver("")).toBe(true);
  }
  await world.gc(["wait", "--group", over.group]);
  await until(() => [0, 1].every((index) => running.starts(index).length === 1), "two tasks to run");
  return { waiting, running, over, gate };
}

async function workerLog(world: World): Promise<string> {
  const { about } = await world.daemon("worker");
  return readFileSync(join(about, "worker.log"), "utf8");
}

async function collect(batch: Batch, reaper: Reaper): Promise<void> {
  while (!batch.take((await reaper.watch(batch.fetch())).stdout)) {}
}

/** What is passed often dies later, so that it dies in the middle of something. */
function passage(name: string, roll: () => number): number {
  return name.startsWith("submit.") ? 1 : 1 + Math.floor(roll() * 3);
}

/** What still lives after everything was stopped. */
async function orphansOf(world: World): Promise<number[]> {
  await until(() => world.pids().length === 0, "nothing to be left", 5000).catch(() => {});
  return world.pids();
}

function seconds(ms: number): string {
  return `${(ms / 1000).toFixed(1)} s`;
}
