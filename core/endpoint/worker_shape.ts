/**
 * How tasks are placed on a node, from an engine's configuration into the file of its workers. On this machine the node
 * is known here; on nodes of blocks each worker finds out for itself (`worker/block_member.ts`).
 */
import { wordsOf } from "../../providers/quote.ts";
import type { LocalEngine } from "../config/engine_parts.ts";
import type { Host } from "../host/host.ts";
import type { BatchEngine, MpiShape } from "../schema/batch_engine.ts";
import type { MpiSettings } from "../schema/launcher.ts";
import type { ContainerSpec } from "../schema/placement.ts";
import type { WorkerFile } from "../schema/worker_file.ts";
import { shapeOnNode } from "../worker/block_member.ts";
import { nodeResources, thisNode } from "../worker/node_resources.ts";

/** "As many as the node has cores", where nothing else is said. */
export const slotsUnlimited = 65_536;

type Placement = Pick<
  WorkerFile,
  "memory_mib_per_slot" | "accelerators" | "accelerator_each" | "cpu_affinity" | "container" | "mpi"
>;

/** What the workers of blocks are told. @throws GcError config for container options with an open quote. */
export function blockPlacement({ workers, container, mpi }: BatchEngine): Placement {
  const { memory_mib_per_worker, accelerators, cpu_affinity } = workers;
  return {
    ...(memory_mib_per_worker === undefined ? {} : { memory_mib_per_slot: memory_mib_per_worker }),
    ...placement(accelerators, cpu_affinity, container),
    ...(mpi === undefined ? {} : { mpi: mpiSettings(mpi) }),
  };
}

function mpiSettings({ launcher, options }: MpiShape): MpiSettings {
  return { ...(launcher === undefined ? {} : { launcher }), ...(options === undefined ? {} : { options }) };
}

/**
 * Slots and shares of a worker on this machine.
 * @throws GcError as `blockPlacement`; missing `block.no_accelerators`.
 */
export function localPlacement(
  engine: LocalEngine,
  host: Pick<Host, "env" | "hostname">,
): Pick<WorkerFile, "slots" | "resources"> & Placement {
  const node = nodeResources(thisNode(host.env, host.hostname));
  const asked = placement(engine.accelerators ?? [], engine.cpu_affinity ?? "none", engine.container);
  const cores = engine.slots ?? node.cores;
  // Several workers would lend the same ones, each without knowing of the others.
  const found = engine.workers > 1 ? { accelerators: [], accelerators_given: true } : {};
  const memory_mib = engine.memory_mib ?? node.memory_mib;
  const shape = shapeOnNode(
    { slots: engine.slots ?? slotsUnlimited, resources: {}, ...asked },
    { ...node, ...found, cores, memory_mib },
  );
  return { ...asked, ...shape };
}

function placement(accelerators: readonly string[], cpu_affinity: string, container?: ContainerSpec): Placement {
  return {
    ...(accelerators.length === 0 ? {} : { accelerators: [...accelerators], accelerator_each: true }),
    ...(cpu_affinity === "none" ? {} : { cpu_affinity }),
    ...(container === undefined ? {} : { container: containerOf(container) }),
  };
}

function containerOf({ type, image, options }: ContainerSpec): NonNullable<WorkerFile["container"]> {
  const line = (options ?? "").trim().replace(/\s*\n\s*/g, " ");
  return { type, ...(image === undefined ? {} : { image }), options: wordsOf("container options", line) };
}
