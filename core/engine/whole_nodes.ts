/**
 * Which tasks take whole nodes, and which nodes of a block they get: whole workers, for every worker of a block is one
 * node of it. Pure.
 */
import type { Resources } from "../schema/task.ts";
import { isParallel, rankFault, rankShape } from "../task/ranks.ts";

/** Whole nodes that a task takes; undefined for an ordinary one, which shares its node with others. */
export function wholeNodes(needs: Resources): number | undefined {
  if (needs.nodes === undefined && !isParallel(needs)) return undefined;
  if (rankFault(needs) !== undefined) return needs.nodes ?? 1;
  return rankShape(needs)?.nodes ?? needs.nodes;
}

/** Orders host names as people do: node2 before node10. */
export function byName(a: string, b: string): number {
  const [left, right] = [partsOf(a), partsOf(b)];
  for (let k = 0; k < Math.min(left.length, right.length); k++) {
    const [one = "", other = ""] = [left[k], right[k]];
    if (one === other) continue;
    const difference = Number(one) - Number(other);
    return Number.isNaN(difference) || difference === 0 ? (one < other ? -1 : 1) : difference;
  }
  return left.length - right.length;
}

function partsOf(name: string): string[] {
  return name.match(/\d+|\D+/g) ?? [];
}

/**
 * `count` of the `free` places (ascending positions in the block): neighbours where there are enough of them, of the
 * shortest such run, so that longer ones stay whole; else the longest runs, so that there are few gaps. Neighbours in
 * the order of names are near to each other in the network nearly everywhere (providers.md §19.5).
 */
export function contiguous(free: readonly number[], count: number): number[] {
  const runs: number[][] = [];
  for (const at of free) {
    const run = runs.at(-1);
    if (run !== undefined && run.at(-1) === at - 1) run.push(at);
    else runs.push([at]);
  }
  const long = runs.filter((run) => run.length >= count).sort((a, b) => a.length - b.length);
  if (long[0] !== undefined) return long[0].slice(0, count);
  runs.sort((a, b) => b.length - a.length);
  return runs
    .flat()
    .slice(0, count)
    .sort((a, b) => a - b);
}
