/**
 * Engines as users of Globus Compute write them: `{type: GlobusComputeEngine, provider: {type: SlurmProvider, …,
 * launcher: {type: SrunLauncher}}}` (globus-compute.md §3). Every key that Globus Compute knows is known here; what has
 * no counterpart in gc is accepted and told in `ignored` (`config/globus_engine.ts`).
 */
import { acceleratorsSchema, linesSchema, spanPattern } from "./batch_engine.ts";
import { containerTypes, cpuAffinitySchema } from "./placement.ts";
import type { Schema, Static } from "./static.ts";

const count = { type: "integer", minimum: 0, maximum: 100000 } as const;
const text = { type: "string", maxLength: 65536 } as const;
const word = { type: "string", minLength: 1, maxLength: 256 } as const;
const number = { type: "number", minimum: 0 } as const;
const flag = { type: "boolean" } as const;

const launcher = <const T extends string, const P extends { readonly [key: string]: Schema }>(type: T, properties: P) =>
  ({
    type: "object",
    properties: { type: { const: type }, debug: flag, ...properties },
    required: ["type"],
    additionalProperties: false,
  }) as const;

const overrides = { overrides: { type: "string", maxLength: 4096 } } as const;

export const globusLauncherSchema = {
  type: "object",
  oneOf: [
    launcher("SimpleLauncher", {}),
    launcher("SingleNodeLauncher", { fail_on_any: flag }),
    launcher("WrappedLauncher", { prepend: { type: "string", maxLength: 4096 } }),
    launcher("SrunLauncher", overrides),
    launcher("SrunMPILauncher", overrides),
    launcher("AprunLauncher", overrides),
    launcher("JsrunLauncher", overrides),
    launcher("GnuParallelLauncher", {}),
    launcher("MpiExecLauncher", { bind_cmd: word, ...overrides }),
    launcher("MpiRunLauncher", { bash_location: word, ...overrides }),
  ],
  discriminator: { propertyName: "type" },
} as const satisfies Schema;

const common = {
  nodes_per_block: { ...count, minimum: 1, description: "Nodes of one block. Default: 1." },
  init_blocks: { ...count, description: "Blocks to ask for at the start. Default: 1." },
  min_blocks: { ...count, description: "Blocks to keep when there is nothing to do. Default: 0." },
  max_blocks: { ...count, description: "Blocks at the same time at most. Default: 1." },
  parallelism: {
    type: "number",
    minimum: 0,
    maximum: 1,
    description: "Share of the waiting tasks that blocks are asked for.",
  },
  walltime: { type: "string", pattern: spanPattern, description: "How long a block may live: 01:30:00, or 90m." },
  worker_init: { ...text, description: "Lines of shell that run once on each node before its worker." },
  cmd_timeout: { ...number, description: "Not needed: gc waits as long as the scheduler takes." },
  launcher: globusLauncherSchema,
} as const;

const provider = <const T extends string, const P extends { readonly [key: string]: Schema }>(type: T, properties: P) =>
  ({
    type: "object",
    properties: { type: { const: type }, ...common, ...properties },
    required: ["type"],
    additionalProperties: false,
  }) as const;

export const globusProviderSchema = {
  type: "object",
  oneOf: [
    provider("LocalProvider", {}),
    provider("SlurmProvider", {
      partition: { ...word, description: "Partition of the blocks." },
      account: { ...word, description: "Account that pays." },
      qos: { ...word, description: "Quality of service." },
      constraint: { ...word, description: "Features that the nodes must have." },
      clusters: { ...word, description: "The cluster, where Slurm has several." },
      cores_per_node: { ...count, minimum: 1 },
      mem_per_node: { ...number, description: "Memory to ask for on each node, in GB." },
      gpus_per_node: { ...count, description: "GPUs to ask for on each node." },
      gres: { ...word, description: "Generic resources of each node, such as gpu:a100:2." },
      exclusive: { ...flag, description: "Whether a block gets whole nodes. Default: yes." },
      scheduler_options: linesSchema,
      regex_job_id: { ...text, description: "Not needed: gc reads the id itself." },
      status_batch_size: { ...count, description: "Not needed: gc asks for all blocks at once." },
    }),
    provider("PBSProProvider", {
      account: { ...word, description: "Account that pays." },
      queue: { ...word, description: "Queue of the blocks." },
      scheduler_options: linesSchema,
      select_options: { ...word, description: "What follows ncpus in a chunk, such as ngpus=4." },
      cpus_per_node: { ...count, minimum: 1 },
    }),
    provider("TorqueProvider", { account: word, queue: word, scheduler_options: linesSchema }),
    provider("LSFProvider", {
      queue: { ...word, description: "Queue of the blocks." },
      project: word,
      cores_per_block: { ...count, minimum: 1 },
      cores_per_node: { ...count, minimum: 1 },
      scheduler_options: linesSchema,
      bsub_redirection: { ...flag, description: "Not needed: the script always goes to the standard input of bsub." },
      request_by_nodes: { ...flag, description: "Whether to ask for nodes rather than for slots. Default: yes." },
    }),
    provider("CobaltProvider", { account: word, queue: word, scheduler_options: linesSchema }),
    provider("GridEngineProvider", { queue: word, scheduler_options: linesSchema }),
  ],
  discriminator: { propertyName: "type" },
} as const satisfies Schema;

const base = {
  label: word,
  max_retries_on_system_failure: count,
  working_dir: word,
  run_in_sandbox: flag,
  allowed_serializers: { type: "array", items: { type: "string" } },
} as const;

/** Keys of the executor below. Those of its network have no counterpart: gc finds its own way. */
const executor = {
  provider: globusProviderSchema,
  encrypted: { ...flag, description: "Not needed: gc always encrypts." },
  strategy: { type: "string" },
  job_status_kwargs: {
    type: "object",
    properties: {
      max_idletime: number,
      strategy_period: number,
      strategy: { enum: ["none", "simple", "htex_auto_scale", null] },
    },
    required: [],
    additionalProperties: false,
  },
  container_type: { enum: containerTypes },
  container_uri: { ...text, description: "Image of the container." },
  container_cmd_options: { ...text, description: "More options for the command that starts the container." },
  address: {
    oneOf: [
      { type: "string", maxLength: 256 },
      {
        type: "object",
        properties: {
          type: { enum: ["address_by_interface", "address_by_hostname", "address_by_route", "address_by_query"] },
          ifname: word,
        },
        required: ["type"],
        additionalProperties: false,
      },
    ],
  },
  loopback_address: word,
  worker_port: count,
  worker_port_range: { type: "array", items: count },
  interchange_port_range: { type: "array", items: count },
  worker_debug: flag,
  mem_per_worker: { ...number, description: "Memory of a task that asks for none, in GB." },
  cpu_affinity: cpuAffinitySchema,
  available_accelerators: acceleratorsSchema,
  prefetch_capacity: { ...count, description: "Not needed: gc decides by what waits." },
  heartbeat_threshold: number,
  heartbeat_period: number,
  drain_period: { ...number, description: "Not needed: gc gives no tasks to a block that is about to end." },
  poll_period: number,
  address_probe_timeout: number,
  worker_logdir_root: word,
  manager_selector: { type: "object", additionalProperties: { type: "string" } },
  block_error_handler: flag,
  launch_cmd: text,
  max_workers_per_node: { ...count, minimum: 1, description: "Tasks on one node at most." },
} as const;

const engine = <const T extends string, const P extends { readonly [key: string]: Schema }>(
  type: T,
  about: string,
  properties: P,
) =>
  ({
    type: "object",
    description: about,
    properties: { type: { const: type }, ...base, ...properties },
    required: ["type"],
    additionalProperties: false,
  }) as const;

export const globusComputeEngineSchema = engine("GlobusComputeEngine", "As in Globus Compute: tasks on blocks.", {
  ...executor,
  cores_per_worker: number,
});

export const globusMpiEngineSchema = engine("GlobusMPIEngine", "As in Globus Compute: MPI programs on blocks.", {
  ...executor,
  mpi_launcher: { enum: ["mpiexec", "srun", "aprun"], description: "What starts MPI programs. Default: mpiexec." },
  max_workers_per_block: {
    ...count,
    minimum: 1,
    description: "MPI programs at the same time in one block. Default: 1.",
  },
});

export const threadPoolEngineSchema = engine("ThreadPoolEngine", "As in Globus Compute: tasks on this machine.", {
  max_workers: { ...count, minimum: 1 },
  thread_name_prefix: word,
});

export const processPoolEngineSchema = engine("ProcessPoolEngine", "As in Globus Compute: tasks on this machine.", {
  max_workers: { ...count, minimum: 1 },
  max_tasks_per_child: count,
});

export type GlobusProvider = Static<typeof globusProviderSchema>;
export type GlobusLauncher = Static<typeof globusLauncherSchema>;
export type GlobusEngine =
  | Static<typeof globusComputeEngineSchema>
  | Static<typeof globusMpiEngineSchema>
  | Static<typeof threadPoolEngineSchema>
  | Static<typeof processPoolEngineSchema>;
