/** What each launcher is told for a piece of a block, word for word. */
import { describe, expect, test } from "bun:test";
import { scrubbed } from "../../core/worker/launch_environment.ts";
import { hostLines, type LauncherKind, launchWords, type Piece } from "../../core/worker/launch_lines.ts";
import { kindOf, mpiTypeOf } from "../../core/worker/mpi_site.ts";

const piece: Piece = {
  hosts: ["a", "b"],
  ranks: 8,
  ranks_per_node: 4,
  cores: 2,
  node_cores: 8,
  gpus: 0,
  label: false,
  name: "gc-1",
  hostfile: "/f/hosts",
  options: [],
  local: false,
};

function line(kind: LauncherKind, more: Partial<Piece> = {}, major?: number): string {
  const program = kind === "openmpi" || kind === "hydra" || kind === "pals" ? "mpiexec" : kind;
  return launchWords({ kind, program, ...(major === undefined ? {} : { major }) }, { ...piece, ...more }).join(" ");
}

describe("launchWords()", () => {
  test("names nodes, ranks and cores to srun, and takes no memory away from others", () => {
    expect(line("srun")).toBe(
      "srun --nodes=2 --ntasks=8 --ntasks-per-node=4 --nodelist=a,b --exact --overlap --mem=0 --cpus-per-task=2 " +
        "--kill-on-bad-exit=1 --wait=0 --export=ALL --job-name=gc-1",
    );
    expect(launchWords({ kind: "srun", program: "srun", mpi: "pmix" }, piece)).toContain("--mpi=pmix");
  });

  test("tells each mpiexec in its own words", () => {
    expect(line("openmpi")).toBe("mpiexec -np 8 --hostfile /f/hosts --map-by ppr:4:node --bind-to none --tag-output");
    expect(line("hydra")).toBe("mpiexec -n 8 -ppn 4 -hosts a,b -bind-to none");
    expect(line("pals")).toBe("mpiexec -n 8 --ppn 4 --hosts a,b --depth 2 --cpu-bind depth --line-buffer");
  });

  test("tells aprun numbers of nodes, and jsrun a file of resources", () => {
    expect(line("aprun", { hosts: ["nid00012", "nid00100"] })).toBe("aprun -n 8 -N 4 -L 12,100 -d 2 -cc depth");
    expect(line("jsrun")).toBe("jsrun --erf_input /f/hosts");
  });

  test("lets ranks share cores when a node has too few", () => {
    const more = { ranks_per_node: 16, ranks: 32, cores: 1 };
    expect(line("srun", more)).toContain(" --overcommit ");
    expect(line("openmpi", more)).toContain(" --oversubscribe");
    expect(line("pals", more)).toContain("--cpu-bind none");
  });

  test("labels by rank in each launcher's way", () => {
    const label = { label: true };
    expect(line("srun", label)).toContain(" --label");
    expect(line("openmpi", label, 4)).toContain(" --tag-output");
    expect(line("openmpi", label, 5)).toContain(" --output tag");
    expect(line("hydra", label)).toContain(" -prepend-rank");
  });

  test("names many hosts by a file", () => {
    const hosts = Array.from({ length: 43 }, (_, i) => `n${i}`);
    expect(line("srun", { hosts })).toContain("--nodelist=/f/hosts");
    expect(line("hydra", { hosts })).toContain("-f /f/hosts");
  });

  test("puts the user's own options last, where they win", () => {
    expect(line("srun", { options: ["--mpi=pmi2"] })).toEndWith(" --mpi=pmi2");
  });

  test("names no hosts on this one machine", () => {
    expect(line("openmpi", { hosts: ["a"], local: true })).toBe(
      "mpiexec -np 8 --map-by ppr:4:node --bind-to none --oversubscribe --tag-output",
    );
  });
});

describe("hostLines()", () => {
  test("gives slots to Open MPI, and bare names to the others", () => {
    expect(hostLines("openmpi", piece, [])).toEqual(["a slots=4", "b slots=4"]);
    expect(hostLines("hydra", piece, [])).toEqual(["a", "b"]);
  });

  test("counts the hosts of the block for jsrun from 1, and gives each rank cores of its own", () => {
    const small = { ...piece, hosts: ["b"], ranks: 2, ranks_per_node: 2, gpus: 1 };
    expect(hostLines("jsrun", small, ["a", "b"])).toEqual([
      "cpu_index_using: logical",
      "overlapping-rs: warn",
      "rank: 0: { host: 2; cpu: {0-1}; gpu: {0-0}; }",
      "rank: 1: { host: 2; cpu: {2-3}; gpu: {0-0}; }",
    ]);
  });
});

describe("scrubbed()", () => {
  test("takes out what the worker's own launcher left, and leaves what people set", () => {
    const kept = { SLURM_JOB_ID: "7", SLURM_CONF: "/c", OMPI_MCA_btl: "tcp,self", I_MPI_FABRICS: "shm", HOME: "/h" };
    const gone = {
      ...{ SLURM_NTASKS: "4", SLURM_NTASKS_PER_NODE: "1", SLURM_CPU_BIND: "none", SLURM_MEM_PER_CPU: "2000" },
      ...{ SLURM_PROCID: "1", SLURM_STEP_ID: "0", SLURMD_NODENAME: "a", SRUN_CPUS_PER_TASK: "4" },
      ...{ PMI_RANK: "1", PMIX_RANK: "1", OMPI_COMM_WORLD_RANK: "1", OMPI_MCA_ess_base_jobid: "1", PALS_RANKID: "1" },
    };
    expect(scrubbed({ ...kept, ...gone })).toEqual(kept);
  });
});

describe("kindOf()", () => {
  test("knows whose mpiexec it is from its version text", () => {
    expect(kindOf("mpiexec (OpenRTE) 4.1.4")).toEqual({ kind: "openmpi", major: 4 });
    expect(kindOf("mpirun (Open MPI) 5.0.3")).toEqual({ kind: "openmpi", major: 5 });
    expect(kindOf("prterun (PRRTE) 3.0.2")).toEqual({ kind: "openmpi", major: 5 });
    expect(kindOf("HYDRA build details:\n    Version: 4.0.2")).toEqual({ kind: "hydra" });
    expect(kindOf("Intel(R) MPI Library for Linux* OS, Version 2021.9")).toEqual({ kind: "hydra" });
    expect(kindOf("mpiexec version 1.2.12 PALS")).toEqual({ kind: "pals" });
  });
});

test("mpiTypeOf() prefers PMIx, which is what Open MPI speaks", () => {
  expect(
    mpiTypeOf("MPI plugin types are...\n\tcray_shasta\n\tnone\n\tpmi2\n\tpmix\nspecific pmix plugins: pmix_v4"),
  ).toBe("pmix");
  expect(mpiTypeOf("MPI plugin types are...\n\tnone\n\tpmi2")).toBe("pmi2");
  expect(mpiTypeOf("MPI plugin types are...\n\tnone")).toBeUndefined();
});
