/**
 * An engine of Globus Compute → ours, with Globus Compute's own defaults (globus-compute.md §3). What only steers its
 * network, its polling or its logs has no counterpart here; such keys are told in `ignored`, never dropped in silence.
 */
import type { BatchEngine, SchedulerName } from "../schema/batch_engine.ts";
import type { GlobusEngine, GlobusLauncher, GlobusProvider } from "../schema/globus_engine.ts";
import type { LauncherSpec } from "../schema/launcher.ts";
import {
  acceleratorNames,
  type Complain,
  checkContainer,
  type LocalEngine,
  linesOf,
  usualLauncher,
} from "./engine_parts.ts";
import { secondsOfSpan } from "./span.ts";

type Executor = Extract<GlobusEngine, { type: "GlobusComputeEngine" | "GlobusMPIEngine" }>;
type BatchProvider = Exclude<GlobusProvider, { type: "LocalProvider" }>;

const schedulerOf: { readonly [type in BatchProvider["type"]]: SchedulerName } = {
  SlurmProvider: "slurm",
  PBSProProvider: "pbspro",
  TorqueProvider: "torque",
  LSFProvider: "lsf",
  CobaltProvider: "cobalt",
  GridEngineProvider: "gridengine",
};

/** Keys that gc has an own way for. */
const ignoredKeys: readonly string[] = [
  ...["label", "max_retries_on_system_failure", "working_dir", "run_in_sandbox", "allowed_serializers"],
  ...["encrypted", "strategy", "address", "loopback_address", "worker_port", "worker_port_range"],
  ...["interchange_port_range", "worker_debug", "prefetch_capacity", "heartbeat_threshold", "heartbeat_period"],
  ...["drain_period", "poll_period", "address_probe_timeout", "worker_logdir_root", "manager_selector"],
  ...["block_error_handler", "launch_cmd", "thread_name_prefix", "max_tasks_per_child"],
];
const ignoredProviderKeys = ["cmd_timeout", "regex_job_id", "status_batch_size", "bsub_redirection"];
const ignoredLauncherKeys = ["debug", "fail_on_any", "bash_location"];

/** @throws what `complain` makes of what cannot be translated. */
export function globusEngine(engine: GlobusEngine, complain: Complain): LocalEngine | BatchEngine {
  if (engine.type === "ThreadPoolEngine" || engine.type === "ProcessPoolEngine") return local(engine.max_workers);
  const { provider } = engine;
  if (engine.type === "GlobusMPIEngine") checkMpi(engine, complain);
  if (provider === undefined || provider.type === "LocalProvider") return localExecutor(engine, complain);
  return batch(engine, provider, complain);
}

function local(slots: number | undefined): LocalEngine {
  return { type: "local", workers: 1, ...(slots === undefined ? {} : { slots }) };
}

function localExecutor(engine: Executor, complain: Complain): LocalEngine {
  const { available_accelerators: accelerators, cpu_affinity } = engine;
  const container = containerOf(engine, complain);
  return {
    ...local(engine.max_workers_per_node),
    ...(accelerators === undefined ? {} : { accelerators: acceleratorNames(accelerators) }),
    ...(cpu_affinity === undefined ? {} : { cpu_affinity }),
    ...(container === undefined ? {} : { container }),
  };
}

/**
 * Theirs needs the simple launcher, since one process on the first node starts all programs; ours has a worker on each
 * node, so that nodes can be shared out and cleaned up one by one: the scheduler's own launcher starts those.
 */
function checkMpi({ provider }: Executor, complain: Complain): void {
  const launcher = provider?.launcher?.type;
  if (provider === undefined || provider.type === "LocalProvider") {
    throw complain(["provider"], "must be a batch scheduler: an MPI engine shares out the nodes of blocks");
  }
  if (launcher === "SimpleLauncher") return;
  const found = launcher === undefined ? "missing" : `"${launcher}"`;
  const what = `is ${found}; an MPI engine starts its programs itself, so it must be "SimpleLauncher"`;
  throw complain(["provider", "launcher", "type"], what);
}

function batch(engine: Executor, provider: BatchProvider, complain: Complain): BatchEngine {
  const scheduler = schedulerOf[provider.type];
  const init = provider.init_blocks ?? 1;
  const still = engine.strategy === "none" || engine.job_status_kwargs?.strategy === "none";
  const slow = scheduler === "pbspro" || scheduler === "torque";
  const per_node_max = engine.max_workers_per_node;
  const mib = engine.mem_per_worker === undefined ? undefined : Math.ceil(engine.mem_per_worker * 1024);
  const container = containerOf(engine, complain);
  return {
    type: "batch",
    scheduler,
    ...asked(provider),
    ...(provider.worker_init === undefined ? {} : { worker_init: provider.worker_init }),
    scheduler_options: linesOf(provider.scheduler_options),
    launcher:
      engine.type === "GlobusMPIEngine"
        ? { type: usualLauncher(scheduler, provider.nodes_per_block ?? 1) }
        : launcherOf(provider.launcher, scheduler, complain),
    blocks: {
      nodes: provider.nodes_per_block ?? 1,
      walltime_s: secondsOfSpan(provider.walltime ?? (slow ? "00:20:00" : "00:10:00")),
      init,
      min: still ? init : (provider.min_blocks ?? 0),
      max: still ? Math.max(init, 1) : (provider.max_blocks ?? 1),
      parallelism: provider.parallelism ?? 1,
      max_idle_s: engine.job_status_kwargs?.max_idletime ?? 120,
    },
    workers: {
      ...(per_node_max === undefined ? {} : { per_node_max }),
      cores_per_worker: engine.type === "GlobusMPIEngine" ? 0 : (engine.cores_per_worker ?? 1),
      ...(mib === undefined ? {} : { memory_mib_per_worker: mib }),
      accelerators: acceleratorNames(engine.available_accelerators),
      cpu_affinity: engine.cpu_affinity ?? "none",
    },
    ...(engine.type === "GlobusMPIEngine" ? { mpi: mpiOf(engine) } : {}),
    ...(container === undefined ? {} : { container }),
    ignored: ignoredOf(engine, provider),
  };
}

function mpiOf(engine: Extract<Executor, { type: "GlobusMPIEngine" }>): NonNullable<BatchEngine["mpi"]> {
  // Their tutorial says max_workers_per_node where the engine means max_workers_per_block.
  const per_block_max = engine.max_workers_per_block ?? engine.max_workers_per_node ?? 1;
  const launcher = engine.mpi_launcher ?? "mpiexec";
  return { launcher, per_block_max };
}

/** What the scheduler is asked for. */
function asked(provider: BatchProvider) {
  switch (provider.type) {
    case "SlurmProvider": {
      const { partition, account, qos, constraint, clusters, cores_per_node, gpus_per_node, gres } = provider;
      const memory = provider.mem_per_node;
      return {
        ...defined({ partition, account, qos, constraint, clusters, cores_per_node, gpus_per_node, gres }),
        ...(memory === undefined ? {} : { memory_mib_per_node: Math.ceil(memory * 1024) }),
        exclusive: provider.exclusive ?? true,
      };
    }
    case "PBSProProvider": {
      const { account, queue, select_options, cpus_per_node } = provider;
      const cores_per_node = cpus_per_node ?? 1;
      return { ...defined({ account, partition: queue, select_options, cores_per_node }), exclusive: false };
    }
    case "LSFProvider": {
      const { queue, project, cores_per_node, cores_per_block, nodes_per_block, request_by_nodes } = provider;
      const by_nodes = request_by_nodes ?? true;
      const shared = cores_per_block === undefined ? undefined : Math.ceil(cores_per_block / (nodes_per_block ?? 1));
      return {
        ...defined({ partition: queue, project, cores_per_node: cores_per_node ?? shared }),
        by_nodes,
        exclusive: false,
      };
    }
    case "TorqueProvider":
    case "CobaltProvider":
      return { ...defined({ account: provider.account, partition: provider.queue }), exclusive: false };
    case "GridEngineProvider":
      return { ...defined({ partition: provider.queue }), exclusive: false };
  }
}

function launcherOf(launcher: GlobusLauncher | undefined, scheduler: SchedulerName, complain: Complain): LauncherSpec {
  if (launcher === undefined) return { type: scheduler === "torque" ? "aprun" : "single" };
  switch (launcher.type) {
    case "SimpleLauncher":
    case "SingleNodeLauncher":
      return { type: "single" };
    case "WrappedLauncher":
      if (launcher.prepend?.trim()) return { type: "wrapped", prepend: launcher.prepend };
      throw complain(["provider", "launcher"], 'lacks the key "prepend"');
    case "GnuParallelLauncher":
      return { type: "gnu_parallel" };
    case "MpiExecLauncher":
      return { type: "mpiexec", bind_cmd: launcher.bind_cmd ?? "--bind-to", ...more(launcher.overrides) };
    case "MpiRunLauncher":
      return { type: "mpirun", ...more(launcher.overrides) };
    case "SrunLauncher":
    case "SrunMPILauncher":
      return { type: "srun", ...more(launcher.overrides) };
    case "AprunLauncher":
      return { type: "aprun", ...more(launcher.overrides) };
    case "JsrunLauncher":
      return { type: "jsrun", ...more(launcher.overrides) };
  }
}

function more(overrides: string | undefined): { overrides?: string } {
  return overrides === undefined || overrides.trim() === "" ? {} : { overrides };
}

function containerOf(engine: Executor, complain: Complain): BatchEngine["container"] {
  const { container_type: type, container_uri: image, container_cmd_options: options } = engine;
  if (type === undefined) {
    if (image === undefined) return undefined;
    throw complain(["container_uri"], 'needs "container_type" beside it');
  }
  const container = { type, ...defined({ image, options }) };
  const keys = { type: ["container_type"], image: "container_uri", options: "container_cmd_options" };
  checkContainer(container, keys, complain);
  return container;
}

function ignoredOf(engine: Executor, provider: BatchProvider): string[] {
  const among = (keys: readonly string[], value: object, above: string) =>
    Object.keys(value)
      .filter((key) => keys.includes(key))
      .map((key) => above + key);
  return [
    ...among(ignoredKeys, engine, ""),
    ...among(ignoredProviderKeys, provider, "provider."),
    ...among(ignoredLauncherKeys, provider.launcher ?? {}, "provider.launcher."),
  ];
}

type Defined<T> = { [K in keyof T]?: Exclude<T[K], undefined> };

/** Only the keys that have a value. */
function defined<T extends object>(values: T): Defined<T> {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined)) as Defined<T>;
}
