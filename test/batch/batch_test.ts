/**
 * Endpoints on fakes of six batch schedulers, whose commands are processes and whose jobs are too: from nothing to two
 * blocks and back, a stop that leaves no job, and what may befall an answer. All stories are told side by side.
 */
// time limit: 240 s
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { existsSync, readFileSync } from "node:fs";
import { until } from "../e2e/until.ts";
import type { FakeName } from "../fakes/fake_cluster.ts";
import type { Fault } from "../fakes/faults.ts";
import { type Lab, Site, submitTo } from "./site.ts";

const limit_ms = 200_000;
const fakes: readonly FakeName[] = ["pbspro", "torque", "lsf", "openlava", "cobalt", "gridengine"];
const cancels = { pbspro: "qdel", torque: "qdel", lsf: "bkill", openlava: "bkill", cobalt: "qdel", gridengine: "qdel" };

describe("an endpoint on a batch scheduler", () => {
  let site: Site;
  const stories = new Map<string, Promise<void>>();

  /** A story begins at once with the others; its test waits for it. */
  const story = (name: string, tell: () => Promise<void>): void => {
    beforeAll(() => {
      const told = tell();
      told.catch(() => {});
      stories.set(name, told);
    });
    test(name, () => stories.get(name), limit_ms);
  };

  beforeAll(async () => {
    site = await Site.open();
  }, 60_000);

  afterAll(() => site?.close(), 60_000);

  for (const name of fakes) {
    story(`${name}: from nothing to two blocks and back, and a stop leaves no job`, async () => {
      const lab = await site.endpoint(name, name, { nodes: 2 }, ["--max-blocks", "2", "--max-idletime", "2s"]);
      expect(lab.fake.jobs()).toEqual([]);
      // Each waits for the other, so both blocks run at once.
      const both = site.fileOf(`${name}.both`);
      const meet = `echo "$GC_TASK_UUID" >>${both}; until test "$(wc -l <${both})" = 2; do sleep 0.1; done; echo met`;
      const answers = await site.results(await lab.submit(meet, 2));
      expect(answers.map(({ outcome, stdout }) => `${outcome.class} ${stdout.text}`)).toEqual(["ok met\n", "ok met\n"]);
      expect(lab.fake.jobs().length).toBe(2);
      expect(lab.fake.jobs().every((job) => /^gc[a-z0-9]{12}$/.test(job.name))).toBe(true);
      await until(() => lab.fake.living().length === 0, "idle blocks to be given back", limit_ms, 200);
      expect(lab.fake.jobs().map(({ end }) => end)).toMatchObject([
        { code: 0, cause: "own" },
        { code: 0, cause: "own" },
      ]);

      const started = site.fileOf(`${name}.started`);
      const other = lab.occupy();
      await lab.submit(`touch ${started}; sleep 600`, 2);
      await until(() => existsSync(started), "a task in a new block", limit_ms, 100);
      await until(() => lab.fake.living().length === 3, "a block that waits", limit_ms, 100);
      const [, { pid = 0, name: block = "" } = {}] = lab.fake.running();
      expect(await lab.blocks()).toMatchObject([{ name: block, state: "running", workers: 1, running: 1 }, {}, {}, {}]);
      await lab.stop();
      expect(lab.fake.living().map(({ seq }) => seq)).toEqual([other]);
      expect(lab.fake.queue.runs(cancels[name]).length).toBeGreaterThan(0);
      expect(existsSync(`/proc/${pid}`)).toBe(false);
      expect(lab.fake.jobs().length).toBe(5);
      expect(lab.log()).not.toContain("paused");
    });
  }

  const one = ["--max-idletime", "2s"];

  const launchers = { pbspro: "pbsdsh", torque: "pbsdsh", lsf: "blaunch", gridengine: "qrsh" } as const;
  for (const [scheduler, launcher] of Object.entries(launchers) as [keyof typeof launchers, string][]) {
    story(`${scheduler}: a block of two nodes has a worker on each, by ${launcher}`, async () => {
      const flags = [...one, "--nodes-per-block", "2", "--launcher", launcher];
      const lines = scheduler === "gridengine" ? "  parallel_environment: mpi" : "";
      const lab = await site.endpoint(`wide-${scheduler}`, scheduler, {}, flags, lines);
      const both = site.fileOf(`wide-${scheduler}.both`);
      const meet = `echo "$HOSTNAME" >>${both}; until test "$(wc -l <${both})" = 2; do sleep 0.1; done; echo met`;
      const answers = await site.results(await lab.submit(meet, 2));
      expect(answers.map(({ outcome, stdout }) => `${outcome.class} ${stdout.text}`)).toEqual(["ok met\n", "ok met\n"]);
      const nodes = readFileSync(both, "utf8").trim().split("\n").sort();
      const [{ hosts = [] } = {}] = lab.fake.jobs();
      expect(nodes).toEqual([...hosts].sort());
      await until(() => lab.fake.living().length === 0, "the block to be given back", limit_ms, 200);
      expect(lab.fake.jobs().map(({ end }) => end)).toMatchObject([{ code: 0, cause: "own" }]);
    });
  }

  story("local: tasks run side by side without any scheduler, and a stop leaves no process", async () => {
    await site.world.gc(["endpoint", "configure", "local", "--yes", "--slots", "2"]);
    await site.world.gc(["endpoint", "start", "--detach", "local"]);
    const both = site.fileOf("local.both");
    const meet = `echo $$ >>${both}; until test "$(wc -l <${both})" = 2; do sleep 0.1; done; echo met`;
    const answers = await site.results(await submitTo(site.world, "local", meet, 2));
    expect(answers.map(({ outcome, stdout }) => `${outcome.class} ${stdout.text}`)).toEqual(["ok met\n", "ok met\n"]);
    const pid = site.fileOf("local.pid");
    await submitTo(site.world, "local", `echo $$ >${pid}; sleep 600`, 1);
    await until(() => existsSync(pid) && readFileSync(pid, "utf8") !== "", "a task that runs", limit_ms, 100);
    await site.world.gc(["endpoint", "stop", "local"]);
    expect(existsSync(`/proc/${readFileSync(pid, "utf8").trim()}`)).toBe(false);
  });

  /** What an endpoint says of its only block when it thinks that it is over. */
  const isOver = async (lab: Lab): Promise<boolean> => (await lab.blocks()).every(({ state }) => state === "over");

  const banner = { is: "banner", lines: ["*** Maintenance on Friday ***", "", "12 jobs DONE, 3 failed"] } as const;
  const renamed = { is: "suffix", of: ".pbshead", instead: ".pbs.site.org" } as const;
  const odd: readonly (readonly [string, FakeName, string, Fault])[] = [
    ["a banner above every list", "lsf", "bjobs", banner],
    ["a banner above every list", "gridengine", "qstat", banner],
    ["a banner above the answer to a submission", "torque", "qsub", banner],
    ["ids that end otherwise than they were given out", "pbspro", "qstat", renamed],
  ];
  for (const [what, scheduler, command, fault] of odd) {
    story(`${scheduler}, found by what its commands say of themselves: ${what} hinders nothing`, async () => {
      const lab = await site.endpoint(`odd-${scheduler}`, scheduler, {}, [...one, "--scheduler", "auto"]);
      expect(lab.config()).toContain(`\n  scheduler: ${scheduler}\n`);
      lab.fake.spoil(command, fault);
      const [answer] = await site.results(await lab.submit("echo done"));
      expect(answer).toMatchObject({ outcome: { class: "ok" }, attempt: 1 });
      await until(() => isOver(lab), "the end of the block to be seen", limit_ms, 1000);
      expect(lab.fake.jobs().map(({ end }) => end)).toMatchObject([{ code: 0, cause: "own" }]);
    });
  }

  story("pbspro: a submission that hangs is found by its name, and its block serves meanwhile", async () => {
    const lab = await site.endpoint("hangs", "pbspro", {}, ["--max-idletime", "10m"]);
    lab.fake.spoil("qsub", { is: "hang" });
    const [answer] = await site.results(await lab.submit("echo done"));
    expect(answer).toMatchObject({ outcome: { class: "ok" }, attempt: 1 });
    const [job] = lab.fake.jobs();
    const known = async () => (await lab.blocks()).some((block) => block.job === `${job?.seq}.pbshead`);
    await until(known, "its id to be learnt", limit_ms, 1000);
    lab.fake.mend();
    await until(() => lab.log().includes("block.sent"), "the end of the submission", limit_ms, 200);
    expect(lab.log()).toContain("is=ambiguous");
    expect(lab.fake.queue.runs("qsub").length).toBe(1);
    await lab.stop();
    expect(lab.fake.living()).toEqual([]);
    expect(lab.fake.jobs().length).toBe(1);
  });

  story(
    "openlava: noise in the place of states ends no block, and its end is seen when the noise is over",
    async () => {
      const lab = await site.endpoint("noise", "openlava", {}, one);
      lab.fake.spoil("bjobs", { is: "garbage" });
      const looks = () => lab.fake.queue.runs("bjobs").length;
      const first = looks();
      const ids = await lab.submit("sleep 6; echo done");
      expect((await site.results(ids))[0]).toMatchObject({ outcome: { class: "ok" }, attempt: 1 });
      await until(() => lab.fake.living().length === 0, "the block to leave", limit_ms, 200);
      await until(() => looks() >= first + 2, "a look at the noise", limit_ms, 200);
      expect(await isOver(lab)).toBe(false);
      lab.fake.mend();
      await until(() => isOver(lab), "the end of the block to be seen", limit_ms, 1000);
      expect(lab.fake.jobs().length).toBe(1);
    },
  );

  story(
    "pbspro: a block that waits and is forgotten is asked for again, once it has been missing for long",
    async () => {
      const lab = await site.endpoint("forgets", "pbspro", { nodes: 1 }, one);
      const other = lab.occupy();
      const ids = await lab.submit("echo done");
      await until(() => lab.fake.living().length === 2, "a block that waits", limit_ms, 100);
      const [, lost] = lab.fake.living();
      lab.fake.forget(lost?.seq ?? 0);
      lab.fake.kill(lost?.seq ?? 0);
      lab.fake.kill(other);
      expect((await site.results(ids))[0]).toMatchObject({ outcome: { class: "ok" }, attempt: 1 });
      const asked = lab.fake.jobs().filter(({ name }) => name.startsWith("gc"));
      expect(asked.length).toBe(2);
      expect((asked[1]?.submitted_ms ?? 0) - (asked[0]?.submitted_ms ?? 0)).toBeGreaterThan(30_000);
    },
  );

  story("gridengine: a block that is killed from outside: its task runs again in another one", async () => {
    const lab = await site.endpoint("killed", "gridengine", {}, one);
    const started = site.fileOf("killed.started");
    const ids = await lab.submit(`test "$GC_TASK_ATTEMPT" != 1 || { touch ${started}; sleep 600; }; echo done`);
    await until(() => existsSync(started), "the task to run", limit_ms, 100);
    lab.fake.kill(lab.fake.running()[0]?.seq ?? 0);
    expect((await site.results(ids))[0]).toMatchObject({ outcome: { class: "ok" }, attempt: 2 });
    expect(lab.fake.jobs().map(({ end }) => end?.cause)[0]).toBe("deleted");
  });

  story("lsf: refused three times, it pauses and the waiting client hears why; resumed, it goes on", async () => {
    const lab = await site.endpoint("refused", "lsf", {}, one);
    lab.fake.spoil("bsub", { is: "refuse", code: 255, stderr: "normal: Queue has been closed. Job not submitted.\n" });
    const child = site.world.start(["run", "--endpoint", "refused", "--", "echo", "done"]);
    const words = await hear(child.stderr, "paused: 3 submissions in a row were refused");
    expect(words).toContain("Queue has been closed");
    expect(lab.fake.queue.runs("bsub").length).toBe(3);
    expect(await site.world.gc(["endpoint", "status", "refused"])).toContain("Queue has been closed");
    lab.fake.mend();
    await site.world.gc(["endpoint", "resume", "refused"]);
    expect(await new Response(child.stdout).text()).toBe("done\n");
    expect(await child.exited).toBe(0);
    expect(lab.fake.jobs().length).toBe(1);
  });
});

/** Reads until `words` have come, and goes on reading to nowhere; returns all that came before. */
async function hear(stream: ReadableStream<Uint8Array>, words: string): Promise<string> {
  const decoder = new TextDecoder();
  const reader = stream.getReader();
  let text = "";
  for (;;) {
    const { done, value } = await reader.read();
    if (done) throw new Error(`It said only: ${text}`);
    text += decoder.decode(value, { stream: true });
    if (text.includes(words)) break;
  }
  reader.releaseLock();
  void stream.pipeTo(new WritableStream());
  return text;
}
