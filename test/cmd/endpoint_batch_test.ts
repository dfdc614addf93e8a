/** `gc endpoint configure` for blocks of a batch scheduler: by flags, by detection, by a configuration that is
 * ready. */
import { afterEach, beforeEach, expect, test } from "bun:test";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { Place } from "./command_line.ts";

let place: Place;
beforeEach(() => {
  place = new Place();
});
afterEach(() => place.remove());

const configOf = (name: string): string => readFileSync(join(place.home, "endpoints", name, "config.yaml"), "utf8");

test("flags become a configuration that renders a script", async () => {
  const flags = ["--scheduler", "slurm", "--partition", "batch", "--account", "proj", "--walltime", "1h30m"];
  const more = ["--nodes-per-block", "2", "--max-blocks", "4", "--shared", "--scheduler-option=--comment=x"];
  expect((await place.gc(["endpoint", "configure", "hpc", ...flags, ...more])).code).toBe(0);
  expect(configOf("hpc")).toContain("\n  scheduler: slurm\n");
  const { code, stdout } = await place.gc(["endpoint", "render", "hpc"]);
  expect(code).toBe(0);
  for (const line of ["--nodes=2", "--time=90", "--partition=batch", "--account=proj", "--comment=x"]) {
    expect(stdout).toContain(`#SBATCH ${line}\n`);
  }
  expect(stdout).not.toContain("--exclusive");
});

test("flags of both kinds contradict each other", async () => {
  const ran = await place.gc(["endpoint", "configure", "hpc", "--partition", "x", "--slots", "2"]);
  expect(ran).toMatchObject({ code: 64 });
  expect(ran.stderr).toContain("--slots is for tasks on this machine");
});

test("a scheduler that nobody knows, and one that does not answer, are told", async () => {
  const unknown = await place.gc(["endpoint", "configure", "hpc", "--scheduler", "slrum"]);
  expect(unknown.code).toBe(64);
  expect(unknown.stderr).toContain("slurm");
  const env = { PATH: "/nonexistent-directory" };
  const none = await place.gc(["endpoint", "configure", "hpc", "--scheduler", "auto"], { env });
  expect(none.code).toBe(66);
  expect(none.stderr).toContain("No batch scheduler answers");
});

test("a configuration of Globus Compute is taken as it is; a mistake in it has a line and a column", async () => {
  const path = join(place.dir, "given.yaml");
  const text = [
    "engine:",
    "  type: GlobusComputeEngine",
    "  provider:",
    "    type: SlurmProvider",
    "    partition: debug",
    "    launcher: {type: SrunLauncher}",
    "    max_blocks: 2",
    "",
  ].join("\n");
  writeFileSync(path, text);
  expect((await place.gc(["endpoint", "configure", "site", "--from", path])).code).toBe(0);
  expect(configOf("site")).toBe(text);
  const shown = JSON.parse((await place.gc(["endpoint", "show", "site", "--json"])).stdout);
  expect(shown.config.engine).toMatchObject({ scheduler: "slurm", partition: "debug", blocks: { max: 2 } });
  writeFileSync(path, text.replace("max_blocks", "max_blcks"));
  const wrong = await place.gc(["endpoint", "configure", "wrong", "--from", path]);
  expect(wrong.code).toBe(78);
  expect(wrong.stderr).toContain("max_blcks");
  expect(wrong.stderr).toMatch(/given\.yaml.*7.*5/s);
});
