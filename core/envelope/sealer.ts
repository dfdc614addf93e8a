/**
 * Seals bodies to their recipient and opens those that came to us. A key is agreed on (HPKE) once for each process and
 * recipient; after it, a body costs one pass of AES-256-GCM. All of it is synchronous, so it can happen inside a turn.
 */
import { createCipheriv, createDecipheriv, createSecretKey, type KeyObject } from "node:crypto";
import { fromBase64url } from "../access/keys.ts";
import { checkRecord, type Identity, type KeyRecord } from "../access/principal.ts";
import { RecentMap } from "../access/recent.ts";
import { assert } from "../assert.ts";
import { GcError } from "../errors.ts";
import type { Random } from "../host/host.ts";
import {
  agreeToReceive,
  agreeToSend,
  ciphertextAt,
  encAt,
  encBytes,
  nonceAt,
  nonceBytes,
  sealOverheadBytes,
  suite,
  tagBytes,
} from "./sealed_body.ts";

const cipherName = "aes-256-gcm";
/**
 * When a key is renewed, and how many are held. With counted nonces AES-GCM would bear more (SP 800-38D §8.2): 2^48
 * bytes are 2^44 blocks, an advantage of 2^-41 to somebody who sees them all.
 */
export interface SealLimits {
  readonly bodiesPerKey: number;
  readonly bytesPerKey: number;
  /** Recipients, or senders, whose keys are held at once; doubled at most. */
  readonly keysHeld: number;
}

const ordinary: SealLimits = { bodiesPerKey: 2 ** 40, bytesPerKey: 2 ** 48, keysHeld: 4096 };

/** A key agreed with one recipient, and how far it is used up. */
interface Outgoing {
  readonly enc: Uint8Array;
  readonly key: KeyObject;
  /** First four bytes of every nonce; the other eight count. */
  readonly prefix: Uint8Array;
  bodies: number;
  bytes: number;
}

/** Seals to anybody whose key record proves itself. One for each process. */
export class Sealer {
  readonly #random: Random;
  readonly #limits: SealLimits;
  readonly #agreed: RecentMap<string, Outgoing>;

  constructor(random: Random, limits: SealLimits = ordinary) {
    this.#random = random;
    this.#limits = limits;
    this.#agreed = new RecentMap(limits.keysHeld);
  }

  /**
   * Agrees on a key with `to`, unless that is done. Else the first `seal` does it; whoever must not fail then asks now.
   * @throws GcError permission `key.*` when the record is bad.
   */
  prepare(to: KeyRecord): void {
    this.#keyFor(to);
  }

  /**
   * Seals `plain` to `to`, bound to `aad`.
   * @throws GcError permission `key.*` when the record is bad and no key was agreed on with it.
   */
  seal(to: KeyRecord, aad: Uint8Array, plain: Uint8Array): Uint8Array {
    const agreed = this.#keyFor(to);
    const sealed = new Uint8Array(sealOverheadBytes + plain.byteLength);
    sealed[0] = suite;
    sealed.set(agreed.enc, encAt);
    sealed.set(agreed.prefix, nonceAt);
    new DataView(sealed.buffer).setBigUint64(nonceAt + agreed.prefix.byteLength, BigInt(agreed.bodies));
    agreed.bodies += 1;
    agreed.bytes += plain.byteLength;
    const cipher = createCipheriv(cipherName, agreed.key, sealed.subarray(nonceAt, ciphertextAt), tagLength);
    cipher.setAAD(aad);
    sealed.set(cipher.update(plain), ciphertextAt);
    cipher.final();
    sealed.set(cipher.getAuthTag(), sealed.byteLength - tagBytes);
    return sealed;
  }

  /** The key for `to` that is not used up; a new one when there is none. */
  #keyFor(to: KeyRecord): Outgoing {
    const name = nameOf(to);
    const known = this.#agreed.get(name);
    const { bodiesPerKey, bytesPerKey } = this.#limits;
    if (known !== undefined && known.bodies < bodiesPerKey && known.bytes < bytesPerKey) return known;
    const record = checkRecord(to);
    const enc_pub = fromBase64url(record.enc_pub, 32);
    assert(enc_pub !== undefined, "A checked record has canonical keys");
    const { enc, key } = agreeToSend(record.id, enc_pub);
    const fresh = { enc, key: createSecretKey(key), prefix: this.#random.bytes(4), bodies: 0, bytes: 0 };
    this.#agreed.set(name, fresh);
    return fresh;
  }
}

/** Opens what was sealed to one identity. */
export class Opener {
  readonly #identity: Identity;
  /** Keys that opened something, by `enc`: only the private key's owner's correspondents get a place here. */
  readonly #agreed: RecentMap<string, KeyObject>;

  constructor(identity: Identity, limits: Pick<SealLimits, "keysHeld"> = ordinary) {
    this.#identity = identity;
    this.#agreed = new RecentMap(limits.keysHeld);
  }

  /**
   * The plaintext of a sealed body.
   * @throws GcError data `envelope.unreadable` when it was not sealed to us with this `aad`.
   */
  open(aad: Uint8Array, body: Uint8Array): Uint8Array {
    if (body.byteLength < sealOverheadBytes) throw unreadable("it is too short");
    if (body[0] !== suite) throw unreadable(`suite ${body[0]} is not known`);
    const enc = body.subarray(encAt, encAt + encBytes);
    const name = Buffer.from(enc.buffer, enc.byteOffset, encBytes).toString("latin1");
    const known = this.#agreed.get(name);
    if (known !== undefined) return decrypt(known, aad, body);
    const key = this.#agree(enc);
    const plain = decrypt(key, aad, body);
    this.#agreed.set(name, key);
    return plain;
  }

  #agree(enc: Uint8Array): KeyObject {
    try {
      return createSecretKey(agreeToReceive(this.#identity.id, this.#identity.enc_key, enc));
    } catch (cause) {
      throw unreadable("no key can be agreed on", cause);
    }
  }
}

const tagLength = { authTagLength: tagBytes };

/** Sealing keys belong to an id and one of its encryption keys, which may be replaced. */
function nameOf(record: KeyRecord): string {
  return record.id + record.enc_pub;
}

function decrypt(key: KeyObject, aad: Uint8Array, body: Uint8Array): Uint8Array {
  const end = body.byteLength - tagBytes;
  const decipher = createDecipheriv(cipherName, key, body.subarray(nonceAt, nonceAt + nonceBytes), tagLength);
  decipher.setAAD(aad);
  decipher.setAuthTag(body.subarray(end));
  const plain = decipher.update(body.subarray(ciphertextAt, end));
  try {
    decipher.final();
  } catch (cause) {
    throw unreadable("it was not sealed so, or not to this recipient", cause);
  }
  return plain;
}

function unreadable(why: string, cause?: unknown): GcError {
  return new GcError("data", "envelope.unreadable", `The body of the envelope cannot be opened: ${why}`, { cause });
}
