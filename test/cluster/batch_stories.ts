/**
 * Blocks that come and go with the demand, and everything that may befall them. Each story has endpoints of its own, so
 * they are told side by side; the last waits until all others are over, also those of other files.
 */
import { expect } from "bun:test";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { until } from "../e2e/until.ts";
import { kill } from "../e2e/world.ts";
import { type Alice, hosts } from "./alice.ts";
import { jobsOf, living, power, running, slurm, withoutController } from "./slurm.ts";
import type { Stage } from "./stage.ts";

/** Tells the stories of blocks. */
export function batchStories({ story, last }: Stage): void {
  let forty: string[] = [];

  story("from nothing to max_blocks and back: 200 tasks over four nodes, each exactly once", async (alice) => {
    await alice.endpoint("elastic", { max_blocks: 4, max_idletime: "8s" });
    expect(jobsOf("elastic")).toEqual([]);
    const ids = await alice.submit("elastic", `sleep 1; echo "$GC_TASK_UUID" >>${alice.folder}/elastic`, 200);
    const answers = await alice.results(ids, 150_000);
    expect(new Set(answers.map(({ outcome }) => outcome.class))).toEqual(new Set(["ok"]));
    expect(alice.lines("elastic").sort()).toEqual([...ids].sort());
    expect(hosts(answers).size).toBe(4);
    expect(jobsOf("elastic").length).toBe(4);
    await until(() => living("elastic").length === 0, "the end of idle blocks", 60_000, 500);
    expect(alice.log("elastic")).not.toContain("paused");
  });

  story("an endpoint configured by flags alone finds the scheduler and runs on a compute node", async (alice) => {
    const flags = ["--scheduler", "auto", "--partition", "batch", "--max-blocks", "1", "--walltime", "5m", "--shared"];
    await alice.world.gc(["endpoint", "configure", "flags", ...flags]);
    await alice.start("flags");
    const ran = await alice.run(["run", "--endpoint", "flags", "--nodes", "1", "--", "hostname"]);
    expect(ran.code).toBe(0);
    expect(ran.stdout.trim()).toMatch(/^node\d+$/);
    await alice.world.gc(["endpoint", "stop", "flags"]);
    expect(living("flags")).toEqual([]);
  });

  story("a task that outlives its block's walltime runs again in another block", async (alice) => {
    await alice.endpoint("short", { max_blocks: 2, walltime: "1m" });
    const [id = ""] = await alice.submit("short", 'test "$GC_TASK_ATTEMPT" != 1 || sleep 600; hostname');
    const [answer] = await alice.results([id], 180_000);
    expect(answer).toMatchObject({ attempt: 2, outcome: { class: "ok" } });
    expect(jobsOf("short").map(({ state }) => state)).toContain("TIMEOUT");
  });

  const once = (alice: Alice, file: string): string =>
    `echo "$GC_TASK_ATTEMPT" >>${join(alice.folder, file)}; test "$GC_TASK_ATTEMPT" != 1 || sleep 600; hostname`;

  story("a block that is cancelled from outside, and one that is requeued: its task runs again", async (alice) => {
    await alice.endpoint("meddled", { max_blocks: 1, scheduler_options: "--requeue" });
    const [cancelled = ""] = await alice.submit("meddled", once(alice, "cancelled"));
    await until(() => alice.lines("cancelled").length > 0, "the task to start", 60_000, 200);
    slurm("scancel", running("meddled")[0]?.id ?? "");
    expect((await alice.results([cancelled], 90_000))[0]).toMatchObject({ attempt: 2, outcome: { class: "ok" } });
    const [requeued = ""] = await alice.submit("meddled", once(alice, "requeued"));
    await until(() => alice.lines("requeued").length > 0, "the task to start", 60_000, 200);
    const [{ id = "" } = {}] = running("meddled");
    slurm("scontrol", "requeue", id);
    expect((await alice.results([requeued], 150_000))[0]).toMatchObject({ attempt: 2, outcome: { class: "ok" } });
    expect(jobsOf("meddled").length).toBe(2);
  });

  story("a node set DOWN, and one that loses power: its task runs again in another block", async (alice) => {
    await alice.endpoint("frail", { max_blocks: 1 });
    const [downed = ""] = await alice.submit("frail", once(alice, "downed"));
    await until(() => alice.lines("downed").length > 0, "the task to start", 60_000, 200);
    const [{ id = "", nodes: first = "" } = {}] = running("frail");
    slurm("scontrol", "update", `node=${first}`, "state=down", "reason=test");
    const [moved] = await alice.results([downed], 90_000);
    expect(moved).toMatchObject({ attempt: 2, outcome: { class: "ok" } });
    // Not "on another node": a healthy one is taken back as soon as Slurm hears of it, and may serve the next block.
    expect(running("frail").map((job) => job.id)).not.toContain(id);
    expect(jobsOf("frail").find((job) => job.id === id)?.state).toBe("NODE_FAIL");
    const [dark = ""] = await alice.submit("frail", once(alice, "dark"));
    await until(() => alice.lines("dark").length > 0, "the task to start", 60_000, 200);
    const [{ nodes: second = "" } = {}] = running("frail");
    power("fail", second);
    const [saved] = await alice.results([dark], 120_000);
    expect(saved).toMatchObject({ attempt: 2, outcome: { class: "ok" } });
    expect(saved?.host).not.toBe(second);
    power("boot", second);
  });

  story(
    "a wrong partition: paused after three refusals, and the waiting client hears why within 5 s",
    async (alice) => {
      await alice.endpoint("wrong", { partition: "nowhere" });
      const child = alice.world.start(["run", "--endpoint", "wrong", "--", "hostname"]);
      const heard = hear(child.stderr, "invalid partition");
      await until(() => refusals(alice, "wrong") === 3, "the third refusal", 90_000, 100);
      const third_ms = performance.now();
      const words = await heard;
      expect(performance.now() - third_ms).toBeLessThan(5000);
      expect(words).toContain("paused: 3 submissions in a row were refused");
      const { stdout } = await alice.run(["endpoint", "status", "wrong"]);
      expect(stdout).toContain("invalid partition");
      child.kill("SIGKILL");
      expect(jobsOf("wrong")).toEqual([]);
    },
  );

  story("a worker_init that fails: three blocks at most, and the waiting client hears why", async (alice) => {
    await alice.endpoint("barren", { worker_init: "echo no such module >&2; exit 1", max_blocks: 4 });
    const child = alice.world.start(["run", "--endpoint", "barren", "--", "hostname"]);
    const words = await hear(child.stderr, "worker_init ended with exit code 1");
    expect(words).toContain("no such module");
    child.kill("SIGKILL");
    await alice.submit("barren", "true", 50);
    const why = async (): Promise<string> => (await alice.run(["why", "last"])).stdout;
    await until(async () => (await why()).includes("worker_init ended with exit code 1"), "the reason", 20_000, 200);
    // That nothing more is submitted has no event of its own.
    await Bun.sleep(12_000);
    expect(jobsOf("barren").length).toBeLessThanOrEqual(3);
  });

  story("two endpoints of one user leave each other's blocks alone, and a stop leaves no job", async (alice) => {
    await alice.endpoint("castor", {});
    await alice.endpoint("pollux", { min_blocks: 1 });
    const ids = await Promise.all(["castor", "pollux"].map((name) => alice.submit(name, "hostname")));
    for (const answer of await alice.results(ids.flat(), 60_000)) expect(answer.host).toMatch(/^node\d\d$/);
    const before = running("pollux").map(({ id }) => id);
    await alice.world.gc(["endpoint", "stop", "castor"]);
    expect(living("castor")).toEqual([]);
    expect(running("pollux").map(({ id }) => id)).toEqual(before);
    expect(alice.world.daemons("endpoint").map(({ about }) => about)).not.toContain("castor");
  });

  story("blocks are listed, and kept or given back as their owner says", async (alice) => {
    await alice.endpoint("tuned", { max_blocks: 2, max_idletime: "10m" });
    const blocks = async () => {
      const text = await alice.world.gc(["endpoint", "blocks", "tuned", "--json"]);
      return (JSON.parse(text) as { blocks: { [key: string]: string | number }[] }).blocks;
    };
    await alice.world.gc(["endpoint", "scale", "tuned", "1"]);
    const up = await until(async () => (await blocks()).find((one) => one.workers === 1), "a worker", 60_000, 500);
    expect(up).toMatchObject({ job: running("tuned")[0]?.id, nodes: 1, walltime_s: 3600, running: 0 });
    expect((await alice.run(["endpoint", "scale", "tuned", "3"])).code).toBe(64);
    await alice.world.gc(["endpoint", "scale", "tuned", "0"]);
    await until(() => living("tuned").length === 0, "the block to be given back", 30_000, 500);
  });

  story("a block of two nodes has a worker on each", async (alice) => {
    await alice.endpoint("wide", { nodes_per_block: 2, max_workers_per_node: 1 });
    const answers = await alice.results(await alice.submit("wide", "sleep 3; hostname", 4), 60_000);
    expect(hosts(answers).size).toBe(2);
    expect(jobsOf("wide").length).toBe(1);
  });

  story("an endpoint that is killed finds its four blocks and forty tasks again", async (alice) => {
    await alice.endpoint("steady", { max_blocks: 4, max_workers_per_node: 10, cores_per_worker: 0.2 });
    const go = join(alice.folder, "go");
    const script = `echo "$GC_TASK_UUID" >>${alice.folder}/steady; while ! test -e ${go}; do sleep 0.5; done; hostname`;
    forty = await alice.submit("steady", script, 40);
    await until(() => alice.lines("steady").length === 40, "forty tasks to run", 90_000, 500);
    const before = running("steady").map(({ id }) => id);
    expect(before.length).toBe(4);
    kill((await alice.processOf("steady")).pid);
    await until(() => alice.world.daemons("endpoint").every(({ about }) => about !== "steady"), "its end");
    await alice.start("steady");
    await until(async () => (await statusOf(alice, "steady")).running === 40, "all tasks to be found", 30_000, 500);
    expect(running("steady").map(({ id }) => id)).toEqual(before);
    expect(alice.lines("steady").length).toBe(40);
  });

  last(
    "a controller that is away for a minute costs nothing: nothing is declared dead, nothing runs twice",
    async (alice) => {
      const before = running("steady").map(({ id }) => id);
      await withoutController(60_000, async () => {
        await until(() => alice.log("steady").includes("Unable to contact slurm"), "a look in vain", 60_000, 500).catch(
          () => {},
        );
        expect((await statusOf(alice, "steady")).running).toBe(40);
      });
      expect(running("steady").map(({ id }) => id)).toEqual(before);
      expect((await statusOf(alice, "steady")).running).toBe(40);
      writeFileSync(join(alice.folder, "go"), "");
      const answers = await alice.results(forty, 60_000);
      expect(answers.map(({ outcome, attempt }) => [outcome.class, attempt])).toEqual(forty.map(() => ["ok", 1]));
      expect(hosts(answers).size).toBe(4);
      expect(alice.lines("steady").sort()).toEqual([...forty].sort());
      await alice.world.gc(["endpoint", "stop", "steady"]);
      expect(living("steady")).toEqual([]);
    },
  );
}

async function statusOf(alice: Alice, name: string): Promise<{ running: number }> {
  return JSON.parse((await alice.run(["endpoint", "status", name, "--json"])).stdout) as { running: number };
}

function refusals(alice: Alice, name: string): number {
  return alice
    .log(name)
    .split("\n")
    .filter((line) => /block\.sent .*is=rejected/.test(line)).length;
}

/** Reads until `words` have come; returns all that came. */
async function hear(stream: ReadableStream<Uint8Array>, words: string): Promise<string> {
  const decoder = new TextDecoder();
  let text = "";
  for await (const bytes of stream) {
    text += decoder.decode(bytes, { stream: true });
    if (text.includes(words)) return text;
  }
  throw new Error(`It said only: ${text}`);
}
