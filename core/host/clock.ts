/** The real clocks and timers. Simulations bring their own (`Clock` in host.ts). */
import type { Clock } from "./host.ts";

/** Wall clock, monotonic clock and timers of this machine. A timer keeps the process alive until it fires. */
export function realClock(): Clock {
  return {
    now: () => Date.now(),
    monotonic: () => performance.now(),
    after(delay_ms, fire) {
      const timer = setTimeout(fire, delay_ms);
      return () => clearTimeout(timer);
    },
  };
}
