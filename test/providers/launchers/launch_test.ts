/** What each launcher writes, and that its lines start one process on each node, on stand-ins for the real programs. */
import { describe, expect, test } from "bun:test";
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { launch } from "../../../providers/launchers/launch.ts";
import { openProvider } from "../../../providers/provider.ts";
import { profileOf } from "../../../providers/schedulers.ts";
import { plain } from "../golden_cases.ts";
import { siteOf } from "../sites.ts";

const facts = { scheduler: "slurm", nodes: 2, node_path: "/b/node.sh" } as const;

describe("launch()", () => {
  test("gives srun's worker step no cores and memory of its own, so that tasks can start steps", () => {
    const { lines, passes_signals } = launch({ type: "srun" }, facts);
    expect(lines.join("\n")).toContain("--overlap --mem=0");
    expect(lines.join("\n")).toContain("--kill-on-bad-exit=0 --wait=0");
    // SIGTERM to srun kills its ranks at once.
    expect(passes_signals).toBe(false);
  });

  test("puts the user's options before the command", () => {
    expect(launch({ type: "srun", overrides: "-c 128 --x='a b'" }, facts).lines[0]).toEndWith(
      " -c 128 '--x=a b' /bin/bash /b/node.sh",
    );
  });

  test("asks mpiexec whose it is, unless that is known", () => {
    expect(launch({ type: "mpiexec" }, facts).lines[0]).toStartWith('case "$(mpiexec --version');
    const pals = launch({ type: "mpiexec", flavour: "pals" }, facts).lines;
    expect(pals).toEqual(['exec mpiexec -n 2 --ppn 1 --hostfile "$GC_HOSTS" --cpu-bind none /bin/bash /b/node.sh']);
  });

  test("refuses a wrapper of nothing and options with an open quote, by name", () => {
    expect(() => launch({ type: "wrapped" }, facts)).toThrow('"launcher.prepend"');
    expect(() => launch({ type: "srun", overrides: "'x" }, facts)).toThrow('"launcher.overrides"');
  });
});

/** Runs the script of a block with programs in its path that only write down how they were called. */
function run(
  scheduler: "pbspro" | "openlava" | "gridengine" | "slurm",
  launcher: string,
  env: { [name: string]: string },
) {
  const dir = mkdtempSync(join(tmpdir(), "gc-launch-"));
  try {
    const bin = join(dir, "bin");
    const block_dir = join(dir, "block");
    mkdirSync(bin);
    mkdirSync(block_dir);
    const stub = `#!/bin/bash\necho "$(basename "$0") $*" >>"${dir}/calls"\n`;
    for (const name of ["pbsdsh", "qrsh", "mpirun", "blaunch"]) writeFileSync(join(bin, name), stub, { mode: 0o755 });
    writeFileSync(join(dir, "nodes"), "n1\nn1\nn2\nn3\nn3\n");
    writeFileSync(join(dir, "pe"), "n1 2 q@n1 UNDEFINED\nn2 2 q@n2 UNDEFINED\n");
    const profile = profileOf(scheduler);
    const request = {
      ...plain,
      block_dir,
      stdout_path: join(block_dir, "stdout"),
      stderr_path: join(block_dir, "stderr"),
      launcher: { type: launcher as "pbsdsh" },
      worker: ["sh", "-c", "echo from the worker; exit 7"],
      ...(scheduler === "gridengine" ? { parallel_environment: "mpi" } : {}),
    };
    const { files, text } = openProvider(profile, siteOf(profile)).render(request);
    for (const file of files) {
      writeFileSync(file.path, file.text);
      chmodSync(file.path, file.mode);
    }
    const known = Object.fromEntries(Object.entries(env).map(([key, value]) => [key, value.replace("DIR", dir)]));
    const PATH = `${bin}:/usr/bin:/bin`;
    const { exitCode } = Bun.spawnSync(["bash"], { stdin: Buffer.from(text), env: { PATH, ...known }, cwd: dir });
    const read = (path: string) => {
      try {
        return readFileSync(path, "utf8").replaceAll(block_dir, "BLOCK");
      } catch {
        return "";
      }
    };
    const calls = read(join(dir, "calls")).split("\n").filter(Boolean).sort();
    return { exitCode, calls, hosts: read(join(block_dir, "hosts")), left: read(join(block_dir, "exit_code")) };
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}

describe("the script of a block, run by bash", () => {
  test("starts pbsdsh once for each node, by the place of its first line in the node file", () => {
    const { calls, exitCode } = run("pbspro", "pbsdsh", { PBS_NODEFILE: "DIR/nodes" });
    expect(calls).toEqual([0, 2, 3].map((at) => `pbsdsh -n ${at} -- /bin/bash -l BLOCK/node.sh`));
    expect(exitCode).toBe(0);
  });

  test("starts qrsh once for each host of the parallel environment", () => {
    const { calls, hosts } = run("gridengine", "qrsh", { PE_HOSTFILE: "DIR/pe" });
    expect(calls).toEqual(["n1", "n2"].map((host) => `qrsh -inherit -nostdin ${host} /bin/bash -l BLOCK/node.sh`));
    expect(hosts).toBe("n1\nn2\n");
  });

  test("leaves out the node of LSF on which only the script runs", () => {
    const { calls } = run("openlava", "blaunch", { LSB_MCPU_HOSTS: "batch1 1 n1 42 n2 42 " });
    expect(calls).toEqual(["blaunch -z n1 n2  /bin/bash -l BLOCK/node.sh"]);
    expect(run("openlava", "blaunch", { LSB_MCPU_HOSTS: "n1 2 n2 2" }).hosts).toBe("n1\nn2\n");
  });

  test("runs the worker itself where there is one node, ends as it ends, and leaves its exit code", () => {
    const { exitCode, left, calls } = run("slurm", "single", {});
    expect({ exitCode, left, calls }).toEqual({ exitCode: 7, left: "7\n", calls: [] });
  });
});
