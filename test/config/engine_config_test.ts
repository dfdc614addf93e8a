/** Engines on batch schedulers: in our own words and in Globus Compute's, and what is refused with its place. */
import { describe, expect, test } from "bun:test";
import { parseEndpointConfig } from "../../core/config/endpoint_config.ts";
import { GcError } from "../../core/errors.ts";
import type { BatchEngine } from "../../core/schema/batch_engine.ts";

const read = (text: string) => parseEndpointConfig(Buffer.from(text), "config.yaml").engine;

function batch(text: string): BatchEngine {
  const engine = read(text);
  if (engine.type !== "batch") throw new Error("It is not a batch engine");
  return engine;
}

function refusal(text: string): string {
  try {
    read(text);
  } catch (error) {
    if (error instanceof GcError && error.kind === "config") return error.message;
    throw error;
  }
  throw new Error("It was not refused");
}

describe("an engine in our own words", () => {
  test("gets every default", () => {
    expect(batch("engine: {type: batch, scheduler: slurm}")).toEqual({
      type: "batch",
      scheduler: "slurm",
      exclusive: true,
      memory_mib_per_node: 0,
      scheduler_options: [],
      launcher: { type: "single" },
      blocks: { nodes: 1, walltime_s: 3600, init: 0, min: 0, max: 1, parallelism: 1, max_idle_s: 120 },
      workers: { cores_per_worker: 1, accelerators: [], cpu_affinity: "none" },
      ignored: [],
    });
  });

  test("keeps what was said, in units of its own", () => {
    const engine = batch(`
engine:
  type: batch
  scheduler: pbspro
  queue: debug
  nodes_per_block: 3
  walltime: 1-02:00:00
  max_blocks: 5
  max_idletime: 90s
  scheduler_options: |
    #PBS -l filesystems=home

    -W group_list=g
  memory_per_worker: 1.5
  available_accelerators: 2
  launcher: mpiexec
  launcher_options: --depth 4
`);
    expect(engine).toMatchObject({
      partition: "debug",
      exclusive: false,
      scheduler_options: ["#PBS -l filesystems=home", "-W group_list=g"],
      launcher: { type: "mpiexec", overrides: "--depth 4" },
      blocks: { nodes: 3, walltime_s: 93600, max: 5, max_idle_s: 90 },
      workers: { memory_mib_per_worker: 1536, accelerators: ["0", "1"] },
    });
  });

  test("brings the scheduler's own launcher for several nodes", () => {
    const launchers = ["slurm", "pbspro", "torque", "lsf", "openlava", "cobalt", "gridengine"].map((scheduler) => {
      return batch(`engine: {type: batch, scheduler: ${scheduler}, nodes_per_block: 2}`).launcher.type;
    });
    expect(launchers).toEqual(["srun", "pbsdsh", "pbsdsh", "blaunch", "mpirun", "mpirun", "qrsh"]);
  });

  test.each([
    ["90m", 5400],
    ["1h30m", 5400],
    ["01:30:00", 5400],
    ["1:30", 5400],
    ["2d", 172800],
    ["0.5h", 1800],
  ])("reads the span %s", (text, seconds) => {
    expect(batch(`engine: {type: batch, scheduler: slurm, walltime: "${text}"}`).blocks.walltime_s).toBe(seconds);
  });
});

describe("an engine in Globus Compute's words", () => {
  test("loads an MPI engine on Slurm with its simple launcher and four nodes per block", () => {
    const engine = batch(`
display_name: SlurmMPI
engine:
  type: GlobusMPIEngine
  mpi_launcher: srun
  max_workers_per_block: 2
  address:
    type: address_by_interface
    ifname: ib0
  provider:
    type: SlurmProvider
    partition: compute
    account: abc123
    launcher:
      type: SimpleLauncher
    scheduler_options: ""
    worker_init: |
      module load openmpi
      source activate my-env
    walltime: "00:30:00"
    nodes_per_block: 4
    init_blocks: 0
    min_blocks: 0
    max_blocks: 1
`);
    expect(engine).toEqual({
      type: "batch",
      scheduler: "slurm",
      partition: "compute",
      account: "abc123",
      exclusive: true,
      worker_init: "module load openmpi\nsource activate my-env\n",
      scheduler_options: [],
      // One worker on each node, which their launcher would not start.
      launcher: { type: "srun" },
      blocks: { nodes: 4, walltime_s: 1800, init: 0, min: 0, max: 1, parallelism: 1, max_idle_s: 120 },
      workers: { cores_per_worker: 0, accelerators: [], cpu_affinity: "none" },
      mpi: { launcher: "srun", per_block_max: 2 },
      ignored: ["address"],
    });
  });

  test("takes over Globus Compute's defaults", () => {
    const slurm = batch("engine: {type: GlobusComputeEngine, provider: {type: SlurmProvider}}");
    expect(slurm.blocks).toMatchObject({ walltime_s: 600, init: 1, min: 0, max: 1 });
    const pbs = batch("engine: {type: GlobusComputeEngine, provider: {type: PBSProProvider}}");
    expect(pbs).toMatchObject({ cores_per_node: 1, exclusive: false, blocks: { walltime_s: 1200 } });
    const torque = batch("engine: {type: GlobusComputeEngine, provider: {type: TorqueProvider}}");
    expect(torque.launcher).toEqual({ type: "aprun" });
    const lsf = batch("engine: {type: GlobusComputeEngine, provider: {type: LSFProvider, project: p}}");
    expect(lsf).toMatchObject({ by_nodes: true, project: "p" });
  });

  test("loads an example with an MPI launcher, as of a machine with PBS Pro", () => {
    const engine = batch(`
engine:
  type: GlobusComputeEngine
  max_workers_per_node: 4
  available_accelerators: ["0", "1", "2", "3"]
  cpu_affinity: block-reverse
  provider:
    type: PBSProProvider
    launcher: {type: MpiExecLauncher, bind_cmd: --cpu-bind, overrides: --depth=64 --ppn 1}
    account: proj
    queue: debug
    cpus_per_node: 32
    select_options: ngpus=4
    scheduler_options: "#PBS -l filesystems=home:grand:eagle"
    walltime: 01:00:00
    cmd_timeout: 120
`);
    expect(engine).toMatchObject({
      scheduler: "pbspro",
      partition: "debug",
      cores_per_node: 32,
      select_options: "ngpus=4",
      launcher: { type: "mpiexec", bind_cmd: "--cpu-bind", overrides: "--depth=64 --ppn 1" },
      workers: { per_node_max: 4, accelerators: ["0", "1", "2", "3"], cpu_affinity: "block-reverse" },
      ignored: ["provider.cmd_timeout"],
    });
  });

  test("keeps containers, memory and the idle time", () => {
    const engine = batch(`
engine:
  type: GlobusComputeEngine
  container_type: apptainer
  container_uri: /images/a.sif
  container_cmd_options: -B /scratch
  mem_per_worker: 2
  job_status_kwargs: {max_idletime: 300, strategy_period: null}
  provider: {type: SlurmProvider, mem_per_node: 128, launcher: {type: SrunLauncher, overrides: "-c 128"}}
`);
    expect(engine.container).toEqual({ type: "apptainer", image: "/images/a.sif", options: "-B /scratch" });
    expect(engine).toMatchObject({ memory_mib_per_node: 131072, launcher: { type: "srun", overrides: "-c 128" } });
    expect(engine.workers.memory_mib_per_worker).toBe(2048);
    expect(engine.blocks.max_idle_s).toBe(300);
  });

  test("is this machine where its provider or pool is", () => {
    expect(read("engine: {type: ThreadPoolEngine, max_workers: 3}")).toEqual({ type: "local", workers: 1, slots: 3 });
    expect(read("engine: {type: ProcessPoolEngine}")).toEqual({ type: "local", workers: 1 });
    const local = "engine: {type: GlobusComputeEngine, max_workers_per_node: 2, provider: {type: LocalProvider}}";
    expect(read(local)).toEqual({ type: "local", workers: 1, slots: 2 });
  });
});

describe("mistakes are told with their place", () => {
  const slurm = "engine:\n  type: GlobusComputeEngine\n  provider:\n    type: SlurmProvider\n";
  const mpi = "engine: {type: GlobusMPIEngine, provider: {type: SlurmProvider";
  const mistakes: [what: string, text: string, place: string, words: string][] = [
    ["a mistyped key of ours", "engine: {type: batch, scheduler: slurm, partion: a}", "1:41", 'mean "partition"'],
    ["an unknown scheduler", "engine: {type: batch, scheduler: slrum}", "1:34", 'mean "slurm"'],
    ["no scheduler", "engine: {type: batch}", "1:9", 'lacks the key "scheduler"'],
    ["a walltime without a unit", "engine: {type: batch, scheduler: slurm, walltime: 90}", "1:51", "must be string"],
    ["a walltime in words", "engine: {type: batch, scheduler: slurm, walltime: long}", "1:51", "a span of time"],
    ["a walltime too short", "engine: {type: batch, scheduler: slurm, walltime: 30s}", "1:51", "less than 60"],
    ["queue and partition", "engine: {type: batch, scheduler: lsf, queue: a, partition: b}", "1:46", "the same as"],
    ["more blocks at least than at most", `${slurm}    min_blocks: 3\n    max_blocks: 2\n`, "5:17", "more than the 2"],
    ["no blocks at all", `${slurm}    max_blocks: 0\n`, "5:17", "no task could ever run"],
    ["a mistyped provider", "engine: {type: GlobusComputeEngine, provider: {type: SlrumProvider}}", "1:54", "SlurmP"],
    ["a mistyped key of a provider", `${slurm}    acount: x\n`, "5:5", 'did you mean "account"?'],
    ["a key of another provider", `${slurm}    cpus_per_node: 3\n`, "5:5", 'Unknown key "cpus_per_node"'],
    ["a provider's key in the engine", `${slurm}  partition: x\n`, "5:3", 'belongs under "engine.provider"'],
    ["a mistyped launcher", `${slurm}    launcher: {type: SrunLancher}\n`, "5:22", 'mean "SrunLauncher"'],
    ["a launcher's unknown key", `${slurm}    launcher: {type: SrunLauncher, override: x}\n`, "5:36", '"overrides"'],
    ["an MPI engine with srun", `${mpi}, launcher: {type: SrunLauncher}}}`, "1:82", "starts its programs itself"],
    ["an MPI engine on this machine", "engine: {type: GlobusMPIEngine}", "1:9", "must be a batch scheduler"],
    ["a container without an image", `${slurm}  container_type: docker\n`, "5:19", 'needs "container_uri"'],
    ["a wrapper of nothing", `${slurm}    launcher: {type: WrappedLauncher}\n`, "5:15", '"prepend"'],
  ];
  test.each(mistakes)("%s", (_, text, place, words) => {
    const message = refusal(text);
    expect(message).toContain(words);
    expect(message).toContain(`(config.yaml:${place})`);
  });
});
