/** A body opens for its recipient, with its header, unchanged; keys are agreed on once and never used twice the
 * same. */
import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { privateKey, publicBytesOf, toBase64url } from "../../core/access/keys.ts";
import { type Identity, makeIdentity, openIdentity } from "../../core/access/principal.ts";
import { BrokenInvariant } from "../../core/assert.ts";
import { Opener, Sealer } from "../../core/envelope/sealer.ts";
import { codeOf, principal, seeded } from "../access/people.ts";

const polaris = principal("endpoint", "polaris");
const elsewhere = principal("endpoint", "elsewhere");
const aad = seeded("aad").bytes(32);
const plain = new TextEncoder().encode("attack at dawn");

async function prepared(seed: string, ...to: Identity[]): Promise<Sealer> {
  const sealer = new Sealer(seeded(seed));
  for (const one of to) await sealer.prepare(one.record);
  return sealer;
}
const opened = async (opener: Opener, body: Uint8Array): Promise<string> =>
  Buffer.from(await opener.open(aad, body)).toString();

describe("Sealer", () => {
  test("seals only to whom it was prepared for", async () => {
    const sealer = new Sealer(seeded("unprepared"));
    expect(sealer.ready(polaris.record)).toBe(false);
    expect(() => sealer.seal(polaris.record, aad, plain)).toThrow(BrokenInvariant);
    await sealer.prepare(polaris.record);
    expect(sealer.ready(polaris.record)).toBe(true);
    expect(sealer.ready(elsewhere.record)).toBe(false);
    expect(await opened(new Opener(polaris), sealer.seal(polaris.record, aad, plain))).toBe("attack at dawn");
  });

  test("agrees on one key though it is asked many times at once", async () => {
    const sealer = new Sealer(seeded("at once"));
    await Promise.all(Array.from({ length: 20 }, () => sealer.prepare(polaris.record)));
    const first = sealer.seal(polaris.record, aad, plain);
    await sealer.prepare(polaris.record);
    const second = sealer.seal(polaris.record, aad, plain);
    expect(second.subarray(1, 33)).toEqual(first.subarray(1, 33));
  });

  test("does not agree on a key with a record that does not prove itself", async () => {
    const swapped = { ...polaris.record, enc_pub: elsewhere.record.enc_pub };
    expect(await codeOf(() => new Sealer(seeded("x")).prepare(swapped))).toBe("key.bad_signature");
  });

  test("agrees anew when the recipient has replaced its encryption key", async () => {
    const sealer = await prepared("replaced", polaris);
    expect(sealer.ready({ ...polaris.record, enc_pub: elsewhere.record.enc_pub })).toBe(false);
  });

  test("renews a key that has sealed enough, seals with it a while longer, and then no more", async () => {
    const sealer = new Sealer(seeded("renews"), { bodiesPerKey: 3, bytesPerKey: 1000, keysHeld: 10 });
    await sealer.prepare(polaris.record);
    const keyOf = (bytes: Uint8Array): string => {
      return Buffer.from(sealer.seal(polaris.record, aad, bytes).subarray(1, 33)).toString("hex");
    };
    const keys = new Set([keyOf(plain), keyOf(plain), keyOf(plain)]);
    expect(sealer.ready(polaris.record)).toBe(false);
    for (let i = 0; i < 3; i++) keys.add(keyOf(plain));
    expect(keys.size).toBe(1);
    expect(() => keyOf(plain)).toThrow(BrokenInvariant);
    await sealer.prepare(polaris.record);
    expect(sealer.ready(polaris.record)).toBe(true);
    keys.add(keyOf(new Uint8Array(1000)));
    expect(keys.size).toBe(2);
    expect(sealer.ready(polaris.record)).toBe(false);
  });

  test("forgets recipients that it has not sealed to for long, and agrees anew when they return", async () => {
    const sealer = new Sealer(seeded("forgets"), { bodiesPerKey: 1e9, bytesPerKey: 1e9, keysHeld: 2 });
    for (let i = 0; i < 6; i++) await sealer.prepare(principal("user", `user ${i}`).record);
    const first = principal("user", "user 0");
    expect(sealer.ready(first.record)).toBe(false);
    await sealer.prepare(first.record);
    expect(await opened(new Opener(first), sealer.seal(first.record, aad, plain))).toBe("attack at dawn");
  });

  test("never uses a nonce twice with one key, nor a key in two processes", async () => {
    const seen = new Set<string>();
    const keys = new Set<string>();
    for (const seed of ["one", "one", "two"]) {
      const sealer = await prepared(seed, polaris, elsewhere);
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

  test("never seals the same bytes to the same ciphertext", async () => {
    const sealer = await prepared("same", polaris);
    const bodies = Array.from({ length: 100 }, () =>
      Buffer.from(sealer.seal(polaris.record, aad, plain).subarray(45)).toString("hex"),
    );
    expect(new Set(bodies).size).toBe(100);
  });
});

describe("Opener", () => {
  test("opens any bytes, of any length from none", async () => {
    const sealer = await prepared("any", polaris);
    const opener = new Opener(polaris);
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ maxLength: 5000 }), fc.uint8Array({ maxLength: 64 }), async (bytes, bound) => {
        const body = sealer.seal(polaris.record, bound, bytes);
        expect(body.byteLength).toBe(bytes.byteLength + 61);
        expect(Buffer.from(await opener.open(bound, body))).toEqual(Buffer.from(bytes));
      }),
      { numRuns: 300 },
    );
  });

  test("answers at once from the second body of a process on, and agrees once for many at the same time", async () => {
    const sealer = await prepared("often", polaris);
    const opener = new Opener(polaris);
    const first = Array.from({ length: 50 }, () => opener.open(aad, sealer.seal(polaris.record, aad, plain)));
    expect(first.every((one) => one instanceof Promise)).toBe(true);
    for (const one of await Promise.all(first)) expect(Buffer.from(one).toString()).toBe("attack at dawn");
    expect(opener.open(aad, sealer.seal(polaris.record, aad, plain))).not.toBeInstanceOf(Promise);
  });

  test("reads what was sealed before it was restarted", async () => {
    const body = (await prepared("before", polaris)).seal(polaris.record, aad, plain);
    for (let start = 0; start < 3; start++) expect(await opened(new Opener(polaris), body)).toBe("attack at dawn");
  });

  test("refuses every body in which one bit was changed, whether it knows the sender's process or not", async () => {
    const sealer = await prepared("bits", polaris);
    const body = sealer.seal(polaris.record, aad, plain);
    const knows = new Opener(polaris);
    await opened(knows, body);
    for (let bit = 0; bit < body.byteLength * 8; bit++) {
      const bent = new Uint8Array(body);
      bent[bit >> 3] = (bent[bit >> 3] ?? 0) ^ (1 << (bit & 7));
      // X25519 ignores the top bit of a coordinate; HPKE binds the spelling, so even that one is noticed.
      expect(await codeOf(() => knows.open(aad, bent)), `bit ${bit}`).toBe("envelope.unreadable");
      if (bit % 7 === 0) expect(await codeOf(() => new Opener(polaris).open(aad, bent))).toBe("envelope.unreadable");
    }
    expect(await opened(knows, body)).toBe("attack at dawn");
  });

  test("refuses another header, a cut body, and a point that gives everybody the same key", async () => {
    const sealer = await prepared("others", polaris);
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
    const sealer = await prepared("disturbed", polaris);
    const opener = new Opener(polaris, { keysHeld: 4 });
    await opened(opener, sealer.seal(polaris.record, aad, plain));
    const noise = seeded("noise");
    for (let i = 0; i < 50; i++) {
      const junk = noise.bytes(100);
      junk[0] = 1;
      expect(await codeOf(() => opener.open(aad, junk))).toBe("envelope.unreadable");
    }
    expect(opener.open(aad, sealer.seal(polaris.record, aad, plain))).not.toBeInstanceOf(Promise);
  });

  test("opens nothing for another id, even one with the same encryption key", async () => {
    const sealer = await prepared("twin", polaris);
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
