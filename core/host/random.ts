/** Real randomness, from the operating system. Simulations bring a seeded one (`Random` in host.ts). */
import { randomBytes } from "node:crypto";
import type { Random } from "./host.ts";

/** Unpredictable bytes and jitter. */
export function realRandom(): Random {
  return {
    bytes: (count) => new Uint8Array(randomBytes(count)),
    uniform: () => Math.random(),
  };
}
