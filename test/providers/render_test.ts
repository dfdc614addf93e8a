/**
 * The scripts of blocks, word for word. To write them anew after a wanted change: GC_WRITE_GOLDEN=1 bun test
 * test/providers/render_test.ts; then read the difference.
 */
import { describe, expect, test } from "bun:test";
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { optionLines } from "../../providers/block_request.ts";
import { openProvider } from "../../providers/provider.ts";
import { schedulers } from "../../providers/schedulers.ts";
import { casesOf, plain } from "./golden_cases.ts";
import { directivesSeen } from "./reading_rules.ts";
import { siteOf } from "./sites.ts";

const rewrite = process.env.GC_WRITE_GOLDEN === "1";

function golden(path: string, text: string): void {
  if (rewrite) writeFileSync(path, text);
  expect(existsSync(path) ? readFileSync(path, "utf8") : "").toBe(text);
}

for (const profile of Object.values(schedulers)) {
  describe(profile.title, () => {
    const provider = openProvider(profile, siteOf(profile));
    const folder = join(import.meta.dir, "golden", profile.name);
    if (rewrite) mkdirSync(folder, { recursive: true });

    for (const [name, request] of casesOf(profile)) {
      const { files, text, submit } = provider.render(request);
      test(`render() writes the script "${name}"`, () => {
        const fed = submit.stdin === text ? " < block.sh" : "";
        golden(join(folder, `${name}.sh`), `${text}# Submitted by: ${submit.argv.join(" ")}${fed}\n`);
        if (request.worker_init !== undefined || request.worker !== plain.worker || name === "pbsdsh") {
          golden(join(folder, `${name}.node.sh`), files[0]?.text ?? "");
        }
      });

      test(`the scheduler finds exactly our directives in "${name}"`, () => {
        const users = optionLines(request.scheduler_options ?? [], profile.script.prefix);
        const ours = profile.directives(request);
        const wanted = profile.script.wins === "first" ? [...users, ...ours] : [...ours, ...users];
        expect(directivesSeen(text, profile.script)).toEqual(wanted);
        const all = text.split("\n").filter((line) => line.trimStart().startsWith(profile.script.prefix));
        expect(all.length).toBe(wanted.length);
      });

      test(`bash reads both scripts of "${name}"`, () => {
        for (const file of files) {
          const { exitCode, stderr } = Bun.spawnSync(["bash", "-n"], { stdin: Buffer.from(file.text) });
          expect(`${file.path} ${exitCode} ${stderr}`).toBe(`${file.path} 0 `);
        }
      });
    }

    test("there are at least twelve golden scripts, and none without its case", () => {
      const names = readdirSync(folder).map((file) => file.replace(/(\.node)?\.sh$/, ""));
      const known = new Set(casesOf(profile).map(([name]) => name));
      expect(new Set(names)).toEqual(known);
      expect(known.size).toBeGreaterThanOrEqual(12);
    });
  });
}
