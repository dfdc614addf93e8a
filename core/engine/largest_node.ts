/**
 * The largest node that an engine can ever have, as far as its configuration tells, and what can never run there. Such
 * a task is refused at once, with the reason; it would wait for ever.
 */
import type { Resources } from "../schema/task.ts";
import { rankFault } from "../task/ranks.ts";
import { wholeNodes } from "./whole_nodes.ts";

/** What is undefined is only known by the nodes themselves. */
export interface LargestNode {
  readonly cores?: number;
  readonly memory_mib?: number;
  readonly gpus?: number;
  /** Nodes that one task can have: those of a block. Undefined: one, this machine. */
  readonly nodes?: number;
}

/** Why a task can never run there; undefined when it may. */
export function misfit(needs: Resources, largest: LargestNode): string | undefined {
  const fault = rankFault(needs);
  if (fault !== undefined) return `It cannot be laid out: ${fault}`;
  const { cores = 1, memory_mib = 0, gpus = 0 } = needs;
  const nodes = wholeNodes(needs) ?? 1;
  const { nodes: most = 1 } = largest;
  if (nodes > most) {
    const has =
      largest.nodes === undefined ? "a task runs on one node here" : `a block here has ${most} (nodes_per_block)`;
    return `It asks for ${nodes} nodes, and ${has}`;
  }
  const told = (asked: string, has: string): string => `It asks for ${asked}, and the largest node here has ${has}`;
  if (largest.cores !== undefined && cores > largest.cores) return told(`${cores} cores`, String(largest.cores));
  if (largest.memory_mib !== undefined && memory_mib > largest.memory_mib) {
    return told(`${memory_mib} MiB of memory`, `${largest.memory_mib} MiB`);
  }
  if (largest.gpus === undefined || gpus <= largest.gpus) return undefined;
  return told(`${gpus} GPUs`, largest.gpus === 0 ? "none" : String(largest.gpus));
}
