/** The view from inside a block of LSF or OpenLava (providers.md §5.7). */
import type { Allocation } from "../outcome.ts";
import type { InsideView } from "../profile.ts";

/**
 * `LSB_MCPU_HOSTS` is `h1 n1 h2 n2 …`. Some sites put the node on which the script runs, with one slot, before the
 * nodes that work: a first one with one slot where the next has more is left out.
 */
export function lsfAllocation({ env, hostname }: InsideView): Allocation | undefined {
  const id = env.LSB_JOBID;
  if (id === undefined) return undefined;
  const words = (env.LSB_MCPU_HOSTS ?? "").trim().split(/\s+/);
  const pairs: { name: string; slots: number }[] = [];
  for (let i = 0; i + 1 < words.length; i += 2) pairs.push({ name: words[i] ?? "", slots: Number(words[i + 1]) });
  const working = pairs[0]?.slots === 1 && (pairs[1]?.slots ?? 0) > 1 ? pairs.slice(1) : pairs;
  const cores = working.length === 0 ? 0 : Math.min(...working.map(({ slots }) => slots));
  const names = [...new Set(working.map(({ name }) => name))];
  return {
    id,
    incarnation: env.LSB_RESTART ?? "0",
    nodes: names.length === 0 ? [hostname] : names,
    ...(cores > 0 ? { cores_per_node: cores } : {}),
  };
}

/** The same rule, for launchers. */
export const lsfHosts = [
  'echo "$LSB_MCPU_HOSTS" |',
  "  awk '{ for (i = (NF > 2 && $2 == 1 && $4 > 1) ? 3 : 1; i < NF; i += 2) print $i }' >\"$GC_HOSTS\"",
];
