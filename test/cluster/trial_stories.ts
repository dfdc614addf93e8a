/** Endpoints that are tried before anybody relies on them (`gc endpoint test`). */
import { expect } from "bun:test";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { until } from "../e2e/until.ts";
import { jobsOf, living } from "./slurm.ts";
import type { Stage } from "./stage.ts";

/** Tells the stories of trials. */
export function trialStories({ story }: Stage): void {
  story(
    "an endpoint is tried in a small block, and one that does not work says why; nothing is left behind",
    async (alice) => {
      const flags = ["--scheduler", "slurm", "--partition", "batch", "--shared", "--cores-per-node", "1"];
      // The configuration of which the page about Slurm says that it was run.
      const page = readFileSync(join(import.meta.dir, "../../docs/guides/schedulers/slurm.md"), "utf8");
      const [, yaml = ""] = page.match(/```yaml\n([^`]*)```/) ?? [];
      const from = join(alice.folder, "slurm_page.yaml");
      writeFileSync(from, yaml);
      await alice.world.gc(["endpoint", "configure", "tried", "--from", from]);
      const { code, stdout } = await alice.run(["endpoint", "test", "tried", "--timeout", "2m", "--json"]);
      expect(JSON.parse(stdout)).toMatchObject({
        ok: true,
        engine: "slurm",
        block: { job: jobsOf("tried")[0]?.id },
        reached: { by: "tcp", address: expect.stringMatching(/^[0-9a-f.:]+$/), port: expect.any(Number) },
        node: { hostname: expect.stringMatching(/^node\d+$/), cores: expect.any(Number) },
        wrong: [],
      });
      expect(code).toBe(0);
      writeFileSync(from, yaml.replace(/^engine:\n/, "engine:\n  reach: [shared]\n"));
      await alice.world.gc(["endpoint", "configure", "aside", "--from", from]);
      const shared = await alice.run(["endpoint", "test", "aside", "--timeout", "2m", "--json"]);
      expect(JSON.parse(shared.stdout)).toMatchObject({ ok: true, reached: { by: "shared" } });
      const init = ["--worker-init", "echo no such module >&2; exit 3"];
      await alice.world.gc(["endpoint", "configure", "untried", ...flags, ...init]);
      const failed = await alice.run(["endpoint", "test", "untried", "--timeout", "2m", "--json"]);
      expect(failed.code).toBe(1);
      expect(JSON.parse(failed.stdout)).toMatchObject({
        ok: false,
        block: { state: "over" },
        wrong: [expect.stringContaining("The block ended before it answered")],
        stderr: expect.stringContaining("no such module\nworker_init ended with exit code 3 on node"),
      });
      for (const name of ["tried", "aside", "untried"]) {
        await until(() => living(name).length === 0, "the end of the probe's block", 30_000, 500);
        expect(jobsOf(name).length).toBe(1);
        expect(existsSync(join(alice.dirOf(name), "test"))).toBe(false);
      }
    },
  );
}
