/**
 * What a worker shares out, from its file and from the node it finds itself on. What the file asks for and the node
 * cannot do is said once, in the log, and not done.
 */
import type { Log } from "../host/host.ts";
import type { WorkerFile } from "../schema/worker_file.ts";
import { cpuGroups } from "./cpu_affinity.ts";
import type { NodeResources } from "./node_resources.ts";
import type { Sharing } from "./slots.ts";

/** Without seats when all slots are alike, as at most endpoints. */
export function sharingOf(file: WorkerFile, node: Pick<NodeResources, "cpus">, log: Log): Sharing {
  const { slots, cores_per_slot, memory_mib_per_slot, accelerators = [], accelerator_each = false } = file;
  const groups = groupsOf(file, node.cpus, log);
  const each = {
    ...(cores_per_slot === undefined ? {} : { cores: cores_per_slot }),
    ...(memory_mib_per_slot === undefined ? {} : { memory_mib: memory_mib_per_slot }),
    ...(accelerator_each ? { gpus: 1 } : {}),
  };
  if (groups.length === 0 && accelerators.length === 0) return { each };
  return { each, seats: { slots, groups, accelerators, accelerator_each } };
}

function groupsOf({ cpu_affinity, slots }: WorkerFile, cpus: readonly number[], log: Log): number[][] {
  const groups = cpuGroups(cpu_affinity ?? "none", slots, cpus);
  if (typeof groups !== "string") return groups;
  log.warn("worker.not_bound", { cpu_affinity, why: groups });
  return [];
}
