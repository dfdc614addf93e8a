/** A body opens for its recipient, with its header, unchanged; keys are agreed on once and never used twice the
 * same. */
import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { privateKey, publicBytesOf, toBase64url } from "../../core/access/keys.ts";
import { type Identity, makeIdentity, openIdentity } from "../../core/access/principal.ts";
import { Opener, Sealer } from "../../core/envelope/sealer.ts";
import { codeOf, principal, seeded } from "../access/people.ts";

const polaris = principal("endpoint", "polaris");
const elsewhere = principal("endpoint", "elsewhere");
const aad = seeded("aad").bytes(32);
const plain = new TextEncoder().encode("attack at dawn");

const opened = (opener: Opener, body: Uint8Array): string => Buffer.from(opener.open(aad, body)).toString();
/** What shows which key a body was sealed with. */
const encOf = (body: Uint8Array): string => Buffer.from(body.subarray(1, 33)).toString("hex");

describe("Sealer", () => {
  test("seals so that the recipient can open", () => {
    const sealer = new Sealer(seeded("opens"));
    for (const one of [polaris, elsewhere]) {
      expect(opened(new Opener(one), sealer.seal(one.record, aad, plain))).toBe("attack at dawn");
    }
  });

  test("agrees on one key with a recipient, and on another with the next", () => {
    const sealer = new Sealer(seeded("once"));
    sealer.prepare(polaris.record);
    const first = encOf(sealer.seal(polaris.record, aad, plain));
    sealer.prepare(polaris.record);
    expect(encOf(sealer.seal(polaris.record, aad, plain))).toBe(first);
    expect(encOf(sealer.seal(elsewhere.record, aad, plain))).not.toBe(first);
  });

  test("does not agree on a key with a record that does not prove itself", async () => {
    const swapped = { ...polaris.record, enc_pub: elsewhere.record.enc_pub };
    expect(await codeOf(() => new Sealer(seeded("x")).prepare(swapped))).toBe("key.bad_signature");
    expect(await codeOf(() => new Sealer(seeded("x")).seal(swapped, aad, plain))).toBe("key.bad_signature");
  });

  test("does not go on with the old key when the recipient has replaced its encryption key", async () => {
    const sealer = new Sealer(seeded("replaced"));
    sealer.prepare(polaris.record);
    const replaced = { ...polaris.record, enc_pub: elsewhere.record.enc_pub };
    // Unsigned, so that what is seen is that the record was looked at again.
    expect(await codeOf(() => sealer.seal(replaced, aad, plain))).toBe("key.bad_signature");
  });

  test("renews a key that has sealed enough bodies or bytes", () => {
    const sealer = new Sealer(seeded("renews"), { bodiesPerKey: 3, bytesPerKey: 1000, keysHeld: 10 });
    const keys = (sizes: number[]): number => {
      return new Set(sizes.map((size) => encOf(sealer.seal(polaris.record, aad, new Uint8Array(size))))).size;
    };
    expect(keys([10, 10, 10])).toBe(1);
    expect(keys([10, 10, 10, 10])).toBe(2);
    expect(keys([10, 1000, 1000, 10])).toBe(3);
  });

  test("forgets recipients that it has not sealed to for long, and agrees anew when they return", () => {
    const sealer = new Sealer(seeded("forgets"), { bodiesPerKey: 1e9, bytesPerKey: 1e9, keysHeld: 2 });
    const first = principal("user", "user 0");
    const before = encOf(sealer.seal(first.record, aad, plain));
    for (let i = 1; i < 6; i++) sealer.prepare(principal("user", `user ${i}`).record);
    const body = sealer.seal(first.record, aad, plain);
    expect(encOf(body)).not.toBe(before);
    expect(opened(new Opener(first), body)).toBe("attack at dawn");
  });

  test("never uses a nonce twice with one key, nor a key in two processes", () => {
    const seen = new Set<string>();
    const keys = new Set<string>();
    for (const seed of ["one", "one", "two"]) {
      const sealer = new Sealer(seeded(seed));
      for (let i = 0; i < 5000; i++) {
        for (const to of [polaris, elsewhere]) {
          const body = Buffer.from(sealer.seal(to.record, aad, plain));
          keys.add(body.toString("hex", 1, 33));
          seen.add(body.toString("hex", 1, 45));
        }
      }
    }
    expect(keys.size).toBe(6);
    expect(seen.size).toBe(30_000);
  });

  test("never seals the same bytes to the same ciphertext", () => {
    const sealer = new Sealer(seeded("same"));
    const bodies = Array.from({ length: 100 }, () =>
      Buffer.from(sealer.seal(polaris.record, aad, plain).subarray(45)).toString("hex"),
    );
    expect(new Set(bodies).size).toBe(100);
  });
});

describe("Opener", () => {
  test("opens any bytes, of any length from none", () => {
    const sealer = new Sealer(seeded("any"));
    const opener = new Opener(polaris);
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 5000 }), fc.uint8Array({ maxLength: 64 }), (bytes, bound) => {
        const body = sealer.seal(polaris.record, bound, bytes);
        expect(body.byteLength).toBe(bytes.byteLength + 61);
        expect(Buffer.from(opener.open(bound, body))).toEqual(Buffer.from(bytes));
      }),
      { numRuns: 300 },
    );
  });

  test("agrees on a key once for all bodies of a process, in any order", () => {
    const sealer = new Sealer(seeded("often"));
    const opener = new Opener(polaris);
    const bodies = Array.from({ length: 50 }, () => sealer.seal(polaris.record, aad, plain)).reverse();
    for (const body of [...bodies, ...bodies]) expect(opened(opener, body)).toBe("attack at dawn");
  });

  test("reads what was sealed before it was restarted", () => {
    const body = new Sealer(seeded("before")).seal(polaris.record, aad, plain);
    for (let start = 0; start < 3; start++) expect(opened(new Opener(polaris), body)).toBe("attack at dawn");
  });

  test("refuses every body in which one bit was changed, whether it knows the sender's process or not", async () => {
    const sealer = new Sealer(seeded("bits"));
    const body = sealer.seal(polaris.record, aad, plain);
    const knows = new Opener(polaris);
    opened(knows, body);
    for (let bit = 0; bit < body.byteLength * 8; bit++) {
      const bent = new Uint8Array(body);
      bent[bit >> 3] = (bent[bit >> 3] ?? 0) ^ (1 << (bit & 7));
      // X25519 ignores the top bit of a coordinate; HPKE binds the spelling, so even that one is noticed.
      expect(await codeOf(() => knows.open(aad, bent)), `bit ${bit}`).toBe("envelope.unreadable");
      if (bit % 7 === 0) expect(await codeOf(() => new Opener(polaris).open(aad, bent))).toBe("envelope.unreadable");
    }
    expect(opened(knows, body)).toBe("attack at dawn");
  });

  test("refuses another header, a cut body, and a point that gives everybody the same key", async () => {
    const sealer = new Sealer(seeded("others"));
    const body = sealer.seal(polaris.record, aad, plain);
    const opener = new Opener(polaris);
    expect(await codeOf(() => opener.open(new Uint8Array(32), body))).toBe("envelope.unreadable");
    for (const length of [0, 1, 44, 60, 61, body.byteLength - 1]) {
      expect(await codeOf(() => opener.open(aad, body.subarray(0, length)))).toBe("envelope.unreadable");
    }
    for (const point of ["00".repeat(32), `01${"00".repeat(31)}`, `ec${"ff".repeat(30)}7f`]) {
      const bent = Buffer.from(body);
      bent.write(point, 1, "hex");
      expect(await codeOf(() => opener.open(aad, bent))).toBe("envelope.unreadable");
    }
  });

  test("is not disturbed by bodies that nobody can have sealed", async () => {
    const sealer = new Sealer(seeded("disturbed"));
    const opener = new Opener(polaris, { keysHeld: 4 });
    opened(opener, sealer.seal(polaris.record, aad, plain));
    const noise = seeded("noise");
    for (let i = 0; i < 50; i++) {
      const junk = noise.bytes(100);
      junk[0] = 1;
      expect(await codeOf(() => opener.open(aad, junk))).toBe("envelope.unreadable");
    }
    expect(opened(opener, sealer.seal(polaris.record, aad, plain))).toBe("attack at dawn");
  });

  test("opens nothing for another id, even one with the same encryption key", async () => {
    const sealer = new Sealer(seeded("twin"));
    const body = sealer.seal(polaris.record, aad, plain);
    const twin: Identity = { ...elsewhere, enc_key: polaris.enc_key };
    expect(await codeOf(() => new Opener(twin).open(aad, body))).toBe("envelope.unreadable");
    expect(await codeOf(() => new Opener(elsewhere).open(aad, body))).toBe("envelope.unreadable");
  });

  test("the key in its record is the one it opens with", () => {
    const file = makeIdentity("endpoint", seeded("own"));
    const identity = openIdentity(file);
    expect(toBase64url(publicBytesOf(privateKey("X25519", identity.enc_key)))).toBe(identity.record.enc_pub);
  });
});
