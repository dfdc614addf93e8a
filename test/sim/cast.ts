/** Who plays: one user and two endpoints, with keys that were agreed on before the curtain rises. */
import { type Identity, makeIdentity, openIdentity } from "../../core/access/principal.ts";
import { Opener, Sealer } from "../../core/envelope/sealer.ts";
import { Dice } from "./world.ts";

export interface Role {
  identity: Identity;
  keys: { sealer: Sealer; opener: Opener };
}

export interface Cast {
  user: Role;
  endpoints: Role[];
  relay: Identity;
}

/** Makes the cast; costs some key agreements, so once for many seeds. */
export function makeCast(): Cast {
  const dice = new Dice(20261125);
  const role = (kind: "user" | "endpoint"): Role => {
    const identity = openIdentity(makeIdentity(kind, dice));
    return { identity, keys: { sealer: new Sealer(dice), opener: new Opener(identity) } };
  };
  const user = role("user");
  const endpoints = [role("endpoint"), role("endpoint")];
  const aad = new Uint8Array(32);
  const agree = (from: Role, to: Role): void => {
    from.keys.sealer.prepare(to.identity.record);
    to.keys.opener.open(aad, from.keys.sealer.seal(to.identity.record, aad, new Uint8Array(1)));
  };
  for (const endpoint of endpoints) {
    agree(user, endpoint);
    agree(endpoint, user);
  }
  return { user, endpoints, relay: openIdentity(makeIdentity("relay", dice)) };
}
