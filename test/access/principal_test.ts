/** Ids pin keys: whatever is changed about a record, it is no longer that principal's. */
import { describe, expect, test } from "bun:test";
import { sign as signBytes } from "node:crypto";
import { privateKey, publicBytesOf, toBase64url } from "../../core/access/keys.ts";
import {
  checkRecord,
  type KeyRecord,
  makeIdentity,
  openIdentity,
  principalId,
  verifySignature,
} from "../../core/access/principal.ts";
import { isId } from "../../core/task/id.ts";
import { codeOf, principal, seeded } from "./people.ts";

const alice = principal("user", "alice");
const bob = principal("user", "bob");
const bytes = Buffer.from("to be signed");

/** A record with these fields, signed by the key made of `secret`, as somebody with a key of his own would make it. */
function signedRecord(fields: Omit<KeyRecord, "sig">, secret: Uint8Array): KeyRecord {
  const { kind, id, sign_pub, enc_pub, seq } = fields;
  const text = ["gc-key-record-v1", kind, id, sign_pub, enc_pub, seq].join("\0");
  return { ...fields, sig: toBase64url(signBytes(null, Buffer.from(text), privateKey("Ed25519", secret))) };
}

describe("makeIdentity() and openIdentity()", () => {
  test("make a principal whose record proves itself, with an id that looks like a version 8 UUID", () => {
    for (const kind of ["user", "endpoint", "relay"] as const) {
      const made = principal(kind, "somebody");
      expect(checkRecord(made.record)).toEqual(made.record);
      expect(made.record.kind).toBe(kind);
      expect(isId(made.id)).toBe(true);
      expect(made.id).toMatch(/^.{14}8.{4}[89ab]/);
      expect(made.enc_key.byteLength).toBe(32);
    }
  });

  test("give different ids to different keys, and to one key in different roles", () => {
    expect(alice.id).not.toBe(bob.id);
    const key = new Uint8Array(32).fill(7);
    expect(new Set((["user", "endpoint", "relay"] as const).map((kind) => principalId(kind, key))).size).toBe(3);
  });

  test("survive the way through a file", () => {
    const file = makeIdentity("user", seeded("file"));
    const again = openIdentity(JSON.parse(JSON.stringify(file)));
    expect(again.record).toEqual(file.record);
    expect(verifySignature(again.record, bytes, openIdentity(file).sign(bytes))).toBe(true);
  });

  test("refuse private keys that are not those of the record", async () => {
    const mine = makeIdentity("user", seeded("mine"));
    const other = makeIdentity("user", seeded("other"));
    expect(await codeOf(() => openIdentity({ ...mine, sign_key: other.sign_key }))).toBe("key.mismatch");
    expect(await codeOf(() => openIdentity({ ...mine, enc_key: other.enc_key }))).toBe("key.mismatch");
    expect(await codeOf(() => openIdentity({ ...mine, record: other.record }))).toBe("key.mismatch");
    expect(await codeOf(() => openIdentity({ ...mine, sign_key: "short" }))).toBe("data.invalid");
    expect(await codeOf(() => openIdentity({ ...mine, v: 2 as 1 }))).toBe("data.invalid");
  });
});

describe("checkRecord()", () => {
  test("refuses a record with any field changed, before and after it has seen the right one", async () => {
    const { record } = principal("user", "fresh");
    const changes: Partial<KeyRecord>[] = [
      { kind: "endpoint" },
      { id: bob.record.id },
      { sign_pub: bob.record.sign_pub },
      { enc_pub: bob.record.enc_pub },
      { seq: 1 },
      { sig: bob.record.sig },
    ];
    for (const round of ["before", "after"]) {
      for (const change of changes) {
        expect(await codeOf(() => checkRecord({ ...record, ...change })), round).toMatch(/^key\./);
      }
      checkRecord(record);
    }
  });

  test("refuses another key under a known id even when that key signed the record", async () => {
    const secret = seeded("mallory").bytes(32);
    const sign_pub = toBase64url(publicBytesOf(privateKey("Ed25519", secret)));
    const forged = signedRecord({ ...alice.record, sign_pub }, secret);
    expect(await codeOf(() => checkRecord(forged))).toBe("key.wrong_id");
  });

  test("takes a record whose encryption key was replaced by its owner", () => {
    const file = makeIdentity("user", seeded("rotates"));
    const { sig: _, ...fields } = file.record;
    const rotated = { ...fields, seq: 1, enc_pub: bob.record.enc_pub };
    const record = signedRecord(rotated, Buffer.from(file.sign_key, "base64url"));
    expect(checkRecord(record).seq).toBe(1);
  });

  test("refuses a weak encryption key though its owner signed it", async () => {
    const file = makeIdentity("user", seeded("weak"));
    const { sig: _, ...fields } = file.record;
    const secret = Buffer.from(file.sign_key, "base64url");
    for (const hex of ["00".repeat(32), `01${"00".repeat(31)}`, `ec${"ff".repeat(30)}7f`, `ed${"ff".repeat(30)}7f`]) {
      const weak = { ...fields, enc_pub: Buffer.from(hex, "hex").toString("base64url") };
      expect(await codeOf(() => checkRecord(signedRecord(weak, secret)))).toBe("key.weak");
    }
  });

  test("refuses what is no record at all, and a second spelling of a right one", async () => {
    for (const value of [undefined, null, 1, "x", [], {}, { sig: alice.record.sig }, { ...alice.record, seq: "0" }]) {
      expect(await codeOf(() => checkRecord(value))).toBe("key.malformed");
    }
    const last = alice.record.sign_pub.at(-1) ?? "";
    const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    const spelling = alice.record.sign_pub.slice(0, -1) + alphabet[alphabet.indexOf(last) + 1];
    expect(Buffer.from(spelling, "base64url")).toEqual(Buffer.from(alice.record.sign_pub, "base64url"));
    expect(await codeOf(() => checkRecord({ ...alice.record, sign_pub: spelling }))).toBe("key.malformed");
  });

  test("gives a frozen copy, so that nobody can change what was proved", () => {
    const mine = { ...alice.record };
    const proved = checkRecord(mine);
    mine.enc_pub = bob.record.enc_pub;
    expect(proved.enc_pub).toBe(alice.record.enc_pub);
    expect(Object.isFrozen(proved)).toBe(true);
  });
});

describe("verifySignature()", () => {
  test("takes the signer's signature and nothing near it", () => {
    const signature = alice.sign(bytes);
    expect(verifySignature(alice.record, bytes, signature)).toBe(true);
    expect(verifySignature(bob.record, bytes, signature)).toBe(false);
    expect(verifySignature(alice.record, Buffer.from("to be signeD"), signature)).toBe(false);
    for (let i = 0; i < 64; i++) {
      const bent = new Uint8Array(signature);
      bent[i] = (bent[i] ?? 0) ^ 1;
      expect(verifySignature(alice.record, bytes, bent)).toBe(false);
    }
    for (const length of [0, 32, 63, 65, 128]) {
      expect(verifySignature(alice.record, bytes, Buffer.concat([signature, signature]).subarray(0, length))).toBe(
        false,
      );
    }
  });

  test("refuses the same signature with the group's order added to S (RFC 8032 §5.1.7)", () => {
    const signature = Buffer.from(alice.sign(bytes));
    const order = 2n ** 252n + 27742317777372353535851937790883648493n;
    const s = BigInt(`0x${Buffer.from(signature.subarray(32)).reverse().toString("hex")}`) + order;
    const bent = Buffer.from(s.toString(16).padStart(64, "0"), "hex").reverse();
    expect(verifySignature(alice.record, bytes, Buffer.concat([signature.subarray(0, 32), bent]))).toBe(false);
  });

  test("never answers for a record that does not prove itself", () => {
    const signature = bob.sign(bytes);
    expect(verifySignature({ ...alice.record, sign_pub: bob.record.sign_pub }, bytes, signature)).toBe(false);
  });
});
