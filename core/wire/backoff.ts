/**
 * When to try again: full jitter between nothing and a bound that doubles, so that a thousand endpoints whose relay
 * restarts do not come back as one wave. Pure; the dice are an argument. gc never gives up.
 */
import type { GcError } from "../errors.ts";
import { reconnectFirst_ms, reconnectMax_ms } from "../limits.ts";

/** A link that held for so long was a success: the next break starts again at the first delay. */
export const steadyAfter_ms = 10_000;

/**
 * Milliseconds until attempt `failures + 1`. Errors that time does not heal wait about the maximum from the start. What
 * the other side asked for is the least, spread by half of it.
 * @param failures attempts in a row that failed, 1 or more.
 * @param max_ms the largest bound for what time heals.
 */
export function retryDelay(
  failures: number,
  reason: GcError,
  uniform: () => number,
  max_ms: number = reconnectMax_ms,
): number {
  const asked_ms = reason.retry_after_ms === undefined ? 0 : reason.retry_after_ms * (1 + 0.5 * uniform());
  if (!healsByItself(reason)) return Math.max(asked_ms, reconnectMax_ms * (0.5 + 0.5 * uniform()));
  const bound_ms = Math.min(max_ms, reconnectFirst_ms * 2 ** Math.min(failures - 1, 30));
  return Math.max(asked_ms, bound_ms * uniform());
}

/** Whether the same attempt may succeed later although nobody changed anything. */
export function healsByItself(reason: GcError): boolean {
  return !["permission", "protocol", "config", "data", "usage"].includes(reason.kind);
}
