/**
 * What is signed when two parts of gc meet (`hello` and `auth` of `schema/session_message.ts`); made and checked in
 * `wire/proof.ts`. The acceptor sends a nonce; the opener signs it together with the acceptor's id, so a proof made for
 * one relay is worth nothing at another, nor a second time. Nonces, not times: clocks may be wrong by days.
 *
 * A relay's own signature in `hello` shows that a relay was swapped for another. It is no proof against somebody who
 * passes everything on: that is what TLS is for, and the envelopes' own seals and signatures.
 */

/** What an opener claims when it proves itself: who, as what, to whom, in which protocol. */
export interface Claim {
  /** Id of the acceptor: a relay, or for worker links what the worker was told to connect to. */
  readonly relay_id: string;
  /** Of the acceptor's hello: 32 random bytes, hexadecimal. */
  readonly nonce: string;
  readonly role: string;
  readonly id: string;
  readonly proto: number;
}

/**
 * The bytes that prove a claim once they are signed. Unambiguous, whatever an opener calls itself: what stands before
 * its `id` is not of its choosing, and what stands behind is a number.
 */
export function authBytes(claim: Claim): Uint8Array {
  const { relay_id, nonce, role, id, proto } = claim;
  return Buffer.from(["gc-auth-v1", relay_id, nonce, role, id, proto].join("\0"));
}

/** The bytes that an acceptor with a key signs in its hello. */
export function helloBytes(nonce: string, id: string): Uint8Array {
  return Buffer.from(["gc-hello-v1", nonce, id].join("\0"));
}
