/**
 * What a task needs for itself, in the words of `resource_specification`. Of num_nodes, num_ranks and ranks_per_node
 * two determine the third; what does not fit together is refused with the numbers, here and not hours later.
 */
import { ComputeError } from "./errors.ts";

/** Counts are whole numbers; memory is in MiB. The last four are for MPI programs. */
export interface ResourceSpecification {
  cores?: number;
  memory_mib?: number;
  gpus?: number;
  exclusive?: boolean;
  num_nodes?: number;
  num_ranks?: number;
  ranks_per_node?: number;
  launcher_options?: string;
}

/** The same in the words of a task. */
export interface TaskResources {
  cores?: number;
  memory_mib?: number;
  gpus?: number;
  exclusive?: boolean;
  nodes?: number;
  ranks?: number;
  ranks_per_node?: number;
  launcher_options?: string;
}

const names: { readonly [key: string]: keyof TaskResources } = {
  cores: "cores",
  cpus: "cores",
  memory_mib: "memory_mib",
  gpus: "gpus",
  exclusive: "exclusive",
  nodes: "nodes",
  num_nodes: "nodes",
  num_ranks: "ranks",
  ranks_per_node: "ranks_per_node",
  launcher_options: "launcher_options",
};

/** Resources of a task. @throws ComputeError `resource.invalid` naming the key and its value. */
export function resourcesOf(given: ResourceSpecification): TaskResources {
  const resources: { [key: string]: unknown } = {};
  for (const [key, value] of Object.entries(given)) {
    const name = Object.hasOwn(names, key) ? names[key] : undefined;
    if (name === undefined) {
      throw wrongResource(`resourceSpecification has no key "${key}"; it has: ${Object.keys(names).sort().join(", ")}`);
    }
    if (value === undefined || value === null) continue;
    const fits =
      name === "exclusive"
        ? typeof value === "boolean"
        : name === "launcher_options"
          ? typeof value === "string"
          : Number.isSafeInteger(value) && (value as number) >= (name === "gpus" ? 0 : 1);
    if (!fits) throw wrongResource(`resourceSpecification: "${key}" cannot be ${JSON.stringify(value)}`);
    resources[name] = value;
  }
  const fault = rankFault(resources as TaskResources);
  if (fault !== undefined) throw wrongResource(fault);
  return resources as TaskResources;
}

/** Resources of an MPI program, all three numbers filled in. @throws ComputeError `resource.invalid`. */
export function mpiResourcesOf(given: ResourceSpecification | undefined): TaskResources {
  const resources = resourcesOf(given ?? {});
  const { nodes, ranks, ranks_per_node } = resources;
  if (nodes === undefined && ranks === undefined && ranks_per_node === undefined) {
    throw wrongResource(
      "An MPIFunction needs a resourceSpecification with two of num_nodes, num_ranks and ranks_per_node, such as " +
        "{ num_nodes: 2, ranks_per_node: 4 }",
    );
  }
  if (nodes !== undefined) {
    const each = ranks_per_node ?? (ranks === undefined ? 1 : ranks / nodes);
    return { ...resources, nodes, ranks: nodes * each, ranks_per_node: each };
  }
  const each = ranks_per_node ?? ranks ?? 1;
  return { ...resources, nodes: (ranks ?? each) / each, ranks: ranks ?? each, ranks_per_node: each };
}

/** Whether there is a launcher for it: it names ranks, or more than one node. */
export function isParallel({ nodes, ranks, ranks_per_node }: TaskResources): boolean {
  return ranks !== undefined || ranks_per_node !== undefined || (nodes ?? 1) > 1;
}

function rankFault({ nodes, ranks, ranks_per_node: each }: TaskResources): string | undefined {
  if (nodes !== undefined && ranks !== undefined && each !== undefined && nodes * each !== ranks) {
    return `num_nodes ${nodes} times ranks_per_node ${each} make ${nodes * each} ranks, and num_ranks is ${ranks}`;
  }
  if (nodes !== undefined && ranks !== undefined && ranks % nodes !== 0) {
    return `num_ranks ${ranks} cannot be shared out evenly over num_nodes ${nodes}`;
  }
  if (ranks !== undefined && each !== undefined && ranks % each !== 0) {
    return `num_ranks ${ranks} cannot be ranks_per_node ${each} on each node: ${ranks % each} would be left over`;
  }
  return undefined;
}

function wrongResource(message: string): ComputeError {
  return new ComputeError(message, "resource.invalid");
}
