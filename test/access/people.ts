/** Principals for tests, the same in every run: randomness that is a seed's hash chain. */
import { hash } from "node:crypto";
import { type Identity, makeIdentity, openIdentity, type PrincipalKind } from "../../core/access/principal.ts";
import type { Random } from "../../core/host/host.ts";

/** Randomness that depends on `seed` alone. */
export function seeded(seed: string): Random {
  let count = 0;
  const block = (): Buffer => hash("sha256", `${seed} ${count++}`, "buffer");
  return {
    bytes(wanted) {
      const blocks: Buffer[] = [];
      for (let have = 0; have < wanted; have += 32) blocks.push(block());
      return new Uint8Array(Buffer.concat(blocks).subarray(0, wanted));
    },
    uniform: () => block().readUInt32LE(0) / 2 ** 32,
  };
}

/** The principal called `name`. */
export function principal(kind: PrincipalKind, name: string): Identity {
  return openIdentity(makeIdentity(kind, seeded(`${kind} ${name}`)));
}

/** The code of the GcError that `act` throws or rejects with; "" when it does neither. */
export async function codeOf(act: () => unknown): Promise<string> {
  try {
    await act();
  } catch (error) {
    if (error instanceof Error && "code" in error && typeof error.code === "string") return error.code;
    throw error;
  }
  return "";
}
