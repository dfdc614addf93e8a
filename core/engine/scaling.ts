/**
 * How many blocks an endpoint should have. Pure: what waits and what there is go in, what to ask for and what to give
 * back comes out. A busy block is never given back; a held one counts, because it will run some day.
 */

/** What the configuration says. */
export interface ScalingRules {
  readonly init_blocks: number;
  readonly min_blocks: number;
  readonly max_blocks: number;
  readonly nodes_per_block: number;
  readonly slots_per_node: number;
  /** Share of the demand that blocks are asked for: 1 is a slot for every task, 0 a single block for all. */
  readonly parallelism: number;
  /** A block without a task for so long is given back. */
  readonly max_idle_ms: number;
  /** It is outside its hours: nothing is asked for, what has not started is withdrawn; what runs goes on, or leaves. */
  readonly closed?: "keep" | "drain";
}

/** One block as scaling sees it. */
export interface BlockView {
  readonly id: string;
  /** `coming`: asked for, no worker yet. `up`: it has or had workers. `leaving`: it is being given back. */
  readonly stage: "coming" | "up" | "leaving";
  readonly planned_ms: number;
  /** A worker of it is known, from this life of the endpoint or an earlier one: it has started. */
  readonly manned?: boolean;
  /** Since when no task is with it; undefined while it is busy, or not up yet. */
  readonly idle_since_ms: number | undefined;
  /** Since when something waits for more nodes than it has left, and no other block has them either. */
  readonly short_since_ms?: number | undefined;
}

/** How many tasks wait for a worker or have one. `whole`: those on whole nodes, and how many blocks they would fill. */
export interface Demand {
  readonly waiting: number;
  readonly running: number;
  readonly whole?: { readonly tasks: number; readonly blocks: number };
}

export interface ScalingPlan {
  /** Blocks to ask for. */
  readonly more: number;
  /** Blocks to let finish and give back. */
  readonly drain: string[];
  /** Blocks that have not started and are not needed any more. */
  readonly withdraw: string[];
  /** When to look again although nothing happened. */
  readonly look_again_ms: number | undefined;
}

/** What should change. `first`: nothing was ever planned in this life. */
export function scale(
  rules: ScalingRules,
  tasks: Demand,
  blocks: readonly BlockView[],
  first: boolean,
  now_ms: number,
): ScalingPlan {
  if (rules.closed !== undefined) return close(rules, tasks, blocks, now_ms, rules.closed);
  const live = blocks.filter(({ stage }) => stage !== "leaving");
  const wanted = Math.max(first ? Math.min(rules.init_blocks, rules.max_blocks) : 0, demand(rules, tasks));
  // One that has lost nodes is not what is wanted; a moment is left to those that are still coming up.
  const isShort = ({ short_since_ms = now_ms }: BlockView): boolean => now_ms - short_since_ms > rules.max_idle_ms;
  const able = live.filter((block) => !isShort(block)).length;
  // What leaves is still there, and counts against the limit until it has gone.
  const more = Math.max(0, Math.min(wanted - able, rules.max_blocks - blocks.length));
  const coming = live.filter(({ stage }) => stage === "coming").sort((a, b) => b.planned_ms - a.planned_ms);
  let spare = live.length - Math.max(wanted, rules.min_blocks);
  const withdraw: string[] = [];
  const drain: string[] = [];
  let look_again_ms: number | undefined;
  const soon = (at_ms: number): void => {
    look_again_ms = Math.min(look_again_ms ?? at_ms, at_ms);
  };
  // What has not started is withdrawn only when nothing waits at all: queues are long, and demand comes and goes.
  if (tasks.waiting === 0) {
    for (const { id, planned_ms } of coming) {
      if (spare <= 0) break;
      const due_ms = planned_ms + rules.max_idle_ms;
      if (due_ms > now_ms) {
        soon(due_ms);
        continue;
      }
      withdraw.push(id);
      spare--;
    }
  }
  for (const block of live) {
    const { id, idle_since_ms, short_since_ms } = block;
    if (short_since_ms !== undefined && !isShort(block)) soon(short_since_ms + rules.max_idle_ms + 1);
    if (idle_since_ms === undefined || (spare <= 0 && !isShort(block))) continue;
    const due_ms = idle_since_ms + rules.max_idle_ms;
    if (due_ms > now_ms) {
      soon(due_ms);
      continue;
    }
    drain.push(id);
    spare--;
  }
  return { more, drain, withdraw, look_again_ms };
}

/** Outside its hours an endpoint has no demand but for what runs. */
function close(
  { closed: _, ...rules }: ScalingRules,
  { running }: { running: number },
  blocks: readonly BlockView[],
  now_ms: number,
  how: "keep" | "drain",
): ScalingPlan {
  const unstarted = blocks.filter(({ stage, manned }) => stage === "coming" && manned !== true);
  const others = blocks.filter((block) => !unstarted.includes(block));
  const { drain, look_again_ms } = scale({ ...rules, min_blocks: 0 }, { waiting: 0, running }, others, false, now_ms);
  const up = others.filter(({ stage }) => stage === "up").map(({ id }) => id);
  // One that has workers which do not answer yet, as after a restart, may well have tasks.
  return { more: 0, drain: how === "drain" ? up : drain, withdraw: unstarted.map(({ id }) => id), look_again_ms };
}

function demand(rules: ScalingRules, { waiting, running, whole }: Demand): number {
  const { min_blocks, max_blocks, slots_per_node, nodes_per_block, parallelism } = rules;
  const tasks = waiting + running;
  if (tasks === 0) return Math.min(min_blocks, max_blocks);
  const slots = slots_per_node * nodes_per_block;
  const { tasks: gangs, blocks } = whole ?? { tasks: 0, blocks: 0 };
  const wanted = Math.max(1, Math.ceil(((tasks - gangs) / slots + blocks) * parallelism - 1e-9));
  return Math.min(max_blocks, Math.max(min_blocks, wanted));
}
