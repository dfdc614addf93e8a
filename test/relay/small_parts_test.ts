import { expect, test } from "bun:test";
import fc from "fast-check";
import { Challenges } from "../../core/relay/challenges.ts";
import { saysFull } from "../../core/relay/disk.ts";
import { withIndices } from "../../core/relay/index_set.ts";
import { RateBook } from "../../core/relay/rate.ts";
import { seeded } from "./town.ts";

test("withIndices() adds what is new and keeps what was there, like a set", () => {
  const indices = fc.uniqueArray(fc.integer({ min: 0, max: 9999 }), { maxLength: 50 });
  fc.assert(
    fc.property(fc.array(indices, { maxLength: 8 }), (batches) => {
      const model = new Set<number>();
      let set: Uint8Array | undefined;
      for (const batch of batches) {
        const fresh = batch.filter((index) => !model.has(index));
        const added = withIndices(set, batch);
        expect(added.fresh).toEqual(fresh);
        for (const index of batch) model.add(index);
        set = added.set;
      }
      expect(withIndices(set, [...model]).fresh).toEqual([]);
    }),
  );
});

test("a person has a burst, then a steady rate, and a clock that goes back gives nothing away", () => {
  const book = new RateBook(3, 10);
  expect([0, 0, 0].map(() => book.take("ada", 1000))).toEqual([0, 0, 0]);
  expect(book.take("ada", 1000)).toBe(1000);
  expect(book.take("bob", 1000)).toBe(0);
  expect(book.take("ada", 500)).toBe(1000);
  expect(book.take("ada", 1999)).toBeGreaterThan(0);
  expect(book.take("ada", 3000)).toBe(0);
});

test("a challenge is good once and for a minute, a token for a quarter of an hour", () => {
  let now = 0;
  const challenges = new Challenges({ monotonic: () => now }, seeded(7));
  const nonce = challenges.challenge();
  expect(challenges.take(nonce, "relay").nonce).toBe(nonce);
  expect(() => challenges.take(nonce, "relay")).toThrow("too old");
  const old = challenges.challenge();
  now = 60_001;
  expect(() => challenges.take(old, "relay")).toThrow("too old");
  const { token } = challenges.token({ id: "ada", no: 1, kind: "user" });
  expect(challenges.holder(token)?.id).toBe("ada");
  expect(challenges.holder("another")).toBeUndefined();
  challenges.revoke("ada");
  expect(challenges.holder(token)).toBeUndefined();
  const second = challenges.token({ id: "ada", no: 1, kind: "user" }).token;
  now += 15 * 60_000 + 1;
  expect(challenges.holder(second)).toBeUndefined();
});

test("challenges that nobody takes do not pile up", () => {
  const challenges = new Challenges({ monotonic: () => 0 }, seeded(8));
  const first = challenges.challenge();
  for (let i = 0; i < 1000; i += 1) challenges.challenge();
  expect(() => challenges.take(first, "relay")).toThrow("too old");
});

test("a full disk is recognised however deep its error is wrapped", () => {
  const full = Object.assign(new Error("disk full"), { code: "SQLITE_FULL" });
  expect(saysFull(full)).toBe(true);
  expect(saysFull(new Error("a", { cause: new Error("b", { cause: full }) }))).toBe(true);
  expect(saysFull(Object.assign(new Error("x"), { code: "ENOSPC" }))).toBe(true);
  expect(saysFull(Object.assign(new Error("x"), { code: "SQLITE_BUSY" }))).toBe(false);
  expect(saysFull(undefined)).toBe(false);
});
