/** Waiting for another process: what it does can only be looked at. */

/** Resolves with the first value that is neither false nor undefined. @throws Error `what` after `limit_ms`. */
export async function until<T>(
  look: () => T | false | undefined | Promise<T | false | undefined>,
  what: string | (() => string),
  limit_ms = 15_000,
  every_ms = 10,
): Promise<T> {
  const end_ms = performance.now() + limit_ms;
  for (;;) {
    const seen = await look();
    if (seen !== false && seen !== undefined) return seen;
    if (performance.now() > end_ms) {
      throw new Error(`Waited ${limit_ms / 1000} s in vain for ${typeof what === "string" ? what : what()}`);
    }
    await Bun.sleep(every_ms);
  }
}
