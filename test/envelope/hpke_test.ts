/**
 * HPKE against the vectors of RFC 9180 (appendix A.7.1: DHKEM(X25519, HKDF-SHA256), HKDF-SHA256, export only, base
 * mode) and against a second implementation written here from the RFC, on `node:crypto`.
 */
import { describe, expect, test } from "bun:test";
import { createHmac, diffieHellman } from "node:crypto";
import { AEAD_EXPORT_ONLY, CipherSuite, KDF_HKDF_SHA256, KEM_DHKEM_X25519_HKDF_SHA256 } from "hpke";
import { privateKey, publicBytesOf, publicKey } from "../../core/access/keys.ts";
import { agreeToReceive, agreeToSend } from "../../core/envelope/sealed_body.ts";
import { seeded } from "../access/people.ts";

const hex = (text: string): Uint8Array => new Uint8Array(Buffer.from(text, "hex"));
const suite: CipherSuite<CryptoKey> = new CipherSuite(KEM_DHKEM_X25519_HKDF_SHA256, KDF_HKDF_SHA256, AEAD_EXPORT_ONLY);

const vector = {
  info: hex("4f6465206f6e2061204772656369616e2055726e"),
  ikmR: hex("683ae0da1d22181e74ed2e503ebf82840deb1d5e872cade20f4b458d99783e31"),
  skRm: hex("33d196c830a12f9ac65d6e565a590d80f04ee9b19c83c87f2c170d972a812848"),
  pkRm: hex("194141ca6c3c3beb4792cd97ba0ea1faff09d98435012345766ee33aae2d7664"),
  enc: hex("e5e8f9bfff6c2f29791fc351d2c25ce1299aa5eaca78a757c0b4fb4bcd830918"),
  exports: [
    ["", "7a36221bd56d50fb51ee65edfd98d06a23c4dc87085aa5866cb7087244bd2a36"],
    ["00", "d5535b87099c6c3ce80dc112a2671c6ec8e811a2f284f948cec6dd1708ee33f0"],
    ["54657374436f6e74657874", "ffaabc85a776136ca0c378e5d084c9140ab552b78f039d2e8775f26efff4c70e"],
  ],
} as const;

const concat = (...parts: (string | Uint8Array)[]): Buffer => Buffer.concat(parts.map((part) => Buffer.from(part)));
const hmac = (key: Uint8Array, data: Uint8Array): Buffer => createHmac("sha256", key).update(data).digest();
const u16 = (value: number): Buffer => Buffer.of(value >> 8, value & 255);

/** RFC 9180 §4: LabeledExtract and LabeledExpand for 32 bytes, which is one block of HKDF-SHA256. */
function extract(id: Uint8Array, salt: string, label: string, ikm: Uint8Array): Buffer {
  return hmac(Buffer.from(salt, "latin1"), concat("HPKE-v1", id, label, ikm));
}
function expand(id: Uint8Array, prk: Uint8Array, label: string, info: Uint8Array): Buffer {
  return hmac(prk, concat(u16(32), "HPKE-v1", id, label, info, Buffer.of(1)));
}

/** RFC 9180 §4.1, §5.1, §5.3: what the recipient exports, base mode. */
function exported(secret: Uint8Array, enc: Uint8Array, info: Uint8Array, context: Uint8Array): Buffer {
  const own = privateKey("X25519", secret);
  const shared = diffieHellman({ privateKey: own, publicKey: publicKey("X25519", enc) });
  const kem = concat("KEM", u16(0x20));
  const kemContext = concat(enc, publicBytesOf(own));
  const sharedSecret = expand(kem, extract(kem, "", "eae_prk", shared), "shared_secret", kemContext);
  const id = concat("HPKE", u16(0x20), u16(1), u16(0xffff));
  const none = new Uint8Array(0);
  const schedule = concat(Buffer.of(0), extract(id, "", "psk_id_hash", none), extract(id, "", "info_hash", info));
  const exporter = expand(id, extract(id, sharedSecret.toString("latin1"), "secret", none), "exp", schedule);
  return expand(id, exporter, "sec", context);
}

describe("hpke", () => {
  test("exports what RFC 9180 A.7.1 says", async () => {
    const key = await suite.DeserializePrivateKey(vector.skRm);
    for (const [context, value] of vector.exports) {
      const got = await suite.ReceiveExport(key, vector.enc, hex(context), 32, { info: vector.info });
      expect(Buffer.from(got).toString("hex")).toBe(value);
    }
  });

  test("derives the recipient's key of A.7.1 from its seed", async () => {
    const pair = await suite.DeriveKeyPair(vector.ikmR, true);
    expect(await suite.SerializePrivateKey(pair.privateKey)).toEqual(vector.skRm);
    expect(await suite.SerializePublicKey(pair.publicKey)).toEqual(vector.pkRm);
  });
});

describe("the second implementation", () => {
  test("exports what RFC 9180 A.7.1 says", () => {
    for (const [context, value] of vector.exports) {
      expect(exported(vector.skRm, vector.enc, vector.info, hex(context)).toString("hex")).toBe(value);
    }
  });

  test("finds the same keys as agreeToSend() and agreeToReceive()", async () => {
    const random = seeded("recipients");
    for (let i = 0; i < 20; i++) {
      const secret = random.bytes(32);
      const { enc, key } = await agreeToSend(`id ${i}`, publicBytesOf(privateKey("X25519", secret)));
      const wanted = exported(
        secret,
        enc,
        Buffer.from(`gc-seal-v1\0id ${i}`),
        Buffer.from("gc-seal-v1 aes-256-gcm key"),
      );
      expect(wanted.equals(key)).toBe(true);
      expect(wanted.equals(await agreeToReceive(`id ${i}`, secret, enc))).toBe(true);
    }
  });
});
