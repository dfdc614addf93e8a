/**
 * Endpoints on fakes of six batch schedulers, whose commands are processes and whose jobs are too: from nothing to two
 * blocks and back, a stop that leaves no job, and what may befall an answer. All stories are told side by side.
 */
// time limit: 90 s
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { existsSync } from "node:fs";
import { until } from "../e2e/until.ts";
import type { FakeName } from "../fakes/fake_cluster.ts";
import { Site } from "./site.ts";

const limit_ms = 85_000;
const fakes: readonly FakeName[] = ["pbspro", "torque", "lsf", "openlava", "cobalt", "gridengine"];

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
      await lab.submit(`touch ${started}; sleep 600`);
      await until(() => existsSync(started), "a task in a new block", limit_ms, 100);
      const [{ pid = 0, name: block = "" } = {}] = lab.fake.running();
      expect(await lab.blocks()).toMatchObject([{ name: block, state: "running", workers: 1, running: 1 }, {}, {}]);
      await lab.stop();
      expect(lab.fake.living()).toEqual([]);
      expect(existsSync(`/proc/${pid}`)).toBe(false);
      expect(lab.fake.jobs().length).toBe(3);
      expect(lab.log()).not.toContain("paused");
    });
  }
});
