/**
 * Both sides of the proof in `auth`: making one, and checking one. A principal signs the challenge with its Ed25519
 * key; a worker, which has no key of its own, takes HMAC-SHA256 of the same bytes under the secret of its block. Who
 * may come in after the proof is the acceptor's business.
 */
import { createHmac, timingSafeEqual } from "node:crypto";
import { authBytes, helloBytes } from "../access/challenge.ts";
import { checkRecord, verifySignature } from "../access/principal.ts";
import { assert } from "../assert.ts";
import { GcError } from "../errors.ts";
import type { KeyRecord } from "../schema/envelope.ts";
import type { Auth, Hello } from "../schema/session_message.ts";
import type { Self } from "./link.ts";

/** What a principal brings besides its key. `instance` is random per process. */
export interface About {
  instance: string;
  name?: string;
  /** Secret of an invite that has not been used yet. */
  invite?: string;
}

/** A user or an endpoint, as the opener of links. */
export function principalSelf(
  identity: { readonly record: KeyRecord; sign(bytes: Uint8Array): Uint8Array },
  about: About,
): Self {
  const { record } = identity;
  const role = record.kind;
  assert(role !== "relay", "A relay never opens links");
  return {
    ...about,
    role,
    id: record.id,
    record,
    prove: (hello, proto) => base64url(identity.sign(challenge(hello, role, record.id, proto))),
  };
}

/** A worker, as the opener of the link to its endpoint. `secret`: of its block, base64url or bytes. */
export function workerSelf(id: string, secret: string | Uint8Array, about: { instance: string }): Self {
  return {
    ...about,
    role: "worker",
    id,
    prove: (hello, proto) => base64url(hmac(secret, challenge(hello, "worker", id, proto))),
  };
}

/**
 * Checks the proof of a user or an endpoint. The record comes with `auth` and certifies itself: nothing is looked up.
 * @returns its record, checked.
 * @throws GcError permission `auth.*` or `key.*`.
 */
export function checkPrincipalProof(auth: Auth, hello: Hello): KeyRecord {
  if (auth.record === undefined) throw denied("auth.no_record", `The ${auth.role} ${auth.id} sent no key record`);
  const record = checkRecord(auth.record);
  if (record.kind !== auth.role || record.id !== auth.id) {
    throw denied(
      "auth.wrong_record",
      `The key record sent by ${auth.role} ${auth.id} is that of ${record.kind} ${record.id}`,
    );
  }
  const bytes = challenge(hello, auth.role, auth.id, auth.proto);
  if (!verifySignature(record, bytes, Buffer.from(auth.proof, "base64url"))) {
    throw denied("auth.bad_proof", `The proof of ${auth.role} ${auth.id} is not a signature by its key`);
  }
  return record;
}

/**
 * Checks the proof of a worker, in constant time.
 * @throws GcError permission `auth.bad_proof`.
 */
export function checkWorkerProof(auth: Auth, hello: Hello, secret: string | Uint8Array): void {
  const wanted = hmac(secret, challenge(hello, "worker", auth.id, auth.proto));
  const given = Buffer.from(auth.proof, "base64url");
  if (auth.role !== "worker" || given.byteLength !== wanted.byteLength || !timingSafeEqual(given, wanted)) {
    throw denied("auth.bad_proof", `The worker "${auth.id}" does not know the secret of its block`);
  }
}

/**
 * Checks who accepted us. A relay certifies itself and signed our challenge; `wanted_id` is the relay that we know.
 * Where none is, nothing is asked for (whoever has no key could leave the record out): there the owner of the socket
 * tells who it is (PROTOCOL.md), as for the endpoint towards its workers.
 * @throws GcError permission `relay.*`.
 */
export function checkHello(hello: Hello, wanted_id: string | undefined): void {
  if (wanted_id === undefined) return;
  if (hello.id !== wanted_id) {
    throw denied("relay.swapped", `The relay that answered is ${hello.id}, but the relay known here is ${wanted_id}`, {
      hint: "Ask who runs the relay; if it really was set up anew, use a new invite: gc login INVITE",
    });
  }
  if (hello.record === undefined) {
    throw denied("relay.no_proof", `What answered calls itself relay ${hello.id} but sent no key record`);
  }
  const record = checkRecord(hello.record);
  if (record.id !== hello.id) {
    throw denied(
      "relay.swapped",
      `What answered calls itself ${hello.id} but has the key of ${record.kind} ${record.id}`,
    );
  }
  const signature = Buffer.from(hello.sig ?? "", "base64url");
  if (!verifySignature(record, helloBytes(hello.nonce, hello.id), signature)) {
    throw denied("relay.bad_proof", `What answered calls itself ${record.kind} ${hello.id} but does not have its key`);
  }
}

/** The signature that goes into `hello`. */
export function signHello(sign: (bytes: Uint8Array) => Uint8Array, nonce: string, id: string): string {
  return base64url(sign(helloBytes(nonce, id)));
}

function challenge(hello: Hello, role: string, id: string, proto: number): Uint8Array {
  return authBytes({ relay_id: hello.id, nonce: hello.nonce, role, id, proto });
}

function hmac(secret: string | Uint8Array, bytes: Uint8Array): Buffer {
  const key = typeof secret === "string" ? Buffer.from(secret, "base64url") : secret;
  assert(key.byteLength >= 16, "The secret of a block has at least 16 bytes");
  return createHmac("sha256", key).update(bytes).digest();
}

function base64url(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("base64url");
}

function denied(code: string, message: string, details?: { hint: string }): GcError {
  return new GcError("permission", code, message, details);
}
