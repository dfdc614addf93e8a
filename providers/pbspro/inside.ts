/** The view from inside a block of PBS Pro or Torque (providers.md §3.7, §4). */
import type { Allocation } from "../outcome.ts";
import type { InsideView } from "../profile.ts";

/** The file has a line per place, so a node can stand there more than once. It is only on the first node. */
export function nodeFile(env: InsideView["env"]): string[] {
  return env.PBS_NODEFILE === undefined ? [] : [env.PBS_NODEFILE];
}

export function pbsAllocation({ env, hostname, text }: InsideView): Allocation | undefined {
  const id = env.PBS_JOBID;
  if (id === undefined) return undefined;
  const lines = (env.PBS_NODEFILE === undefined ? undefined : text(env.PBS_NODEFILE))?.split("\n") ?? [];
  const nodes = [...new Set(lines.map((line) => line.trim()).filter((line) => line !== ""))];
  const cores = Number(env.PBS_NUM_PPN ?? env.NCPUS ?? 0);
  return {
    id,
    // Blocks are not rerun (`-r n`), and nothing tells one run from the next.
    incarnation: "0",
    nodes: nodes.length === 0 ? [hostname] : nodes,
    ...(cores > 0 ? { cores_per_node: cores } : {}),
  };
}

/** Each node once, in order, for launchers. */
export const pbsHosts = [`awk '!seen[$0]++' "$PBS_NODEFILE" >"$GC_HOSTS"`];
