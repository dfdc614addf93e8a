/**
 * How the processors of a node are cut into groups, one per slot, in the words of Globus Compute (`cpu_affinity`,
 * providers.md §18.2). Pure.
 */
import { cpuList } from "./node_resources.ts";

/** How many groups a policy has by itself: only a list has. */
export function groupsOfList(policy: string): number | undefined {
  return policy.startsWith("list:") ? policy.slice(5).split(":").length : undefined;
}

/**
 * The processors of each of `slots` slots, out of `cpus`; empty when nothing is bound.
 * @returns a sentence that says why, when the policy cannot be followed.
 */
export function cpuGroups(policy: string, slots: number, cpus: readonly number[]): number[][] | string {
  if (policy === "none") return [];
  if (policy.startsWith("list:")) return listed(policy.slice(5), slots, new Set(cpus));
  const each = Math.floor(cpus.length / slots);
  if (each < 1) return `there are ${cpus.length} processors for ${slots} slots`;
  const ranks = Array.from({ length: slots }, (_, rank) => rank);
  switch (policy) {
    case "block":
      return ranks.map((rank) => cpus.slice(rank * each, (rank + 1) * each));
    case "block-reverse":
      return ranks.map((rank) => cpus.slice((slots - rank - 1) * each, (slots - rank) * each));
    case "alternating":
      return ranks.map((rank) => cpus.filter((_, i) => i % slots === rank));
    default:
      return "this way of binding is not known";
  }
}

function listed(text: string, slots: number, allowed: ReadonlySet<number>): number[][] | string {
  const groups = text.split(":").map(cpuList);
  if (groups.length < slots) return `the list has ${groups.length} groups for ${slots} slots`;
  for (const [rank, group] of groups.entries()) {
    const missing = group.find((cpu) => !allowed.has(cpu));
    if (missing !== undefined) return `processor ${missing} of group ${rank} is not ours`;
    if (group.length === 0) return `group ${rank} of the list is empty`;
  }
  return groups.slice(0, slots);
}
