/**
 * HPKE (RFC 9180), the part that sealing needs: base mode, DHKEM(X25519, HKDF-SHA256), HKDF-SHA256, export only, 32
 * bytes. Synchronous, on primitives of the runtime, because what the package `hpke` does through WebCrypto costs
 * every short command two milliseconds at each end (docs/adr/0002-sealing.md). Held to the RFC's vectors and to that
 * package by `test/envelope/hpke_test.ts`. Names are those of the RFC.
 */
import { diffieHellman, generateKeyPairSync, type KeyObject } from "node:crypto";
import { privateKey, publicBytesOf, publicKey } from "../access/keys.ts";

/** What is agreed on: `enc` travels, `key` does not. */
export interface Sent {
  readonly enc: Uint8Array;
  readonly key: Uint8Array;
}

const nothing = new Uint8Array(0);
const version = Buffer.from("HPKE-v1");
/** "KEM" ‖ KEM id, and "HPKE" ‖ KEM id ‖ KDF id ‖ AEAD id (§4.1, §5.1; ids of §7). */
const kem = Buffer.from([...Buffer.from("KEM"), 0x00, 0x20]);
const suite = Buffer.from([...Buffer.from("HPKE"), 0x00, 0x20, 0x00, 0x01, 0xff, 0xff]);
const modeBase = 0;
/** Of a hash, of a key, of everything exported here: one block of HKDF-SHA256. */
const length = 32;

/** SendExport (§6.2) with an ephemeral key of the operating system's randomness. `recipient`: 32 bytes. */
export function sendExport(recipient: Uint8Array, info: Uint8Array, exporter_context: Uint8Array): Sent {
  const ephemeral = generateKeyPairSync("x25519");
  return sendWith(ephemeral.privateKey, publicBytesOf(ephemeral.privateKey), recipient, info, exporter_context);
}

/** `sendExport` with a given ephemeral key, for vectors. */
export function sendWith(
  ephemeral: KeyObject,
  enc: Uint8Array,
  recipient: Uint8Array,
  info: Uint8Array,
  exporter_context: Uint8Array,
): Sent {
  const dh = agree(ephemeral, publicKey("X25519", recipient));
  return { enc, key: exported(sharedSecret(dh, enc, recipient), info, exporter_context) };
}

/**
 * ReceiveExport (§6.2): what the sender of `enc` has exported.
 * @param secret our X25519 private key, 32 bytes.
 * @throws Error when `enc` is a point of small order.
 */
export function receiveExport(
  secret: Uint8Array,
  enc: Uint8Array,
  info: Uint8Array,
  exporter_context: Uint8Array,
): Uint8Array {
  const own = privateKey("X25519", secret);
  const dh = agree(own, publicKey("X25519", enc));
  return exported(sharedSecret(dh, enc, publicBytesOf(own)), info, exporter_context);
}

/** X25519; a result of zeros, which says nothing of who made it, is refused (§7.1.4). */
function agree(ours: KeyObject, theirs: KeyObject): Uint8Array {
  const dh = diffieHellman({ privateKey: ours, publicKey: theirs });
  if (dh.byteLength !== length || dh.every((byte) => byte === 0)) throw new Error("The point has small order");
  return dh;
}

/** ExtractAndExpand of the KEM (§4.1). */
function sharedSecret(dh: Uint8Array, enc: Uint8Array, recipient: Uint8Array): Buffer {
  const prk = labeledExtract(kem, nothing, "eae_prk", dh);
  return labeledExpand(kem, prk, "shared_secret", Buffer.concat([enc, recipient]));
}

/** KeySchedule in base mode, without a pre-shared key, and Export (§5.1, §5.3). */
function exported(shared_secret: Uint8Array, info: Uint8Array, exporter_context: Uint8Array): Buffer {
  const psk_id_hash = labeledExtract(suite, nothing, "psk_id_hash", nothing);
  const info_hash = labeledExtract(suite, nothing, "info_hash", info);
  const context = Buffer.concat([Buffer.of(modeBase), psk_id_hash, info_hash]);
  const secret = labeledExtract(suite, shared_secret, "secret", nothing);
  const exporter_secret = labeledExpand(suite, secret, "exp", context);
  return labeledExpand(suite, exporter_secret, "sec", exporter_context);
}

function labeledExtract(id: Uint8Array, salt: Uint8Array, label: string, ikm: Uint8Array): Buffer {
  return hmac(salt, version, id, Buffer.from(label), ikm);
}

/** LabeledExpand to 32 bytes: the first block of HKDF-Expand, whose counter is 1 (RFC 5869 §2.3). */
function labeledExpand(id: Uint8Array, prk: Uint8Array, label: string, info: Uint8Array): Buffer {
  return hmac(prk, Buffer.of(0, length), version, id, Buffer.from(label), info, Buffer.of(1));
}

/** By the runtime's own hasher: those of `node:crypto` are streams, and a first stream costs a short command 0.2 ms. */
function hmac(key: Uint8Array, ...parts: Uint8Array[]): Buffer {
  return new Bun.CryptoHasher("sha256", key).update(Buffer.concat(parts)).digest();
}
