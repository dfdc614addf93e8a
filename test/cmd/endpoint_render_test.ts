/** render: the script of a block, from a configuration in either form, on a machine without a scheduler. */
import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { Place } from "./command_line.ts";

let place: Place;
beforeEach(async () => {
  place = new Place();
  await place.gc(["endpoint", "configure", "lab"]);
});
afterEach(() => place.remove());

const configure = (text: string) => writeFileSync(join(place.home, "endpoints/lab/config.yaml"), text);

describe("gc endpoint render", () => {
  test("prints script, node script and submission of a block on Slurm", async () => {
    configure(
      "engine: {type: batch, scheduler: slurm, partition: debug, nodes_per_block: 2, worker_init: module load x}",
    );
    const { code, stdout, stderr } = await place.gc(["endpoint", "render", "lab"]);
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    expect(stdout).toStartWith("#!/bin/bash\n#SBATCH --job-name=gc000000000000\n");
    expect(stdout).toContain("#SBATCH --partition=debug\n");
    expect(stdout).toContain("exec srun --nodes=2 ");
    expect(stdout).toContain("\nmodule load x\n");
    expect(stdout).toContain("# Submitted by: sbatch --parsable ");
  });

  test("gives the script alone when quiet, and says what of a foreign configuration means nothing", async () => {
    configure("engine: {type: GlobusComputeEngine, encrypted: true, provider: {type: PBSProProvider, queue: q1}}");
    const { code, stdout } = await place.gc(["endpoint", "render", "lab", "--quiet"]);
    expect(code).toBe(0);
    expect(stdout).toStartWith("#!/bin/bash\n#PBS -N gc000000000000\n");
    expect(stdout).toEndWith('exit "$gc_code"\n');
    expect((await place.gc(["endpoint", "render", "lab"])).stderr).toContain("Without a meaning in gc: encrypted");
  });

  test("refuses an engine without scripts, and a value that the scheduler cannot be told", async () => {
    expect(await place.gc(["endpoint", "render", "lab"])).toMatchObject({ code: 78, stdout: "" });
    configure("engine: {type: batch, scheduler: pbspro, qos: high}");
    const { code, stderr } = await place.gc(["endpoint", "render", "lab"]);
    expect(code).toBe(78);
    expect(stderr).toContain('"qos" means nothing to PBS Pro');
  });
});
