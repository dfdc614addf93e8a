/**
 * Results of tasks that were submitted earlier: those that are there, or, with patience, all of them. They are handed
 * on as they arrive, so that a million of them need no memory.
 */
import { GcError } from "../core/errors.ts";
import type { ResultClass } from "../core/schema/envelope.ts";
import type { Result } from "../core/schema/result.ts";
import type { EnvelopeId, PrincipalId } from "../core/task/id.ts";
import type { TaskDesk } from "./task_desk.ts";
import { indicesOf, rowsOf, type Target } from "./task_targets.ts";

/** One task that has ended. */
export interface EndedTask {
  target: Target;
  index: number;
  from: PrincipalId;
  class: ResultClass;
  /** Absent when only classes were asked for. */
  result?: Result;
  /** This machine sent it to that very endpoint; otherwise only the relay says that it was the one. */
  pinned: boolean;
}

export interface CollectWish {
  /** Wait for those that have not ended; otherwise take what is there. */
  wait: boolean;
  /** Give up waiting after this time. */
  timeout_ms?: number;
  /** Results with their content, or only how they ended. */
  open: boolean;
}

/** What was not collected. */
export interface Uncollected {
  /** Tasks that have not ended, by envelope. */
  unfinished: { target: Target; indices: number[] }[];
  timed_out: boolean;
}

/** Hands every result of `targets` to `each`, in the order of arrival within an envelope. */
export async function collect(
  desk: TaskDesk,
  targets: readonly Target[],
  wish: CollectWish,
  each: (ended: EndedTask) => void | Promise<void>,
): Promise<Uncollected> {
  refuseHopeless(targets);
  const deadline = wish.timeout_ms === undefined ? undefined : desk.cli.host.clock.monotonic() + wish.timeout_ms;
  await desk.connected(wish.timeout_ms);
  const rows = wish.wait
    ? undefined
    : await rowsOf(
        desk,
        targets.map((target) => target.id),
      );
  const unfinished: Uncollected["unfinished"] = [];
  let timedOut = false;
  for (const target of targets) {
    const there = rows === undefined ? undefined : (rows.get(target.id)?.done ?? 0);
    const left = await collectOne(desk, target, wish, there, deadline, each);
    if (left.length > 0) unfinished.push({ target, indices: left });
    if (left.length > 0 && wish.wait) timedOut = true;
  }
  return { unfinished, timed_out: timedOut };
}

/** @param there how many results the relay has, when no more are waited for. Returns the tasks without one. */
async function collectOne(
  desk: TaskDesk,
  target: Target,
  wish: CollectWish,
  there: number | undefined,
  deadline: number | undefined,
  each: (ended: EndedTask) => void | Promise<void>,
): Promise<number[]> {
  const wanted = new Set(indicesOf(target));
  if (there === 0) return [...wanted];
  if (target.head !== undefined) desk.client.know(target.head);
  let seen = 0;
  const deliveries = desk.client.watch({ envelopes: [target.id] }, { open: wish.open });
  const { clock } = desk.cli.host;
  const wait_ms = deadline === undefined ? undefined : Math.max(0, deadline - clock.monotonic());
  const stopTimer = wait_ms === undefined ? undefined : clock.after(wait_ms, () => deliveries.stop());
  try {
    for await (const { batches, expired } of deliveries) {
      if (expired.length > 0) throw expiredError(target);
      for (const batch of batches) {
        for (const [place, index] of batch.indices.entries()) {
          seen += 1;
          if (!wanted.delete(index)) continue;
          const result = batch.results?.[place];
          const { from, pinned } = batch;
          const ended = { target, index, from, pinned, class: batch.classes[place] ?? "lost" } as const;
          await each(result === undefined ? ended : { ...ended, result });
        }
      }
      if (wanted.size === 0 || (there !== undefined && seen >= there)) break;
    }
  } finally {
    stopTimer?.();
  }
  return [...wanted].sort((a, b) => a - b);
}

/** Tasks that no result will ever come of. */
function refuseHopeless(targets: readonly Target[]): void {
  for (const { id, refused } of targets) {
    if (refused === undefined) continue;
    throw new GcError("unavailable", refused.code, `The task ${id} was not taken: ${refused.message}`, {
      hint: `gc retry ${id}`,
    });
  }
}

function expiredError(target: Target): GcError {
  return new GcError("unavailable", "task.expired", `No endpoint took the task ${target.id} before it expired`, {
    hint: `gc retry ${target.id as EnvelopeId}`,
  });
}
