/** Invariants that stay on in production: a broken one is our bug, so it ends the operation and asks for a report. */

/** A broken invariant. Never shown as the user's fault. */
export class BrokenInvariant extends Error {
  override name = "BrokenInvariant";
}

/** Throws BrokenInvariant unless `condition` holds; `sentence` says what should have held. */
export function assert(condition: unknown, sentence: string): asserts condition {
  if (!condition) throw new BrokenInvariant(sentence);
}

/** Marks a branch the types rule out. */
export function unreachable(value: never): never {
  throw new BrokenInvariant(`Unreachable value: ${JSON.stringify(value)}`);
}
