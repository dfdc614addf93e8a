/**
 * An engine of pilot blocks, as it is written in `config.yaml` in our own words, and the one shape that both our form
 * and that of Globus Compute (`globus_engine.ts`) become.
 */
import { type LauncherSpec, launcherTypes, type MpiSettings, mpiLaunchers } from "./launcher.ts";
import { type ContainerSpec, containerSchema, cpuAffinitySchema } from "./placement.ts";
import type { Schema } from "./static.ts";

/** The batch schedulers that gc speaks to. */
export const schedulerNames = ["slurm", "pbspro", "torque", "lsf", "openlava", "cobalt", "gridengine"] as const;

export type SchedulerName = (typeof schedulerNames)[number];

/** How a worker reaches its endpoint: over the network, or through the folder of its block. */
export const reachWays = ["direct", "shared"] as const;

export type ReachWay = (typeof reachWays)[number];

/** A span of time as schedulers write it, or with units: `01:30:00`, `1-12:00:00`, `90m`, `1h30m`. */
export const spanPattern = "^(\\d+-)?\\d{1,4}:\\d{2}(:\\d{2})?$|^(\\d+(\\.\\d+)?(d|h|m|s))+$";

const count = { type: "integer", minimum: 0, maximum: 100000 } as const;
const word = { type: "string", minLength: 1, maxLength: 256 } as const;
const gigabytes = { type: "number", minimum: 0.001, maximum: 1048576 } as const;

export const acceleratorsSchema = {
  oneOf: [
    { type: "integer", minimum: 0, maximum: 1024 },
    { type: "array", items: { type: "string", minLength: 1, maxLength: 128 }, maxItems: 1024 },
  ],
} as const satisfies Schema;

/** Lines, as one text or as a list. */
export const linesSchema = {
  oneOf: [
    { type: "string", maxLength: 65536 },
    { type: "array", items: { type: "string", maxLength: 4096 }, maxItems: 1000 },
  ],
} as const satisfies Schema;

export const batchEngineSchema = {
  type: "object",
  description: "Runs tasks in blocks: jobs of a batch scheduler that come and go with the demand.",
  properties: {
    type: { const: "batch" },
    scheduler: { enum: schedulerNames, description: "The scheduler.", examples: ["slurm"] },
    partition: { ...word, description: "Partition, or queue, of the blocks.", examples: ["batch"] },
    queue: { ...word, description: "Another word for partition." },
    account: { ...word, description: "Account that pays.", examples: ["proj"] },
    project: { ...word, description: "Project, where the scheduler has both." },
    qos: { ...word, description: "Quality of service." },
    reservation: word,
    constraint: { ...word, description: "Features that the nodes must have." },
    clusters: { ...word, description: "The cluster, where Slurm has several." },
    gres: { ...word, description: "Slurm: generic resources of each node.", examples: ["gpu:a100:2"] },
    select_options: { ...word, description: "PBS: what follows ncpus in a chunk.", examples: ["ngpus=4"] },
    parallel_environment: { ...word, description: "Grid Engine: the environment that gives several nodes." },
    nodes_per_block: { ...count, minimum: 1, default: 1, description: "Nodes of one block." },
    walltime: {
      type: "string",
      pattern: spanPattern,
      default: "1h",
      description: "How long a block may live: 01:30:00, or 90m.",
    },
    init_blocks: { ...count, default: 0, description: "Blocks to ask for at the start." },
    min_blocks: { ...count, default: 0, description: "Blocks to keep when there is nothing to do." },
    max_blocks: { ...count, minimum: 1, default: 1, description: "Blocks at the same time at most." },
    parallelism: {
      type: "number",
      minimum: 0,
      maximum: 1,
      default: 1,
      description: "Share of the waiting tasks that blocks are asked for.",
    },
    max_idletime: {
      type: "string",
      pattern: spanPattern,
      default: "2m",
      description: "A block without a task for so long is given back.",
    },
    cores_per_node: { ...count, minimum: 1, maximum: 65536, description: "Cores to ask for on each node." },
    memory_mib_per_node: {
      type: "integer",
      minimum: 0,
      description: "Memory to ask for on each node, in MiB. With Slurm, 0 is all that a node has.",
    },
    gpus_per_node: { ...count, maximum: 1024, description: "GPUs to ask for on each node." },
    exclusive: { type: "boolean", description: "Whether a block gets whole nodes. Default: with Slurm, yes." },
    scheduler_options: { ...linesSchema, description: "More options for the scheduler, one per line." },
    worker_init: {
      type: "string",
      maxLength: 65536,
      description: "Lines of shell that run once on each node before its worker.",
      examples: ["module load gcc"],
    },
    reach: {
      type: "array",
      items: { enum: reachWays },
      minItems: 1,
      maxItems: 2,
      default: ["direct", "shared"],
      description:
        "How workers reach the endpoint, in this order. direct: its addresses. shared: files in a folder that " +
        "both see, for nodes without a network to it.",
    },
    launcher: { enum: launcherTypes, description: "What starts a worker on each node. Default: the scheduler's own." },
    launcher_options: { type: "string", maxLength: 4096, description: "More options for the launcher." },
    mpi_launcher: {
      enum: mpiLaunchers,
      description: "What starts MPI programs in a block. Default: the scheduler's own, otherwise mpiexec.",
    },
    mpi_launcher_options: {
      type: "string",
      maxLength: 4096,
      description: "More options for it.",
      examples: ["--mpi=pmi2"],
    },
    max_workers_per_node: { ...count, minimum: 1, maximum: 65536, description: "Tasks on one node at most." },
    cores_per_worker: { type: "number", minimum: 0, default: 1, description: "Cores for a task that asks for none." },
    memory_per_worker: { ...gigabytes, description: "Memory for a task that asks for none, in GB." },
    available_accelerators: { ...acceleratorsSchema, description: "GPUs to share out: how many, or their names." },
    cpu_affinity: { ...cpuAffinitySchema, default: "none" },
    container: containerSchema,
  },
  required: ["type", "scheduler"],
  additionalProperties: false,
} as const satisfies Schema;

/** How the nodes of a block are shared out to tasks. */
export interface WorkerShape {
  readonly per_node_max?: number;
  readonly cores_per_worker: number;
  readonly memory_mib_per_worker?: number;
  readonly accelerators: readonly string[];
  readonly cpu_affinity: string;
}

/** Programs that run over several nodes of one block. */
export interface MpiShape extends Readonly<MpiSettings> {
  /** Programs at the same time in one block. */
  readonly per_block_max?: number;
}

/** An engine of pilot blocks, with every default filled in. */
export interface BatchEngine {
  readonly type: "batch";
  readonly scheduler: SchedulerName;
  readonly partition?: string;
  readonly account?: string;
  readonly project?: string;
  readonly qos?: string;
  readonly reservation?: string;
  readonly constraint?: string;
  readonly clusters?: string;
  readonly gres?: string;
  readonly select_options?: string;
  readonly parallel_environment?: string;
  /** LSF: ask for nodes rather than for slots. */
  readonly by_nodes?: boolean;
  readonly cores_per_node?: number;
  readonly memory_mib_per_node?: number;
  readonly gpus_per_node?: number;
  readonly exclusive: boolean;
  readonly scheduler_options: readonly string[];
  readonly worker_init?: string;
  /** Default: over the network, and failing that through the folder. */
  readonly reach?: readonly ReachWay[];
  readonly launcher: LauncherSpec;
  readonly blocks: {
    readonly nodes: number;
    readonly walltime_s: number;
    readonly init: number;
    readonly min: number;
    readonly max: number;
    readonly parallelism: number;
    readonly max_idle_s: number;
  };
  readonly workers: WorkerShape;
  readonly mpi?: MpiShape;
  readonly container?: Readonly<ContainerSpec>;
  /** Keys that were understood, and that mean nothing to gc. */
  readonly ignored: readonly string[];
}
