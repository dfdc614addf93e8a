/** Which tasks of an envelope: one bit each, as bytes that lie in a row. */

/** The members of `set` and `added`, and how many of `added` are new. `set` undefined: none. */
export function withIndices(
  set: Uint8Array | undefined,
  added: readonly number[],
): { set: Uint8Array; fresh: number[] } {
  let highest = 0;
  for (const index of added) if (index > highest) highest = index;
  const bytes = new Uint8Array(Math.max((highest >> 3) + 1, set?.byteLength ?? 0));
  if (set !== undefined) bytes.set(set);
  const fresh: number[] = [];
  for (const index of added) {
    const at = index >> 3;
    const mask = 1 << (index & 7);
    const before = bytes[at] ?? 0;
    if ((before & mask) !== 0) continue;
    bytes[at] = before | mask;
    fresh.push(index);
  }
  return { set: bytes, fresh };
}
