/**
 * The pages about schedulers: each configuration on them is read as an endpoint reads it, each line of a script that
 * they show is in the script that gc renders, and each says whether it was run. The one of this machine is run here,
 * the one of Slurm on the cluster of `test/cluster`.
 */
import { afterAll, describe, expect, test } from "bun:test";
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { parseEndpointConfig } from "../../core/config/endpoint_config.ts";
import { schedulerNames } from "../../core/schema/batch_engine.ts";
import { blockRequest, blockShape } from "../../providers/block_shape.ts";
import { openProvider } from "../../providers/provider.ts";
import { profileOf } from "../../providers/schedulers.ts";
import { Place } from "./command_line.ts";

const folder = join(import.meta.dir, "../../docs/guides/schedulers");
const pages = readdirSync(folder).sort();

const place = new Place();
afterAll(() => place.remove());

/** Configurations of a page, each with the lines of its script that the page shows. */
function configurationsOf(page: string): { yaml: string; shown: string[] }[] {
  const text = readFileSync(join(folder, page), "utf8");
  return text
    .split("```yaml\n")
    .slice(1)
    .map((part) => {
      const [yaml = "", ...rest] = part.split("```");
      const [, shown = ""] = rest.join("```").match(/^[^`]*```text\n([^`]*)```/) ?? [];
      return { yaml, shown: shown.split("\n").filter((line) => line !== "") };
    });
}

describe("docs/guides/schedulers", () => {
  test("there is a page for every scheduler, and one for none", () => {
    expect(pages).toEqual([...schedulerNames, "local"].map((name) => `${name}.md`).sort());
  });

  for (const page of pages) {
    const name = page.replace(".md", "");

    test(`${page} says of its configuration whether it was run`, () => {
      expect(readFileSync(join(folder, page), "utf8")).toMatch(/\*\*This configuration was (not )?run\*\*/);
    });

    test(`${page}: its configurations load, and their scripts have the lines it shows`, () => {
      const all = configurationsOf(page);
      expect(all.length).toBeGreaterThan(0);
      for (const { yaml, shown } of all) {
        const { engine } = parseEndpointConfig(Buffer.from(yaml), page);
        if (engine.type === "local") {
          expect(name).toBe("local");
          continue;
        }
        expect(engine.scheduler as string).toBe(name);
        const profile = profileOf(engine.scheduler);
        const commands = Object.fromEntries(profile.commands.map((command) => [command, `/usr/bin/${command}`]));
        const request = blockRequest(blockShape(engine), "gc000000000000", "/home/user/blocks/one", ["/usr/bin/gc"]);
        const script = openProvider(profile, { commands }).render(request).text.split("\n");
        expect(shown.length).toBeGreaterThan(0);
        expect(shown.filter((line) => !script.includes(line))).toEqual([]);
      }
    });
  }

  test("local.md: what it says was run is run", async () => {
    const [first] = configurationsOf("local.md");
    mkdirSync(join(place.dir, "tmp"));
    writeFileSync(join(place.dir, "config.yaml"), first?.yaml ?? "");
    const file = join(place.dir, "config.yaml");
    expect((await place.gc(["endpoint", "configure", "page", "--from", file])).code).toBe(0);
    const env = { TMPDIR: join(place.dir, "tmp") };
    const { code, stdout } = await place.gc(["endpoint", "test", "page", "--json"], { env });
    expect({ code, ok: JSON.parse(stdout).ok }).toEqual({ code: 0, ok: true });
  }, 30_000);
});
