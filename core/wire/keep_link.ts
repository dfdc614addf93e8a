/**
 * A link that comes back: opens, and when it breaks opens again, with full jitter and for ever. What cannot heal by
 * itself (no permission, no common version) is tried about once a minute and told to `waiting`, so that a person who
 * repairs it at the other side need not restart anything here.
 */
import { GcError } from "../errors.ts";
import type { Host } from "../host/host.ts";
import { reconnectLocalMax_ms, reconnectMax_ms } from "../limits.ts";
import { retryDelay, steadyAfter_ms } from "./backoff.ts";
import type { Link, LinkEvents, Self, WorkerAddress } from "./link.ts";
import { type Attempt, attempt } from "./open_link.ts";
import type { Timing } from "./session.ts";

/** The handle on a link that comes back. */
export interface KeptLink {
  /** The link, while it is up. */
  link(): Link | undefined;
  /** Closes the link, or gives up opening it, for good. `down` is still called for a link that was up. */
  stop(): void;
  /** Tries now instead of later. Does nothing while a link is up or an attempt is under way. */
  retryNow(): void;
}

/**
 * Keeps a link to `address`; a function is asked before every attempt, and may throw a GcError. `events.down` is called
 * with undefined for an attempt that failed, and `events.waiting` before every pause.
 */
export function keepLink(
  address: WorkerAddress | (() => WorkerAddress),
  self: Self,
  events: LinkEvents,
  host: Host,
  timing?: Timing,
): KeptLink {
  let current: Link | undefined;
  let trying: Attempt | undefined;
  let stopTimer: (() => void) | undefined;
  let stopped = false;
  let failures = 0;
  let up_ms = 0;
  let max_ms = reconnectMax_ms;

  const start = (): void => {
    stopTimer = undefined;
    try {
      const place = typeof address === "function" ? address() : address;
      max_ms = place.kind === "unix" ? reconnectLocalMax_ms : reconnectMax_ms;
      trying = attempt(place, self, host, own, timing);
    } catch (error) {
      if (!(error instanceof GcError)) throw error;
      queueMicrotask(() => own.down(undefined, error));
    }
  };

  const own: LinkEvents = {
    up(link) {
      current = link;
      trying = undefined;
      up_ms = host.clock.monotonic();
      events.up(link);
    },
    messages: (link, messages) => events.messages(link, messages),
    down(link, reason) {
      if (link !== undefined && host.clock.monotonic() - up_ms >= steadyAfter_ms) failures = 0;
      current = undefined;
      trying = undefined;
      if (!stopped || link !== undefined) events.down(link, reason);
      if (stopped) return;
      failures += 1;
      const delay_ms = retryDelay(failures, reason, () => host.random.uniform(), max_ms);
      stopTimer = host.clock.after(delay_ms, start);
      events.waiting?.(delay_ms, reason);
    },
  };

  start();
  return {
    link: () => current,
    stop() {
      stopped = true;
      stopTimer?.();
      stopTimer = undefined;
      if (current !== undefined) current.close("stopped");
      else trying?.cancel();
    },
    retryNow() {
      if (stopTimer === undefined || stopped) return;
      stopTimer();
      start();
    },
  };
}
