/** When which task was on which node, and what follows from it: whether two met, and how long nodes stood idle. */

/** A task on one of its nodes. Times are seconds of one clock. */
export interface Stay {
  readonly task: string;
  readonly node: string;
  readonly begun_s: number;
  readonly ended_s: number;
}

/** Pairs of tasks that were on one node at the same time, in words. */
export function overlaps(stays: readonly Stay[]): string[] {
  return pairs(stays)
    .filter(([before, after]) => before.task !== after.task && after.begun_s < before.ended_s)
    .map(([before, after]) => `${after.task} began on ${after.node} before ${before.task} had ended`);
}

/** Milliseconds between the end of a task and the start of the next on the same node. */
export function idleGaps_ms(stays: readonly Stay[]): number[] {
  return pairs(stays).map(([before, after]) => (after.begun_s - before.ended_s) * 1000);
}

/**
 * Seconds in which a task that had not begun would have fitted on idle nodes together with every other that had not:
 * whatever the order, one of them should have begun. All tasks were there from the beginning.
 */
export function unused(stays: readonly Stay[], nodes: number): number {
  const tasks = [...Map.groupBy(stays, ({ task }) => task).values()].map((group) => {
    const [one] = group;
    return { nodes: group.length, begun_s: one?.begun_s ?? 0, ended_s: one?.ended_s ?? 0 };
  });
  const times = tasks.flatMap(({ begun_s, ended_s }) => [begun_s, ended_s]).sort((a, b) => a - b);
  let idle_s = 0;
  for (const [at, from] of times.entries()) {
    const to = times[at + 1] ?? from;
    const busy = tasks.filter(({ begun_s, ended_s }) => begun_s <= from && ended_s > from);
    const waiting = tasks.filter(({ begun_s }) => begun_s > from);
    const free = nodes - busy.reduce((sum, task) => sum + task.nodes, 0);
    if (waiting.length > 0 && waiting.every((task) => task.nodes <= free)) idle_s += to - from;
  }
  return idle_s;
}

/** Each stay with the next on the same node. */
function pairs(stays: readonly Stay[]): [Stay, Stay][] {
  return [...Map.groupBy(stays, ({ node }) => node).values()].flatMap((group) => {
    const sorted = group.toSorted((a, b) => a.begun_s - b.begun_s);
    return sorted.slice(1).map((stay, at): [Stay, Stay] => [sorted[at] as Stay, stay]);
  });
}
