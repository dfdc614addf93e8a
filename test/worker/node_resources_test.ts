/** What a node has for tasks, read from files as they were on real machines and from what schedulers say. */
import { describe, expect, test } from "bun:test";
import type { WorkerFile } from "../../core/schema/worker_file.ts";
import { shapeOnNode } from "../../core/worker/block_member.ts";
import {
  type NodeResources,
  type NodeView,
  namedAccelerators,
  nodeResources,
} from "../../core/worker/node_resources.ts";

const gib = 1024 * 1024 * 1024;

interface Machine {
  env?: { [name: string]: string };
  files?: { [path: string]: string };
  dirs?: { [path: string]: string[] };
}

function view({ env = {}, files = {}, dirs = {} }: Machine): NodeView {
  return {
    env,
    hostname: "node7.cluster",
    cores: 64,
    memory_bytes: 256 * gib,
    read: (path) => files[path],
    list: (path) => dirs[path] ?? [],
  };
}

const of = (machine: Machine): NodeResources => nodeResources(view(machine));
const status = (list: string) => ({
  "/proc/self/status": `Name:\tgc\nCpus_allowed:\tff\nCpus_allowed_list:\t${list}\n`,
});

/** A container of Docker on a host with control groups of version 2 (own namespace). */
const docker2 = {
  "/proc/self/cgroup": "0::/\n",
  "/proc/self/mountinfo":
    "1532 1520 0:30 / /sys/fs/cgroup ro,nosuid,nodev,noexec,relatime - cgroup2 cgroup rw,nsdelegate\n",
};
/** A step of Slurm 23 under version 2. */
const slurm2 = {
  "/proc/self/cgroup": "0::/system.slice/slurmstepd.scope/job_812/step_0/user/task_0\n",
  "/proc/self/mountinfo":
    "24 30 0:22 / /proc rw - proc proc rw\n" +
    "33 24 0:28 / /sys/fs/cgroup rw,nosuid,nodev,noexec,relatime shared:9 - cgroup2 cgroup2 rw,nsdelegate\n",
};
/** A container whose control groups of version 1 are mounted from below (Docker on CentOS 7). */
const docker1 = {
  "/proc/self/cgroup": "9:memory:/docker/4f1c\n4:cpuacct,cpu:/docker/4f1c\n1:name=systemd:/docker/4f1c\n",
  "/proc/self/mountinfo":
    "663 656 0:24 /docker/4f1c /sys/fs/cgroup/cpuacct,cpu ro,nosuid - cgroup cgroup rw,cpuacct,cpu\n" +
    "671 656 0:31 /docker/4f1c /sys/fs/cgroup/memory ro,nosuid - cgroup cgroup rw,memory\n",
};

describe("cores", () => {
  test("are those of the machine where nothing else is said", () => {
    expect(of({})).toMatchObject({ cores: 64, cpus: [], memory_mib: 256 * 1024, accelerators: [] });
  });

  test("are those of the affinity mask", () => {
    const node = of({ files: status("0-3,16-19,32") });
    expect(node.cores).toBe(9);
    expect(node.cpus).toEqual([0, 1, 2, 3, 16, 17, 18, 19, 32]);
  });

  test.each([
    ["200000 100000", 2],
    ["150000 100000", 1],
    ["50000 100000", 1],
    ["max 100000", 16],
  ])("are cut by a quota %p of a control group of version 2 to %p", (max, cores) => {
    expect(of({ files: { ...status("0-15"), ...docker2, "/sys/fs/cgroup/cpu.max": `${max}\n` } }).cores).toBe(cores);
  });

  test("are cut by the quota of any group above", () => {
    const above = { "/sys/fs/cgroup/system.slice/slurmstepd.scope/job_812/cpu.max": "400000 100000\n" };
    const own = { "/sys/fs/cgroup/system.slice/slurmstepd.scope/job_812/step_0/user/task_0/cpu.max": "max 100000\n" };
    expect(of({ files: { ...slurm2, ...above, ...own } }).cores).toBe(4);
  });

  test("are cut by a quota of version 1, where -1 is none", () => {
    const files = { ...docker1, "/sys/fs/cgroup/cpuacct,cpu/cpu.cfs_period_us": "100000\n" };
    expect(of({ files: { ...files, "/sys/fs/cgroup/cpuacct,cpu/cpu.cfs_quota_us": "300000\n" } }).cores).toBe(3);
    expect(of({ files: { ...files, "/sys/fs/cgroup/cpuacct,cpu/cpu.cfs_quota_us": "-1\n" } }).cores).toBe(64);
  });

  test.each([
    ["Slurm", { SLURM_JOB_ID: "1", SLURM_CPUS_ON_NODE: "12" }, 12],
    ["PBS", { PBS_JOBID: "1.pbs", NCPUS: "8" }, 8],
    ["Torque", { PBS_JOBID: "1.srv", PBS_NUM_PPN: "6" }, 6],
    ["LSF, by our own name", { LSB_JOBID: "1", LSB_MCPU_HOSTS: "login1 1 node7 20 node8 24" }, 20],
    ["Grid Engine on one node", { JOB_ID: "1", NSLOTS: "5" }, 5],
    ["nobody, without a job", { NCPUS: "8", NSLOTS: "3", SLURM_CPUS_ON_NODE: "2" }, 64],
    ["a scheduler that says nonsense", { SLURM_JOB_ID: "1", SLURM_CPUS_ON_NODE: "4(x2)" }, 64],
  ])("are those of %s", (_name, env, cores) => {
    expect(of({ env }).cores).toBe(cores);
  });

  test("are our line of the host file of Grid Engine", () => {
    const files = { "/spool/pe": "node6.cluster 16 q@node6 <NULL>\nnode7.cluster 10 q@node7 <NULL>\n" };
    expect(of({ env: { JOB_ID: "1", NSLOTS: "26", PE_HOSTFILE: "/spool/pe" }, files }).cores).toBe(10);
  });

  test("are the least of all that is said", () => {
    expect(of({ env: { SLURM_JOB_ID: "1", SLURM_CPUS_ON_NODE: "12" }, files: status("0-3") }).cores).toBe(4);
  });
});

describe("memory", () => {
  test("is the least limit of our groups of version 2", () => {
    const job = "/sys/fs/cgroup/system.slice/slurmstepd.scope/job_812/memory.max";
    const step = "/sys/fs/cgroup/system.slice/slurmstepd.scope/job_812/step_0/user/task_0/memory.max";
    expect(of({ files: { ...slurm2, [job]: `${8 * gib}\n`, [step]: "max\n" } }).memory_mib).toBe(8192);
  });

  test("is the limit of version 1, whose largest number is none", () => {
    const path = "/sys/fs/cgroup/memory/memory.limit_in_bytes";
    expect(of({ files: { ...docker1, [path]: `${gib}\n` } }).memory_mib).toBe(1024);
    expect(of({ files: { ...docker1, [path]: "9223372036854771712\n" } }).memory_mib).toBe(256 * 1024);
  });

  test.each([
    [{ SLURM_JOB_ID: "1", SLURM_MEM_PER_NODE: "4096" }, 4096],
    [{ SLURM_JOB_ID: "1", SLURM_CPUS_ON_NODE: "4", SLURM_MEM_PER_CPU: "500" }, 2000],
    [{ SLURM_JOB_ID: "1", SLURM_MEM_PER_NODE: "0" }, 256 * 1024],
    [{ SLURM_MEM_PER_NODE: "4096" }, 256 * 1024],
  ])("is what Slurm gave: %p", (env, mib) => {
    expect(of({ env }).memory_mib).toBe(mib);
  });
});

describe("accelerators", () => {
  const nvidia = { "/proc/driver/nvidia/gpus": ["0000:07:00.0", "0000:0f:00.0"] };
  const kfd = "/sys/class/kfd/kfd/topology/nodes";
  const amd = {
    dirs: { [kfd]: ["0", "1", "2"] },
    files: {
      [`${kfd}/0/properties`]: "cpu_cores_count 64\nsimd_count 0\n",
      [`${kfd}/1/properties`]: "cpu_cores_count 0\nsimd_count 440\n",
      [`${kfd}/2/properties`]: "cpu_cores_count 0\nsimd_count 440\n",
    },
  };

  test.each<[string, Machine, string[], string | undefined]>([
    ["NVIDIA's by the driver", { dirs: nvidia }, ["0", "1"], "nvidia"],
    [
      "NVIDIA's by their devices",
      { dirs: { "/dev": ["nvidia0", "nvidia1", "nvidiactl", "null"] } },
      ["0", "1"],
      "nvidia",
    ],
    ["AMD's by the driver, without its processors", amd, ["0", "1"], "amd"],
    ["what the scheduler gave", { env: { CUDA_VISIBLE_DEVICES: "4,5" }, dirs: nvidia }, ["4", "5"], "nvidia"],
    ["none when it gave none", { env: { CUDA_VISIBLE_DEVICES: "NoDevFiles" }, dirs: nvidia }, [], "nvidia"],
    ["none for an empty list", { env: { CUDA_VISIBLE_DEVICES: "" }, dirs: nvidia }, [], "nvidia"],
    [
      "names, as of parts of a device",
      { env: { CUDA_VISIBLE_DEVICES: "MIG-a1,MIG-b2" } },
      ["MIG-a1", "MIG-b2"],
      "nvidia",
    ],
    ["AMD's variable", { env: { ROCR_VISIBLE_DEVICES: "2" } }, ["2"], "amd"],
    ["Intel's tiles", { env: { ZE_AFFINITY_MASK: "0.0,0.1" } }, ["0.0", "0.1"], "intel"],
    ["Slurm's for all makers", { env: { CUDA_VISIBLE_DEVICES: "3", ROCR_VISIBLE_DEVICES: "3" } }, ["3"], undefined],
  ])("are %s", (_name, machine, names, kind) => {
    const node = of(machine);
    expect(node.accelerators).toEqual(names);
    expect(node.accelerator_kind).toBe(kind as NodeResources["accelerator_kind"]);
  });

  test.each<[string[], string | undefined, string[]]>([
    [["0", "1"], undefined, ["0", "1"]],
    [["0", "1", "1", "0"], undefined, ["0", "1"]],
    [["0", "1", "2", "3"], "4,5,6,7", ["4", "5", "6", "7"]],
    [["0", "1", "2", "3"], "1,2", ["1", "2"]],
    [["5", "4"], "4,5", ["5", "4"]],
    [["0"], "GPU-9a", ["GPU-9a"]],
    [["0", "1"], "NoDevFiles", []],
  ])("%p, asked of a node that was given %p, are %p", (asked, given, names) => {
    const env: { [name: string]: string } = given === undefined ? {} : { CUDA_VISIBLE_DEVICES: given };
    expect(namedAccelerators(asked, of({ env }))).toEqual(names);
  });
});

describe("a node of a block", () => {
  const block = { slots: 65536, cores_per_slot: 1, resources: {} } as WorkerFile;
  const node = of({ files: status("0-15"), env: { CUDA_VISIBLE_DEVICES: "2,3" } });

  test.each<[string, Partial<WorkerFile>, number]>([
    ["as many slots as cores", {}, 16],
    ["no more than the endpoint says", { slots: 3 }, 3],
    ["a slot for each share of cores", { cores_per_slot: 4 }, 4],
    ["more slots than cores for small shares", { cores_per_slot: 0.1 }, 160],
    ["a slot for each share of memory", { memory_mib_per_slot: 65536 }, 4],
    ["a slot for each accelerator", { accelerators: ["0", "1"], accelerator_each: true }, 2],
    ["a slot for each group of a list", { cpu_affinity: "list:0-3:4-7:8" }, 3],
    ["one slot at least", { cores_per_slot: 64 }, 1],
  ])("has %s", (_name, over, slots) => {
    expect(shapeOnNode({ ...block, ...over }, node).slots).toBe(slots);
  });

  test("lends the accelerators that it was given, to whoever asks", () => {
    expect(shapeOnNode(block, node)).toMatchObject({ accelerators: ["2", "3"], resources: { cores: 16, gpus: 2 } });
  });

  test("without a sign of accelerators believes what the scheduler was asked for", () => {
    const shape = shapeOnNode({ ...block, resources: { gpus: 2 } }, of({}));
    expect(shape).toMatchObject({ accelerators: ["0", "1"], resources: { gpus: 2 } });
  });

  test("is refused when it has none of the accelerators that are to be shared out", () => {
    const none = of({ env: { CUDA_VISIBLE_DEVICES: "" } });
    const asked = { ...block, accelerators: ["0"], accelerator_each: true };
    expect(() => shapeOnNode(asked, none)).toThrow("none is on this node");
  });
});
