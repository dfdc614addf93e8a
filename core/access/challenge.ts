/**
 * Who is at the other end of a connection: what is signed in `hello` and `auth` (`schema/session_message.ts`). The acceptor
 * sends a nonce; the opener signs it together with the acceptor's id, so that a proof made for one relay is worth nothing
 * at another, nor a second time. Nonces, not times: clocks may be wrong by days.
 *
 * A relay's own signature in `hello` shows a relay that was swapped for another. It is no proof against somebody who
 * passes everything on: that is what TLS is for, and the envelopes' own seals and signatures.
 */
import { createHmac, timingSafeEqual } from "node:crypto";
import { GcError } from "../errors.ts";
import type { Auth, Hello } from "../schema/session_message.ts";
import { fromBase64url, toBase64url } from "./keys.ts";
import { checkRecord, type Identity, type KeyRecord, verifySignature } from "./principal.ts";

/** What an opener claims when it proves itself: who, as what, to whom, in which protocol. */
export interface Claim {
  /** Id of the acceptor: a relay, or for worker links what the worker was told to connect to. */
  acceptor_id: string;
  /** Of the acceptor's hello: 32 random bytes, hexadecimal. */
  nonce: string;
  role: Auth["role"];
  id: string;
  proto: number;
}

type Signer = Pick<Identity, "sign">;

/** The claim that an `auth` makes in answer to a `hello`. */
export function claimOf(
  hello: Pick<Hello, "id" | "nonce">,
  auth: { readonly role: Auth["role"]; readonly id: string; readonly proto: number },
): Claim {
  return { acceptor_id: hello.id, nonce: hello.nonce, role: auth.role, id: auth.id, proto: auth.proto };
}

/** The bytes that prove a claim once they are signed. Nothing before `id` is of the opener's choosing. */
export function authBytes(claim: Claim): Uint8Array {
  const { acceptor_id, nonce, role, id, proto } = claim;
  return Buffer.from(["gc-auth-v1", acceptor_id, nonce, role, id, proto].join("\0"));
}

/** The bytes that an acceptor with a key signs in its hello. */
export function helloBytes(nonce: string, id: string): Uint8Array {
  return Buffer.from(["gc-hello-v1", nonce, id].join("\0"));
}

/** `sig` of a hello, base64url. */
export function signHello(acceptor: Signer, nonce: string, id: string): string {
  return toBase64url(acceptor.sign(helloBytes(nonce, id)));
}

/**
 * Checks that a hello comes from the relay with this id.
 * @throws GcError permission `relay.other_key` when it does not, or `key.*` for a bad record.
 */
export function checkHello(hello: Hello, expected_id: string): KeyRecord {
  const record = hello.record === undefined ? undefined : checkRecord(hello.record);
  const signature = hello.sig === undefined ? undefined : fromBase64url(hello.sig, 64);
  const isIt = record?.kind === "relay" && record.id === expected_id && hello.id === expected_id;
  if (isIt && signature !== undefined && verifySignature(record, helloBytes(hello.nonce, hello.id), signature)) {
    return record;
  }
  const message = `The relay that answered is not the one with id ${expected_id}`;
  throw new GcError("permission", "relay.other_key", message, { hint: "gc login INVITE" });
}

/** The proof of a user or an endpoint, for `auth.proof`. */
export function provePrincipal(principal: Signer, claim: Claim): string {
  return toBase64url(principal.sign(authBytes(claim)));
}

/** Whether the principal of `record` proved the claim. */
export function principalProved(record: KeyRecord, claim: Claim, proof: string): boolean {
  const signature = fromBase64url(proof, 64);
  if (signature === undefined || record.id !== claim.id || record.kind !== claim.role) return false;
  return verifySignature(record, authBytes(claim), signature);
}

/** The proof of a worker, which shares `secret` (32 bytes) with its endpoint. */
export function proveWorker(secret: Uint8Array, claim: Claim): string {
  return toBase64url(workerMac(secret, claim));
}

/** Whether whoever knows `secret` proved the claim; takes the same time for every wrong proof. */
export function workerProved(secret: Uint8Array, claim: Claim, proof: string): boolean {
  const mac = fromBase64url(proof, 32);
  if (mac === undefined || secret.byteLength < 32 || claim.role !== "worker") return false;
  return timingSafeEqual(mac, workerMac(secret, claim));
}

function workerMac(secret: Uint8Array, claim: Claim): Buffer {
  return createHmac("sha256", secret).update(authBytes(claim)).digest();
}
