/**
 * How the processes of an MPI program lie on nodes. A task names two of nodes, ranks and ranks per node, and they
 * determine the third; what does not fit together is refused with the numbers. Never a fraction of a rank: the original
 * divides and starts "2.0" or "1.5" of them (globus-compute.md §3.3).
 */
import { GcError } from "../errors.ts";
import type { Resources } from "../schema/task.ts";

/** `ranks` is `nodes` times `ranks_per_node`. */
export interface RankShape {
  readonly nodes: number;
  readonly ranks: number;
  readonly ranks_per_node: number;
}

type Asked = Pick<Resources, "nodes" | "ranks" | "ranks_per_node">;

/** Whether it is started by an MPI launcher: it names ranks, or more than one node. */
export function isParallel({ nodes, ranks, ranks_per_node }: Asked): boolean {
  return ranks !== undefined || ranks_per_node !== undefined || (nodes ?? 1) > 1;
}

/**
 * Nodes, ranks and ranks per node of a task; undefined when it is not parallel (`isParallel`). Nodes alone are one rank
 * each; ranks alone, or ranks per node alone, are on one node.
 * @throws GcError usage `task.ranks` when the numbers contradict each other, or would need a fraction of a rank.
 */
export function rankShape(asked: Asked): RankShape | undefined {
  if (!isParallel(asked)) return undefined;
  const why = rankFault(asked);
  if (why !== undefined) throw new GcError("usage", "task.ranks", why, { hint: "gc run --help" });
  const { nodes, ranks, ranks_per_node } = asked;
  if (nodes !== undefined) {
    const each = ranks_per_node ?? (ranks === undefined ? 1 : ranks / nodes);
    return { nodes, ranks: nodes * each, ranks_per_node: each };
  }
  const each = ranks_per_node ?? ranks ?? 1;
  return { nodes: (ranks ?? each) / each, ranks: ranks ?? each, ranks_per_node: each };
}

/** Why these numbers cannot be had together, in words with the numbers; undefined when they can. */
export function rankFault({ nodes, ranks, ranks_per_node }: Asked): string | undefined {
  if (nodes !== undefined && ranks !== undefined && ranks_per_node !== undefined) {
    if (nodes * ranks_per_node === ranks) return undefined;
    const product = `${of(nodes, "node")} with ${of(ranks_per_node, "rank")} each make ${nodes * ranks_per_node}`;
    return `${product}, and the task asks for ${of(ranks, "rank")}`;
  }
  if (nodes !== undefined && ranks !== undefined && ranks % nodes !== 0) {
    return `${of(ranks, "rank")} cannot be shared out evenly over ${of(nodes, "node")}`;
  }
  if (ranks !== undefined && ranks_per_node !== undefined && ranks % ranks_per_node !== 0) {
    const left = ranks % ranks_per_node;
    return `${of(ranks, "rank")} cannot be ${ranks_per_node} on each node: ${left} would be left over`;
  }
  return undefined;
}

function of(count: number, thing: string): string {
  return `${count} ${thing}${count === 1 ? "" : "s"}`;
}
