/**
 * The engine of a configuration, in whichever of the forms it was written → one shape with every default filled in.
 * What the schema cannot say is checked here: keys that exclude each other, numbers that do not go together.
 */
import type { BatchEngine, batchEngineSchema } from "../schema/batch_engine.ts";
import type { EndpointConfigFile } from "../schema/config.ts";
import type { GlobusEngine } from "../schema/globus_engine.ts";
import type { MpiSettings } from "../schema/launcher.ts";
import type { Static } from "../schema/static.ts";
import {
  acceleratorNames,
  type Complain,
  checkContainer,
  type LocalEngine,
  linesOf,
  usualLauncher,
} from "./engine_parts.ts";
import { globusEngine } from "./globus_engine.ts";
import { secondsOfSpan } from "./span.ts";

export type EngineConfig = LocalEngine | BatchEngine;

type EngineFile = EndpointConfigFile["engine"];

/** @throws what `complain` makes of the first thing that is wrong. */
export function engineConfig(file: EngineFile, complain: Complain): EngineConfig {
  if (file.type === "batch") return checked(batchEngine(file, complain), complain, []);
  if (file.type !== "local") {
    const engine = globusEngine(file as GlobusEngine, complain);
    return engine.type === "local" ? engine : checked(engine, complain, ["provider"]);
  }
  return localEngine(file, complain);
}

function localEngine(file: Extract<EngineFile, { type: "local" }>, complain: Complain): LocalEngine {
  const { available_accelerators, ...engine } = file;
  const { slots, cpu_affinity, container, workers = 1 } = engine;
  checkContainer(container, containerKeys, complain);
  if (slots !== undefined && workers > slots) {
    throw complain(["workers"], `is ${workers}, more than the ${slots} slots that they share`);
  }
  const bound = cpu_affinity !== undefined && cpu_affinity !== "none";
  const single = bound ? "cpu_affinity" : available_accelerators === undefined ? undefined : "available_accelerators";
  if (single !== undefined && workers > 1) {
    throw complain(["workers"], `is ${workers}, but "${single}" is only for one worker: several would lend the same`);
  }
  const accelerators = available_accelerators === undefined ? undefined : acceleratorNames(available_accelerators);
  return { ...engine, workers, ...(accelerators === undefined ? {} : { accelerators }) };
}

const containerKeys = { type: ["container", "type"], image: "image", options: "options" };

function batchEngine(file: Static<typeof batchEngineSchema>, complain: Complain): BatchEngine {
  const { type, scheduler, queue, walltime, init_blocks, min_blocks, max_blocks, parallelism, max_idletime, ...rest } =
    file;
  const { nodes_per_block, launcher, launcher_options, scheduler_options, ...others } = rest;
  const { max_workers_per_node, cores_per_worker, memory_per_worker, available_accelerators, ...these } = others;
  const { cpu_affinity, mpi_launcher, mpi_launcher_options, ...asked } = these;
  if (queue !== undefined && asked.partition !== undefined) throw complain(["queue"], 'says the same as "partition"');
  checkContainer(asked.container, containerKeys, complain);
  const partition = asked.partition ?? queue;
  const nodes = nodes_per_block ?? 1;
  const exclusive = asked.exclusive ?? scheduler === "slurm";
  const wholeMemory = exclusive && scheduler === "slurm";
  return {
    ...asked,
    type,
    scheduler,
    ...(partition === undefined ? {} : { partition }),
    exclusive,
    // A whole node with only the usual memory for each core may be more than there is, and then is refused (22.05).
    ...(wholeMemory && asked.memory_mib_per_node === undefined ? { memory_mib_per_node: 0 } : {}),
    scheduler_options: linesOf(scheduler_options),
    launcher: {
      type: launcher ?? usualLauncher(scheduler, nodes),
      ...(launcher_options === undefined ? {} : { overrides: launcher_options }),
    },
    blocks: {
      nodes,
      walltime_s: secondsOfSpan(walltime ?? "1h"),
      init: init_blocks ?? 0,
      min: min_blocks ?? 0,
      max: max_blocks ?? 1,
      parallelism: parallelism ?? 1,
      max_idle_s: secondsOfSpan(max_idletime ?? "2m"),
    },
    workers: {
      ...(max_workers_per_node === undefined ? {} : { per_node_max: max_workers_per_node }),
      cores_per_worker: cores_per_worker ?? 1,
      ...(memory_per_worker === undefined ? {} : { memory_mib_per_worker: Math.ceil(memory_per_worker * 1024) }),
      accelerators: acceleratorNames(available_accelerators),
      cpu_affinity: cpu_affinity ?? "none",
    },
    ...mpiOf(mpi_launcher, mpi_launcher_options),
    ignored: [],
  };
}

function mpiOf(launcher: MpiSettings["launcher"], options: string | undefined): Pick<BatchEngine, "mpi"> {
  if (launcher === undefined && options === undefined) return {};
  return { mpi: { ...(launcher === undefined ? {} : { launcher }), ...(options === undefined ? {} : { options }) } };
}

function checked(engine: BatchEngine, complain: Complain, above: readonly string[]): BatchEngine {
  const { init, min, max, walltime_s } = engine.blocks;
  if (max < 1) throw complain([...above, "max_blocks"], "is 0, so no task could ever run");
  if (min > max) throw complain([...above, "min_blocks"], `is ${min}, more than the ${max} of "max_blocks"`);
  if (init > max) throw complain([...above, "init_blocks"], `is ${init}, more than the ${max} of "max_blocks"`);
  if (walltime_s < 60)
    throw complain([...above, "walltime"], `is ${walltime_s} s, and no scheduler gives less than 60`);
  return engine;
}
