/**
 * Who acts from this home folder: the user, made at first use and never asked about, and its endpoints. Keys lie in
 * files that only their owner may read; a key file that others can read is refused, not repaired.
 */
import { type Identity, makeIdentity, openIdentity } from "../access/principal.ts";
import { GcError, messageOf } from "../errors.ts";
import { makePrivateDir } from "../host/files.ts";
import type { Host } from "../host/host.ts";
import { createOnce, readPrivate } from "../host/private_file.ts";
import type { KeyRecord } from "../schema/envelope.ts";
import type { EndpointKey } from "../schema/identity.ts";
import { parse } from "../schema/validate.ts";
import type { Home } from "./home.ts";

/** An endpoint that this process can act as, and the user whose it is. */
export interface OwnEndpoint {
  readonly identity: Identity;
  readonly owner: KeyRecord;
}

/**
 * The user of this home folder. The first call ever makes one; when several processes do that at once, all get the
 * same.
 */
export function loadIdentity(home: Home, host: Pick<Host, "random">): Identity {
  const there = readIdentity(home);
  if (there !== undefined) return there;
  makePrivateDir(home.root);
  createOnce(home.identity, `${JSON.stringify(makeIdentity("user", host.random), null, 2)}\n`);
  const made = readIdentity(home);
  if (made !== undefined) return made;
  throw new GcError("io", "identity.vanished", `The identity file "${home.identity}" vanished while it was made`);
}

/** The user of this home folder, or undefined when nobody has acted from it yet. */
export function readIdentity(home: Home): Identity | undefined {
  const file = readKeyFile(home.identity);
  if (file === undefined) return undefined;
  const identity = openIdentity(file, `identity file "${home.identity}"`);
  if (identity.record.kind === "user") return identity;
  throw new GcError("data", "identity.kind", `The file "${home.identity}" holds the keys of a ${identity.record.kind}`);
}

/** Writes the keys of a new endpoint; refuses when there are some already. */
export function createEndpointKey(path: string, owner: KeyRecord, host: Pick<Host, "random">): OwnEndpoint {
  const key: EndpointKey = { v: 1, identity: makeIdentity("endpoint", host.random), owner };
  if (createOnce(path, `${JSON.stringify(key, null, 2)}\n`)) return { identity: openIdentity(key.identity), owner };
  throw new GcError("cannot_create", "endpoint.exists", `The key file "${path}" is there already`);
}

/**
 * The endpoint whose keys are at `path`.
 * @throws GcError missing `endpoint.no_key` when there are none.
 */
export function loadEndpointKey(path: string): OwnEndpoint {
  const file = readKeyFile(path);
  if (file === undefined) {
    throw new GcError("missing", "endpoint.no_key", `The endpoint has no key file "${path}"`, {
      hint: "gc endpoint configure NAME --force",
    });
  }
  const key = parse("endpoint_key", file, `key file "${path}"`);
  const identity = openIdentity(key.identity);
  if (identity.record.kind === "endpoint") return { identity, owner: key.owner };
  throw new GcError("data", "identity.kind", `The file "${path}" holds the keys of a ${identity.record.kind}`);
}

function readKeyFile(path: string): unknown {
  const bytes = readPrivate(path);
  if (bytes === undefined) return undefined;
  try {
    return JSON.parse(Buffer.from(bytes).toString());
  } catch (cause) {
    throw new GcError("data", "file.not_json", `The key file "${path}" is damaged: ${messageOf(cause)}`, { cause });
  }
}
