/** Block requests that are rendered for every scheduler, and those that only some can say. */
import type { BlockRequest } from "../../providers/block_request.ts";
import type { Profile } from "../../providers/profile.ts";

export const plain: BlockRequest = {
  name: "gc0a1b2c3d4e5f",
  block_dir: "/home/alice/.gc/endpoints/lab/blocks/gc0a1b2c3d4e5f",
  stdout_path: "/home/alice/.gc/endpoints/lab/blocks/gc0a1b2c3d4e5f/block.out",
  stderr_path: "/home/alice/.gc/endpoints/lab/blocks/gc0a1b2c3d4e5f/block.err",
  nodes: 1,
  walltime_s: 3600,
  launcher: { type: "single" },
  worker: ["/home/alice/.local/bin/gc", "__worker", "/home/alice/.gc/endpoints/lab/blocks/gc0a1b2c3d4e5f/worker"],
};

/** Cases that every scheduler can say. */
const common: { readonly [name: string]: Partial<BlockRequest> } = {
  plain: {},
  "odd-walltime": { walltime_s: 3701 },
  days: { walltime_s: 36 * 3600 },
  "four-nodes": { nodes: 4 },
  "queue-account": { partition: "debug", account: "proj.x" },
  "worker-init": { worker_init: "module load gcc\nexport A='it is'\nconda activate \"my env\"\n" },
  options: { scheduler_options: ["# a comment is dropped", "", "-x something -y"] },
  "odd-worker": { worker: ["/opt/g c/gc", "it's", "$HOME `id`", "a\nb", ""] },
  wrapped: { launcher: { type: "wrapped", prepend: "env -i 'A=b c'" } },
  mpiexec: { nodes: 2, launcher: { type: "mpiexec" } },
  "mpiexec-globus": {
    nodes: 2,
    launcher: { type: "mpiexec", bind_cmd: "--cpu-bind", overrides: "--depth=64 --ppn 1" },
  },
  "mpirun-openmpi": { nodes: 2, launcher: { type: "mpirun", flavour: "openmpi" } },
  parallel: { nodes: 3, launcher: { type: "gnu_parallel" } },
};

const special: { readonly [scheduler in Profile["name"]]: { readonly [name: string]: Partial<BlockRequest> } } = {
  slurm: {
    srun: { nodes: 4, cores_per_node: 32, exclusive: true, warn_s: 120, launcher: { type: "srun" } },
    "srun-overrides": { nodes: 2, launcher: { type: "srun", overrides: "-c 128 --mpibind=off" } },
    gpus: { gpus_per_node: 4, constraint: "gpu&nvme", qos: "premium", warn_s: 120 },
    gres: { gres: "gpu:a100:2", gpus_per_node: 2, memory_mib_per_node: 131072, cores_per_node: 8 },
    "path-with-blank": {
      block_dir: "/home/a b/blocks/gc0a1b2c3d4e5f",
      stdout_path: "/home/a b/blocks/gc0a1b2c3d4e5f/block.out",
      stderr_path: "/home/a b/blocks/gc0a1b2c3d4e5f/block.err",
    },
    options: {
      scheduler_options: ["#SBATCH --constraint=gpu --gpus-per-node=4\n#SBATCH --nodes=7", "--mail-type=NONE"],
    },
    "reservation-cluster": { reservation: "maint_1", clusters: "big", project: "phys" },
    "whole-nodes": { exclusive: true, memory_mib_per_node: 0 },
    aprun: { nodes: 2, cores_per_node: 64, launcher: { type: "aprun" } },
  },
  pbspro: {
    "two-chunks": { nodes: 2, cores_per_node: 32, memory_mib_per_node: 65536, gpus_per_node: 4, exclusive: true },
    "select-options": { cores_per_node: 64, select_options: "ngpus=4:system=polaris", project: "phys" },
    reservation: { reservation: "R123" },
    pbsdsh: { nodes: 3, launcher: { type: "pbsdsh" } },
  },
  torque: {
    sizes: { nodes: 2, cores_per_node: 16, memory_mib_per_node: 4096, gpus_per_node: 1, exclusive: true },
    moab: { qos: "high", reservation: "maint.1", constraint: "bigmem" },
    pbsdsh: { nodes: 2, launcher: { type: "pbsdsh" } },
    aprun: { nodes: 2, cores_per_node: 24, launcher: { type: "aprun" } },
  },
  lsf: {
    "whole-nodes": { nodes: 4, by_nodes: true, project: "ABC123", launcher: { type: "jsrun" } },
    slots: { nodes: 2, cores_per_node: 16, memory_mib_per_node: 2048, gpus_per_node: 2, constraint: "type==any" },
    blaunch: { nodes: 2, exclusive: true, launcher: { type: "blaunch" } },
    "jsrun-overrides": { nodes: 2, by_nodes: true, launcher: { type: "jsrun", overrides: "--smpiargs=off" } },
  },
  openlava: {
    slots: { nodes: 2, cores_per_node: 2, memory_mib_per_node: 512, exclusive: true },
  },
  cobalt: {
    attributes: { constraint: "mcdram=flat:numa=quad", reservation: "R.test" },
    aprun: { nodes: 8, cores_per_node: 64, launcher: { type: "aprun" } },
  },
  gridengine: {
    "parallel-environment": { nodes: 2, cores_per_node: 4, parallel_environment: "mpi", memory_mib_per_node: 4096 },
    "four-nodes": { nodes: 4, parallel_environment: "mpi" },
    mpiexec: { nodes: 2, parallel_environment: "mpi", launcher: { type: "mpiexec" } },
    "mpiexec-globus": {
      nodes: 2,
      parallel_environment: "mpi",
      launcher: { type: "mpiexec", bind_cmd: "--cpu-bind", overrides: "--depth=64 --ppn 1" },
    },
    "mpirun-openmpi": {
      nodes: 2,
      parallel_environment: "mpi",
      launcher: { type: "mpirun", flavour: "openmpi" },
    },
    parallel: { nodes: 3, parallel_environment: "mpi", launcher: { type: "gnu_parallel" } },
    qrsh: { nodes: 2, parallel_environment: "mpi", launcher: { type: "qrsh" } },
    complexes: { exclusive: true, gpus_per_node: 1, constraint: "arch=lx-amd64", project: "phys" },
  },
};

/** All cases of a scheduler, by name. */
export function casesOf(profile: Profile): [string, BlockRequest][] {
  const { prefix } = profile.script;
  const options = { options: { scheduler_options: ["# a comment is dropped", "", `${prefix} -x some`, "-y thing"] } };
  const all = { ...common, ...options, ...special[profile.name] };
  return Object.entries(all).map(([name, changes]) => [name, { ...plain, ...changes }]);
}
