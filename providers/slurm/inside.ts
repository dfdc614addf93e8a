/** The view from inside a Slurm block (providers.md §2.7). */
import { expandHostlist } from "../hostlist.ts";
import type { Allocation } from "../outcome.ts";
import type { InsideView } from "../profile.ts";

export function slurmAllocation({ env, hostname }: InsideView): Allocation | undefined {
  const id = env.SLURM_JOB_ID;
  if (id === undefined) return undefined;
  const nodes = expandHostlist(env.SLURM_JOB_NODELIST ?? env.SLURM_NODELIST ?? "") ?? [];
  const cores = leastOf(env.SLURM_JOB_CPUS_PER_NODE ?? env.SLURM_CPUS_ON_NODE ?? "");
  const memory_mib = Number(env.SLURM_MEM_PER_NODE ?? 0) || Number(env.SLURM_MEM_PER_CPU ?? 0) * cores;
  const gpus = Number(env.SLURM_GPUS_ON_NODE ?? 0);
  const ends_s = Number(env.SLURM_JOB_END_TIME ?? 0);
  return {
    id,
    incarnation: env.SLURM_RESTART_COUNT ?? "0",
    nodes: nodes.length === 0 ? [env.SLURMD_NODENAME ?? hostname] : nodes,
    ...(cores > 0 ? { cores_per_node: cores } : {}),
    ...(memory_mib > 0 ? { memory_mib_per_node: memory_mib } : {}),
    ...(gpus > 0 ? { gpus_per_node: gpus } : {}),
    ...(ends_s > 0 ? { ends_at_ms: ends_s * 1000 } : {}),
  };
}

/** `72(x2),36` → 36: what every node has. */
function leastOf(text: string): number {
  const counts = text.split(",").map((part) => Number(part.replace(/\(x\d+\)$/, "")));
  return counts.every((count) => Number.isInteger(count) && count > 0) ? Math.min(...counts) : 0;
}
