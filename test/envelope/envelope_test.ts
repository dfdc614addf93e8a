/** Envelopes come back as they were made; what is not one is refused with a reason, and costs little. */
import { describe, expect, test } from "bun:test";
import { hash } from "node:crypto";
import fc from "fast-check";
import {
  digestOf,
  type Envelope,
  headerHash,
  packEnvelope,
  readEnvelope,
  requireAddressee,
  verifyEnvelope,
} from "../../core/envelope/envelope.ts";
import { GcError } from "../../core/errors.ts";
import { bodyBytesMax, headerBytesMax } from "../../core/limits.ts";
import type { Header } from "../../core/schema/envelope.ts";
import { codeOf } from "../access/people.ts";
import {
  accept,
  alice,
  assemble,
  everyKind,
  live,
  makerOf,
  mallory,
  polaris,
  receipt,
  results,
  tasks,
} from "./samples.ts";

const nothing = new Uint8Array(0);
const read = (bytes: Uint8Array): Promise<string> => codeOf(() => readEnvelope(bytes));

describe("readEnvelope()", () => {
  for (const envelope of everyKind) {
    test(`gives back a ${envelope.header.kind} as it was composed`, () => {
      const again = readEnvelope(envelope.bytes);
      expect(again.header).toEqual(envelope.header);
      expect(again.body).toEqual(envelope.body);
      expect(again.signature).toEqual(envelope.signature);
      verifyEnvelope(again, makerOf(envelope).record);
    });
  }

  test("copies nothing and leaves bytes around it alone", () => {
    const around = new Uint8Array(tasks.bytes.byteLength + 20).fill(0xff);
    around.set(tasks.bytes, 7);
    const again = readEnvelope(around.subarray(7, 7 + tasks.bytes.byteLength));
    expect(again.body.buffer).toBe(around.buffer);
    expect(again.header_bytes.buffer).toBe(around.buffer);
    verifyEnvelope(again, alice.record);
  });

  test("refuses every beginning of an envelope, and one with something behind it", async () => {
    for (let length = 0; length < tasks.bytes.byteLength; length++) {
      expect(await read(tasks.bytes.subarray(0, length))).toBe("envelope.malformed");
    }
    expect(await read(Buffer.concat([tasks.bytes, Buffer.of(0)]))).toBe("envelope.malformed");
  });

  test("refuses another version by name", async () => {
    const other = new Uint8Array(tasks.bytes);
    other[0] = 2;
    expect(await read(other)).toBe("envelope.version");
  });

  test("refuses lengths beyond the limits before it looks at anything else", async () => {
    const huge = new Uint8Array(200);
    const view = new DataView(huge.buffer);
    huge[0] = 1;
    for (const length of [headerBytesMax + 1, 2 ** 31, 2 ** 32 - 1]) {
      view.setUint32(1, length, true);
      expect(await read(huge)).toBe("envelope.malformed");
    }
    view.setUint32(1, 2, true);
    for (const length of [bodyBytesMax + 62, 2 ** 32 - 1]) {
      view.setUint32(7, length, true);
      expect(await read(huge)).toBe("envelope.malformed");
    }
  });

  test("refuses a header that is right but too long", async () => {
    const long = (length: number): Uint8Array => Buffer.from(JSON.stringify(tasks.header).padEnd(length));
    expect(await read(assemble(long(headerBytesMax), tasks.body, tasks.signature))).toBe("");
    expect(await read(assemble(long(headerBytesMax + 1), tasks.body, tasks.signature))).toBe("envelope.malformed");
  });

  test("takes a sealed body of 10 MiB and refuses one byte more", async () => {
    const full = assemble(tasks.header, new Uint8Array(bodyBytesMax + 61), tasks.signature);
    expect(await read(full)).toBe("");
    const more = assemble(tasks.header, new Uint8Array(bodyBytesMax + 62), tasks.signature);
    expect(await read(more)).toBe("envelope.malformed");
  });

  test("refuses a body where there is none, and a missing one", async () => {
    expect(await read(assemble(accept.header, new Uint8Array(1), accept.signature))).toBe("envelope.malformed");
    expect(await read(assemble(receipt.header, new Uint8Array(80), accept.signature))).toBe("envelope.malformed");
    expect(await read(assemble(tasks.header, nothing, tasks.signature))).toBe("envelope.malformed");
    expect(await read(assemble(live.header, new Uint8Array(60), live.signature))).toBe("envelope.malformed");
  });

  const { nonce: _, ...withoutNonce } = tasks.header as typeof tasks.header & { nonce: string };
  const header = results.header as typeof results.header & { indices: number[]; classes: string[] };
  const bad: { [what: string]: object | Uint8Array } = {
    "no JSON": Buffer.from("{"),
    "no UTF-8": Buffer.from([0x22, 0xff, 0x22]),
    "a byte order mark": Buffer.concat([Buffer.of(0xef, 0xbb, 0xbf), tasks.header_bytes]),
    "100,000 brackets": Buffer.alloc(100_000, "["),
    null: Buffer.from("null"),
    "a list": [],
    "a number": Buffer.from("1"),
    "no kind": {},
    "the kind of a property of all objects": { ...tasks.header, kind: "constructor" },
    "an unknown kind": { ...tasks.header, kind: "order" },
    "a missing field": withoutNonce,
    "a field too many": { ...tasks.header, argv: ["rm"] },
    __proto__: Buffer.from(JSON.stringify(tasks.header).replace("{", '{"__proto__":{"x":1},')),
    "version 2": { ...tasks.header, v: 2 },
    "a time that is none": { ...tasks.header, created_ms: 1.5 },
    "too many tasks": { ...tasks.header, count: 10_001 },
    "no task": { ...tasks.header, count: 0 },
    "an id in capitals": { ...tasks.header, to: tasks.header.to.toUpperCase() },
    "an id that is not made of sender and nonce": { ...tasks.header, nonce: "f".repeat(32) },
    "another sender": { ...tasks.header, from: mallory.id },
    "the key of another sender": { ...tasks.header, sender: mallory.record },
    "an index twice": { ...header, indices: [1, 1] },
    "an index below zero": { ...header, indices: [-1, 0] },
    "classes too few": { ...header, classes: ["ok"] },
    "a class nobody knows": { ...header, classes: ["ok", "great"] },
    "a receipt for an index twice": { ...receipt.header, indices: [3, 3] },
    "a receipt for nothing": { ...receipt.header, indices: [] },
    "a session name without end": { ...live.header, session: "s".repeat(65) },
  };
  for (const [what, one] of Object.entries(bad)) {
    test(`refuses a header with ${what}`, async () => {
      const body = what.includes("receipt") ? nothing : tasks.body;
      expect(await read(assemble(one, body, tasks.signature))).toMatch(/^envelope\.(header|malformed)$/);
    });
  }

  test("answers every sequence of bytes with an envelope or a GcError", () => {
    const near = fc
      .record({ at: fc.nat(), value: fc.nat(255), sample: fc.constantFrom(...everyKind) })
      .map(({ at, value, sample }) => {
        const bytes = new Uint8Array(sample.bytes);
        bytes[at % bytes.byteLength] = value;
        return bytes;
      });
    const prefixed = fc.uint8Array({ maxLength: 300 }).map((bytes) => Buffer.concat([Buffer.of(1), bytes]));
    fc.assert(
      fc.property(fc.oneof(near, prefixed, fc.uint8Array({ maxLength: 200 })), (bytes) => {
        try {
          readEnvelope(bytes);
        } catch (error) {
          expect(error).toBeInstanceOf(GcError);
        }
      }),
      { numRuns: 3000 },
    );
  });
});

describe("verifyEnvelope()", () => {
  test("takes only the maker's record", async () => {
    for (const envelope of everyKind) {
      const maker = makerOf(envelope);
      verifyEnvelope(envelope, maker.record);
      for (const other of [alice, mallory, polaris].filter((one) => one !== maker)) {
        expect(await codeOf(() => verifyEnvelope(envelope, other.record))).toBe("envelope.wrong_sender");
      }
    }
  });

  test("refuses a sender's record that does not prove itself, though its owner signed the envelope", async () => {
    const header = { ...receipt.header, sender: { ...alice.record, enc_pub: mallory.record.enc_pub } } as Header;
    const header_bytes = Buffer.from(JSON.stringify(header));
    const envelope = packEnvelope(alice, header, header_bytes, headerHash(header_bytes), nothing);
    expect(await codeOf(() => verifyEnvelope(readEnvelope(envelope.bytes), alice.record))).toBe("key.bad_signature");
  });

  test("signs sha256 of header and body behind a name of its own, so no other signature can stand in", () => {
    const sha = (bytes: Uint8Array): Buffer => hash("sha256", bytes, "buffer");
    const signed = Buffer.concat([Buffer.from("gc-envelope-v1\0"), sha(tasks.header_bytes), sha(tasks.body)]);
    expect(Buffer.from(alice.sign(signed))).toEqual(Buffer.from(tasks.signature));
  });
});

test("requireAddressee() lets only the addressee act on an envelope", async () => {
  requireAddressee(receipt, polaris.id);
  expect(await codeOf(() => requireAddressee(receipt, alice.id))).toBe("envelope.wrong_addressee");
});

test("digestOf() is the sha256 of all bytes, signature included", () => {
  const other: Envelope = { ...tasks, bytes: new Uint8Array(tasks.bytes) };
  expect(digestOf(tasks.bytes)).toBe(new Bun.CryptoHasher("sha256").update(tasks.bytes).digest("hex"));
  other.bytes[other.bytes.byteLength - 1] = (other.bytes.at(-1) ?? 0) ^ 1;
  expect(digestOf(other.bytes)).not.toBe(digestOf(tasks.bytes));
});
