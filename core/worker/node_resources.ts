/**
 * What this machine really has for tasks: cores, memory, accelerators. The machine's own numbers are only the upper
 * bound; a scheduler, an affinity mask or a control group may have given less (providers.md §18), and whoever believes
 * the larger number overloads the node or is killed. So the least of all that say something counts. Pure: reads through
 * the view it is given, so that tests can show it recorded files.
 */
import * as fs from "node:fs";
import * as os from "node:os";

/** How the machine is looked at. */
export interface NodeView {
  readonly env: { readonly [name: string]: string | undefined };
  readonly hostname: string;
  /** What the runtime says, for where there is no /proc. */
  readonly cores: number;
  readonly memory_bytes: number;
  /** A text file, or undefined. */
  read(path: string): string | undefined;
  /** Names in a directory; empty when there is none. */
  list(path: string): readonly string[];
}

/** Who made the accelerators, where that is known. */
export type AcceleratorKind = "nvidia" | "amd" | "intel";

export interface NodeResources {
  readonly cores: number;
  /** Ids of the processors that we may run on; empty where the system does not tell. */
  readonly cpus: readonly number[];
  readonly memory_mib: number;
  /** Names as CUDA_VISIBLE_DEVICES and its like take them. */
  readonly accelerators: readonly string[];
  /** Somebody before us restricted the accelerators, by a variable. */
  readonly accelerators_given: boolean;
  readonly accelerator_kind: AcceleratorKind | undefined;
}

/** This machine. `env`: of this process, which holds what a scheduler says. */
export function thisNode(env: NodeView["env"], hostname: string): NodeView {
  return {
    env,
    hostname,
    cores: os.availableParallelism(),
    memory_bytes: os.totalmem(),
    read(path) {
      try {
        return fs.readFileSync(path, "latin1");
      } catch {
        return undefined;
      }
    },
    list(path) {
      try {
        return fs.readdirSync(path);
      } catch {
        return [];
      }
    },
  };
}

/** What there is for tasks: at least one core and one MiB. */
export function nodeResources(view: NodeView): NodeResources {
  const cpus = allowedCpus(view.read("/proc/self/status"));
  const groups = controlGroups(view);
  const cores = least(schedulerCores(view), cpus.length || view.cores, quotaCores(view, groups)) ?? 1;
  const memory_bytes = least(
    limitIn(view, groups.unified, "memory.max"),
    limitIn(view, groups.memory, "memory.limit_in_bytes"),
    schedulerMemory(view.env, cores),
    view.memory_bytes,
  );
  const found = accelerators(view);
  return {
    cores: Math.max(1, Math.floor(cores)),
    cpus,
    memory_mib: Math.max(1, Math.floor((memory_bytes ?? 0) / 1024 / 1024)),
    accelerators: found.names,
    accelerators_given: found.given,
    accelerator_kind: found.kind,
  };
}

/**
 * Accelerators that an endpoint's configuration names, as this node calls them. A scheduler that gave us devices 4 to 7
 * means those when somebody says 0 to 3 (providers.md §18.3). Each once, those that are not there left out.
 */
export function namedAccelerators(asked: readonly string[], node: NodeResources): string[] {
  const unique = [...new Set(asked)];
  if (!node.accelerators_given) return unique;
  const given = node.accelerators;
  if (unique.every((name) => given.includes(name))) return unique;
  if (!unique.every((name) => /^\d+$/.test(name))) return unique;
  return unique.flatMap((name) => given[Number(name)] ?? []);
}

/** `0-3,8` → [0, 1, 2, 3, 8]. */
export function cpuList(text: string): number[] {
  const cpus: number[] = [];
  for (const part of text.split(",")) {
    const match = /^\s*(\d+)(?:-(\d+))?\s*$/.exec(part);
    if (match === null) continue;
    const first = Number(match[1]);
    for (let cpu = first; cpu <= Number(match[2] ?? first); cpu++) cpus.push(cpu);
  }
  return cpus;
}

function allowedCpus(status: string | undefined): number[] {
  return cpuList(/^Cpus_allowed_list:\s*(.*)$/m.exec(status ?? "")?.[1] ?? "");
}

/**
 * Cores of this node by the scheduler that started us. Its variables count only beside its job id: `NCPUS` is a name
 * that people use too. Where the number is for all nodes of a job, ours is looked up by name.
 */
function schedulerCores({ env, hostname, read }: NodeView): number | undefined {
  if (env.SLURM_JOB_ID !== undefined) return count(env.SLURM_CPUS_ON_NODE);
  if (env.PBS_JOBID !== undefined) return count(env.NCPUS) ?? count(env.PBS_NUM_PPN);
  if (env.LSB_JOBID !== undefined) return ofHost(pairs(env.LSB_MCPU_HOSTS), hostname) ?? count(env.LSB_DJOB_NUMPROC);
  if (env.NSLOTS !== undefined && env.JOB_ID !== undefined) {
    const hosts = env.PE_HOSTFILE === undefined ? undefined : read(env.PE_HOSTFILE);
    return ofHost(hosts?.split("\n").map((line) => line.split(/\s+/)) ?? [], hostname) ?? count(env.NSLOTS);
  }
  return undefined;
}

/** `host1 4 host2 8` → [["host1", "4"], ["host2", "8"]]. */
function pairs(text: string | undefined): string[][] {
  const words = text?.trim().split(/\s+/) ?? [];
  return words.flatMap((word, i) => (i % 2 === 0 ? [[word, words[i + 1] ?? ""]] : []));
}

/** The number beside our name; schedulers write some names with their domain and some without. */
function ofHost(rows: readonly (readonly string[])[], hostname: string): number | undefined {
  const short = (name: string | undefined): string | undefined => name?.split(".")[0];
  return count(rows.find(([name]) => name !== "" && short(name) === short(hostname))?.[1]);
}

/** Slurm alone says how much memory is ours; 0 means all of the node. */
function schedulerMemory(env: NodeView["env"], cores: number): number | undefined {
  if (env.SLURM_JOB_ID === undefined) return undefined;
  const per_cpu = count(env.SLURM_MEM_PER_CPU);
  const cpus = count(env.SLURM_CPUS_ON_NODE) ?? cores;
  const mib = count(env.SLURM_MEM_PER_NODE) ?? (per_cpu === undefined ? undefined : per_cpu * cpus);
  return mib === undefined ? undefined : mib * 1024 * 1024;
}

/** Our control groups as directories, innermost first: of version 2, and of each controller of version 1. */
interface ControlGroups {
  unified: string[];
  cpu: string[];
  memory: string[];
}

function controlGroups(view: NodeView): ControlGroups {
  const ours = (view.read("/proc/self/cgroup") ?? "").split("\n").map((line) => /^\d+:([^:]*):(.*)$/.exec(line));
  const mounts = (view.read("/proc/self/mountinfo") ?? "").split("\n").map(mountOf);
  const find = (controller: string): string[] => {
    const names = (list: string | undefined) => (list ?? "").split(",").includes(controller);
    const path = ours.find((match) => (controller === "" ? match?.[1] === "" : names(match?.[1])))?.[2];
    const type = controller === "" ? "cgroup2" : "cgroup";
    const mount = mounts.find((one) => one?.type === type && (controller === "" || names(one.options)));
    return path === undefined || mount === undefined ? [] : ancestors(mount, path);
  };
  return { unified: find(""), cpu: find("cpu"), memory: find("memory") };
}

interface Mount {
  root: string;
  at: string;
  type: string;
  options: string;
}

/** One line of mountinfo (proc(5)). */
function mountOf(line: string): Mount | undefined {
  const [before, after] = line.split(" - ");
  const [, , , root, at] = before?.split(" ") ?? [];
  const [type, , options] = after?.split(" ") ?? [];
  if (root === undefined || at === undefined || type === undefined) return undefined;
  return { root, at, type, options: options ?? "" };
}

/** All directories from the group up to the mount; in a container only the part below the mount's root is there. */
function ancestors({ root, at }: Mount, path: string): string[] {
  const inside = root === "/" ? path : path.startsWith(`${root}/`) ? path.slice(root.length) : "/";
  const dirs: string[] = [];
  const names = inside.split("/").filter((name) => name !== "" && name !== "..");
  for (let depth = names.length; depth >= 0; depth--) dirs.push([at, ...names.slice(0, depth)].join("/"));
  return dirs;
}

/** Processors by time: a quota of 150 ms in 100 ms is one core and a half. */
function quotaCores(view: NodeView, groups: ControlGroups): number | undefined {
  const quotas = groups.unified.map((dir) => {
    const [quota, period] = view.read(`${dir}/cpu.max`)?.trim().split(" ") ?? [];
    return ratio(quota, period);
  });
  for (const dir of groups.cpu) {
    quotas.push(ratio(view.read(`${dir}/cpu.cfs_quota_us`), view.read(`${dir}/cpu.cfs_period_us`)));
  }
  return least(...quotas);
}

function ratio(quota: string | undefined, period: string | undefined): number | undefined {
  const [over, under] = [count(quota), count(period)];
  return over === undefined || under === undefined ? undefined : over / under;
}

/** A group may never use more than those above it. */
function limitIn(view: NodeView, dirs: readonly string[], file: string): number | undefined {
  return least(...dirs.map((dir) => count(view.read(`${dir}/${file}`))));
}

/** Variables by which a scheduler or a person says which accelerators are ours. */
const givenBy = [
  ["CUDA_VISIBLE_DEVICES", "nvidia"],
  ["ROCR_VISIBLE_DEVICES", "amd"],
  ["HIP_VISIBLE_DEVICES", "amd"],
  ["ZE_AFFINITY_MASK", "intel"],
] as const;

/** Without asking a vendor's tool: they are missing where they are needed, and slow where there are many. */
function accelerators(view: NodeView): { names: string[]; given: boolean; kind: AcceleratorKind | undefined } {
  const nvidia =
    view.list("/proc/driver/nvidia/gpus").length || view.list("/dev").filter((name) => /^nvidia\d+$/.test(name)).length;
  const amd = nvidia > 0 ? 0 : amdCount(view);
  const said = givenBy.filter(([name]) => view.env[name] !== undefined);
  const makers = new Set(said.map(([, kind]) => kind));
  const kind = nvidia > 0 ? "nvidia" : amd > 0 ? "amd" : makers.size === 1 ? [...makers][0] : undefined;
  // Slurm may set the variables of all makers; they say the same.
  const [name] = said.find(([, maker]) => maker === kind) ?? said[0] ?? [];
  if (name !== undefined) return { names: visible(view.env[name] ?? ""), given: true, kind };
  return { names: Array.from({ length: nvidia || amd }, (_, i) => String(i)), given: false, kind };
}

/** Like the CUDA runtime: the list ends at the first entry that names nothing. */
function visible(text: string): string[] {
  const names = text.split(",").map((name) => name.trim());
  const end = names.findIndex((name) => name === "" || /^(-\d+|NoDevFiles|none|void)$/i.test(name));
  return [...new Set(end < 0 ? names : names.slice(0, end))];
}

/** The driver's list of nodes holds processors too; those have no vector units. */
function amdCount(view: NodeView): number {
  const nodes = "/sys/class/kfd/kfd/topology/nodes";
  const units = view
    .list(nodes)
    .map((node) => /^simd_count (\d+)$/m.exec(view.read(`${nodes}/${node}/properties`) ?? ""));
  return units.filter((match) => Number(match?.[1] ?? 0) > 0).length;
}

/** A positive number, or undefined: `max`, -1 and 0 are no limits. */
function count(text: string | undefined): number | undefined {
  const value = Number(text?.trim() || Number.NaN);
  return Number.isFinite(value) && value > 0 ? value : undefined;
}

function least(...values: (number | undefined)[]): number | undefined {
  const known = values.filter((value) => value !== undefined);
  return known.length === 0 ? undefined : Math.min(...known);
}
