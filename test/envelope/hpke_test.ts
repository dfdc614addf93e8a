/**
 * Our HPKE against the vectors of RFC 9180 (appendix A.7.1: DHKEM(X25519, HKDF-SHA256), HKDF-SHA256, export only, base
 * mode) and against another implementation, the package `hpke`, in both directions.
 */
import { describe, expect, test } from "bun:test";
import { AEAD_EXPORT_ONLY, CipherSuite, KDF_HKDF_SHA256, KEM_DHKEM_X25519_HKDF_SHA256 } from "hpke";
import { privateKey, publicBytesOf } from "../../core/access/keys.ts";
import { receiveExport, sendExport, sendWith } from "../../core/envelope/hpke.ts";
import { agreeToReceive, agreeToSend } from "../../core/envelope/sealed_body.ts";
import { seeded } from "../access/people.ts";

const hex = (text: string): Uint8Array => new Uint8Array(Buffer.from(text, "hex"));
const suite: CipherSuite<CryptoKey> = new CipherSuite(KEM_DHKEM_X25519_HKDF_SHA256, KDF_HKDF_SHA256, AEAD_EXPORT_ONLY);

const vector = {
  info: hex("4f6465206f6e2061204772656369616e2055726e"),
  ikmE: hex("55bc245ee4efda25d38f2d54d5bb6665291b99f8108a8c4b686c2b14893ea5d9"),
  ikmR: hex("683ae0da1d22181e74ed2e503ebf82840deb1d5e872cade20f4b458d99783e31"),
  skRm: hex("33d196c830a12f9ac65d6e565a590d80f04ee9b19c83c87f2c170d972a812848"),
  pkRm: hex("194141ca6c3c3beb4792cd97ba0ea1faff09d98435012345766ee33aae2d7664"),
  skEm: hex("095182b502f1f91f63ba584c7c3ec473d617b8b4c2cec3fad5af7fa6748165ed"),
  enc: hex("e5e8f9bfff6c2f29791fc351d2c25ce1299aa5eaca78a757c0b4fb4bcd830918"),
  exports: [
    ["", "7a36221bd56d50fb51ee65edfd98d06a23c4dc87085aa5866cb7087244bd2a36"],
    ["00", "d5535b87099c6c3ce80dc112a2671c6ec8e811a2f284f948cec6dd1708ee33f0"],
    ["54657374436f6e74657874", "ffaabc85a776136ca0c378e5d084c9140ab552b78f039d2e8775f26efff4c70e"],
  ],
} as const;

const none = new Uint8Array(0);
const asHex = (bytes: Uint8Array): string => Buffer.from(bytes).toString("hex");

describe("receiveExport()", () => {
  test("exports what RFC 9180 A.7.1 says", () => {
    for (const [context, value] of vector.exports) {
      expect(asHex(receiveExport(vector.skRm, vector.enc, vector.info, hex(context)))).toBe(value);
    }
  });

  test("finds what the package exports when it sends", async () => {
    const random = seeded("recipients");
    for (let i = 0; i < 50; i++) {
      const secret = random.bytes(32);
      const info = random.bytes(i);
      const context = random.bytes(2 * i);
      const key = await suite.DeserializePublicKey(publicBytesOf(privateKey("X25519", secret)));
      const sent = await suite.SendExport(key, context, 32, { info });
      expect(asHex(receiveExport(secret, sent.encapsulatedSecret, info, context))).toBe(asHex(sent.exportedSecret));
    }
  });

  test("refuses points of small order", () => {
    for (const point of ["00".repeat(32), `01${"00".repeat(31)}`, `ec${"ff".repeat(30)}7f`]) {
      expect(() => receiveExport(vector.skRm, hex(point), none, none)).toThrow();
    }
  });
});

describe("sendExport()", () => {
  test("sends and exports what RFC 9180 A.7.1 says, with the ephemeral key of the vector", () => {
    for (const [context, value] of vector.exports) {
      const ephemeral = privateKey("X25519", vector.skEm);
      expect(asHex(publicBytesOf(ephemeral))).toBe(asHex(vector.enc));
      const { key } = sendWith(ephemeral, vector.enc, vector.pkRm, vector.info, hex(context));
      expect(asHex(key)).toBe(value);
    }
  });

  test("exports what the package finds when it receives", async () => {
    const random = seeded("senders");
    for (let i = 0; i < 50; i++) {
      const secret = random.bytes(32);
      const info = random.bytes(i);
      const context = random.bytes(2 * i);
      const { enc, key } = sendExport(publicBytesOf(privateKey("X25519", secret)), info, context);
      const own = await suite.DeserializePrivateKey(secret);
      expect(asHex(await suite.ReceiveExport(own, enc, context, 32, { info }))).toBe(asHex(key));
    }
  });

  test("never sends the same twice", () => {
    const sent = Array.from({ length: 200 }, () => sendExport(vector.pkRm, vector.info, none));
    expect(new Set(sent.map(({ enc }) => asHex(enc))).size).toBe(200);
    expect(new Set(sent.map(({ key }) => asHex(key))).size).toBe(200);
  });

  test("refuses points of small order", () => {
    for (const point of ["00".repeat(32), `01${"00".repeat(31)}`, `ec${"ff".repeat(30)}7f`]) {
      expect(() => sendExport(hex(point), none, none)).toThrow();
    }
  });
});

test("agreeToSend() and agreeToReceive() bind the key to the recipient's id", () => {
  const secret = seeded("recipient").bytes(32);
  const { enc, key } = agreeToSend("one", publicBytesOf(privateKey("X25519", secret)));
  expect(asHex(agreeToReceive("one", secret, enc))).toBe(asHex(key));
  expect(asHex(agreeToReceive("two", secret, enc))).not.toBe(asHex(key));
  const context = Buffer.from("gc-seal-v1 aes-256-gcm key");
  expect(asHex(receiveExport(secret, enc, Buffer.from("gc-seal-v1\0one"), context))).toBe(asHex(key));
});

describe("the package", () => {
  test("exports what RFC 9180 A.7.1 says", async () => {
    const key = await suite.DeserializePrivateKey(vector.skRm);
    for (const [context, value] of vector.exports) {
      const got = await suite.ReceiveExport(key, vector.enc, hex(context), 32, { info: vector.info });
      expect(asHex(got)).toBe(value);
    }
  });

  test("derives the keys of A.7.1 from their seeds", async () => {
    const pair = await suite.DeriveKeyPair(vector.ikmR, true);
    expect(await suite.SerializePrivateKey(pair.privateKey)).toEqual(vector.skRm);
    expect(await suite.SerializePublicKey(pair.publicKey)).toEqual(vector.pkRm);
    const ephemeral = await suite.DeriveKeyPair(vector.ikmE, true);
    expect(await suite.SerializePrivateKey(ephemeral.privateKey)).toEqual(vector.skEm);
  });
});
