/**
 * The form of a sealed body, and how its key is agreed:
 *
 *     u8 suite = 1 | enc, 32 bytes | nonce, 12 bytes | ciphertext | tag, 16 bytes
 *
 * Suite 1: HPKE (RFC 9180) base mode, DHKEM(X25519, HKDF-SHA256), HKDF-SHA256, export only, gives 32 bytes; they are
 * the key of AES-256-GCM. Why not HPKE's own AEAD: docs/adr/0002-sealing.md.
 */
import { bodyBytesMax } from "../limits.ts";
import { receiveExport, type Sent, sendExport } from "./hpke.ts";

export const suite = 1;
export const encBytes = 32;
export const nonceBytes = 12;
export const tagBytes = 16;
export const encAt = 1;
export const nonceAt = encAt + encBytes;
export const ciphertextAt = nonceAt + nonceBytes;

/** What sealing adds to a plaintext. */
export const sealOverheadBytes = ciphertextAt + tagBytes;
/** The largest sealed body: of the largest plaintext. */
export const sealedBytesMax = bodyBytesMax + sealOverheadBytes;

const encoder = new TextEncoder();
const exporterContext = encoder.encode("gc-seal-v1 aes-256-gcm key");

/** Binds the key to the recipient's id, and so to its signing key. */
function info(recipient_id: string): Uint8Array {
  return encoder.encode(`gc-seal-v1\0${recipient_id}`);
}

/** Agrees on a new key with the owner of `enc_pub`; `enc` is what it needs to find the same. */
export function agreeToSend(recipient_id: string, enc_pub: Uint8Array): Sent {
  return sendExport(enc_pub, info(recipient_id), exporterContext);
}

/** The key that a sender agreed on with us. Throws when `enc` is not a point to agree with. */
export function agreeToReceive(recipient_id: string, enc_key: Uint8Array, enc: Uint8Array): Uint8Array {
  return receiveExport(enc_key, enc, info(recipient_id), exporterContext);
}
