/**
 * Raw keys ↔ the key objects of `node:crypto`, and which public keys are refused. A signature alone does not bind a
 * key: the small-order points of edwards25519 verify forged signatures in `node:crypto` (reliability-security.md §0.9),
 * and those of curve25519 make the shared secret a constant.
 */
import { createPrivateKey, createPublicKey, type KeyObject } from "node:crypto";

/** The curves: signatures and key agreement. A key of one is never turned into a key of the other. */
export type Curve = "Ed25519" | "X25519";

/** DER around 32 raw bytes (RFC 8410 §4 and §7). */
const privatePrefix = {
  Ed25519: Buffer.from("302e020100300506032b657004220420", "hex"),
  X25519: Buffer.from("302e020100300506032b656e04220420", "hex"),
} as const;
const publicPrefix = {
  Ed25519: Buffer.from("302a300506032b6570032100", "hex"),
  X25519: Buffer.from("302a300506032b656e032100", "hex"),
} as const;

/** The private key whose 32 secret bytes these are. */
export function privateKey(curve: Curve, secret: Uint8Array): KeyObject {
  return createPrivateKey({ key: Buffer.concat([privatePrefix[curve], secret]), format: "der", type: "pkcs8" });
}

/** The public key with these 32 bytes; nothing is checked but their number. */
export function publicKey(curve: Curve, bytes: Uint8Array): KeyObject {
  return createPublicKey({ key: Buffer.concat([publicPrefix[curve], bytes]), format: "der", type: "spki" });
}

/** The 32 bytes of the public half of a private key. */
export function publicBytesOf(key: KeyObject): Buffer {
  return createPublicKey(key as never)
    .export({ format: "der", type: "spki" })
    .subarray(-32);
}

/** `bytes` as base64url without padding. */
export function toBase64url(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("base64url");
}

/** `length` bytes from base64url, or undefined when `text` is anything but their one canonical spelling. */
export function fromBase64url(text: string, length: number): Buffer | undefined {
  const bytes = Buffer.from(text, "base64url");
  return bytes.byteLength === length && bytes.toString("base64url") === text ? bytes : undefined;
}

/**
 * Why these 32 bytes are no public key that anybody honest has, or undefined. Refused are other spellings of a field
 * element (RFC 8032 §5.1.3, RFC 7748 §5) and all points of small order.
 */
export function weakness(curve: Curve, bytes: Uint8Array): string | undefined {
  const coordinate = Buffer.from(bytes);
  const top = coordinate[31] ?? 0;
  coordinate[31] = top & 0x7f;
  if (curve === "X25519" && top !== coordinate[31]) return "not canonical";
  if (notReduced(coordinate)) return "not canonical";
  if (smallOrder[curve].has(coordinate.toString("hex"))) return "of small order";
  return undefined;
}

/** Whether 255 bits, little-endian, are at least p = 2^255 − 19. */
function notReduced(bytes: Uint8Array): boolean {
  if (bytes[31] !== 0x7f || (bytes[0] ?? 0) < 0xed) return false;
  for (let i = 1; i < 31; i++) if (bytes[i] !== 0xff) return false;
  return true;
}

const zero = "00".repeat(32);
const one = `01${"00".repeat(31)}`;
const minusOne = `ec${"ff".repeat(30)}7f`;

/**
 * Coordinates, sign bit cleared, of the points of order 1, 2, 4 and 8: y on edwards25519, u on curve25519 (and its
 * twist). Source: https://cr.yp.to/ecdh.html#validate, and the list in libsodium's `ge25519_has_small_order`.
 */
const smallOrder = {
  Ed25519: new Set([
    zero,
    one,
    minusOne,
    "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
    "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
  ]),
  X25519: new Set([
    zero,
    one,
    minusOne,
    "e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800",
    "5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157",
  ]),
} as const;
