/** Programs of several ranks on one machine, with an mpiexec that starts its ranks side by side and nothing else. */
import { afterEach, describe, expect, test } from "bun:test";
import { existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TaskSpec } from "../../core/schema/task.ts";
import { mpiexec } from "./fake_mpiexec.ts";
import { newTid, Rig, type RigOptions } from "./rig.ts";

describe("a program of several ranks", () => {
  let rig: Rig;
  let bin = "";
  afterEach(async () => {
    await rig.close();
    rmSync(bin, { recursive: true, force: true });
  });

  async function rigWith(options: RigOptions = {}): Promise<void> {
    bin = mkdtempSync(join(tmpdir(), "gc-program-"));
    writeFileSync(join(bin, "mpiexec"), mpiexec, { mode: 0o755 });
    // Nothing of this machine's MPI: only what a shell needs.
    for (const name of ["sh", "date", "uname", "mv", "cat", "sleep", "sort", "stat", "ls", "echo", "env", "kill"]) {
      const path = Bun.which(name);
      if (path !== null) writeFileSync(join(bin, name), `#!/bin/sh\nexec ${path} "$@"\n`, { mode: 0o755 });
    }
    rig = await Rig.start({ ...options, env: { PATH: bin, ...options.env } });
  }

  async function run(spec: TaskSpec, nodes?: string[]) {
    const tid = newTid();
    rig.send({
      t: "run",
      lots: [{ base: spec, tasks: [{ tid, attempt: 1, ...(nodes === undefined ? {} : { nodes }) }] }],
    });
    return rig.result(tid);
  }

  test("starts its command on each rank, and tells it where it is", async () => {
    await rigWith();
    const line = 'echo "$PMI_RANK of $GC_RANKS on $GC_NUM_NODES"';
    const result = await run({ argv: ["sh", "-c", line], resources: { ranks: 3 } });
    expect(result.outcome).toMatchObject({ class: "ok", exit_code: 0 });
    expect((result.stdout.text ?? "").trim().split("\n").sort()).toEqual(["0 of 3 on 1", "1 of 3 on 1", "2 of 3 on 1"]);
  });

  test("leaves the start of ranks to a script, which has the words for it under both names", async () => {
    await rigWith();
    const script =
      'echo before; $GC_MPI_PREFIX sh -c "echo rank"; test "$PARSL_MPI_PREFIX" = "$GC_MPI_PREFIX" && echo same';
    const { stdout } = await run({ script, resources: { ranks_per_node: 2 } });
    expect(stdout.text).toBe("before\nrank\nrank\nsame\n");
  });

  test("has a host file that is its user's alone, and goes with it", async () => {
    await rigWith();
    const script = 'stat -c %a "$GC_HOSTFILE"; echo "$GC_HOSTFILE"';
    const { stdout } = await run({ script, resources: { ranks: 2 } });
    const [mode = "", path = ""] = (stdout.text ?? "").split("\n");
    expect(mode).toBe("600");
    expect(existsSync(path)).toBe(false);
    expect(readdirSync(rig.path("w", "programs"))).toEqual([]);
  });

  test("fails with the rank, the node and the code of the first rank that failed", async () => {
    await rigWith();
    const line = 'test "$PMI_RANK" = 1 && exit 3; sleep 0.3; test "$PMI_RANK" != 2 || exit 4';
    const { outcome } = await run({ argv: ["sh", "-c", line], resources: { ranks: 3 } });
    expect(outcome).toMatchObject({ class: "fail", cause: "exit", exit_code: 3 });
    expect(outcome.reason).toMatch(/^Rank 1 on \S+ exited with 3$/);
  });

  test("keeps the exit code of a script, and names the rank all the same", async () => {
    await rigWith();
    const script = '$GC_MPI_PREFIX sh -c "exit 5"; exit 9';
    const { outcome } = await run({ script, resources: { ranks: 1 } });
    expect(outcome).toMatchObject({ class: "fail", exit_code: 9 });
    expect(outcome.reason).toContain("Rank 0 on");
  });

  test("ends every rank at its walltime", async () => {
    await rigWith();
    const pids = rig.path("pids");
    const line = `echo $$ >>${pids}; exec sleep 600`;
    const { outcome } = await run({ argv: ["sh", "-c", line], resources: { ranks: 3 }, walltime_s: 1, grace_s: 5 });
    expect(outcome).toMatchObject({ cause: "walltime", exit_code: 124 });
    const ranks = (await Bun.file(pids).text()).trim().split("\n");
    expect(ranks).toHaveLength(3);
    for (const pid of ranks) expect(existsSync(`/proc/${pid}`)).toBe(false);
  });

  test("is refused without as many nodes as it needs, and with numbers that contradict each other", async () => {
    await rigWith();
    const few = await run({ argv: ["true"], resources: { nodes: 2 } });
    expect(few.outcome.reason).toContain("needs 2 nodes and was given 1");
    const odd = await run({ argv: ["true"], resources: { nodes: 2, ranks: 3 } }, ["a", "b"]);
    expect(odd.outcome.reason).toContain("3 ranks cannot be shared out evenly over 2 nodes");
  });

  test("says which launcher is missing, and where", async () => {
    await rigWith({ file: { mpi: { launcher: "srun" } } });
    const { outcome } = await run({ argv: ["true"], resources: { ranks: 2 } });
    expect(outcome).toMatchObject({ class: "fail", cause: "spawn", exit_code: 127 });
    expect(outcome.reason).toContain('The MPI launcher "srun" was not found');
  });

  test("does not pass on what the launcher of the worker left in its environment", async () => {
    await rigWith({ env: { PMI_RANK: "7", OMPI_COMM_WORLD_RANK: "7", OMPI_MCA_btl: "tcp" } });
    const script = 'echo "[$PMI_RANK][$OMPI_COMM_WORLD_RANK][$OMPI_MCA_btl]"';
    const { stdout } = await run({ script, resources: { ranks: 2 } });
    expect(stdout.text).toBe("[][][tcp]\n");
  });
});
