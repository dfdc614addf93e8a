/** Frames: what goes in comes out, and nothing that comes in can do more than fail by name. */
import { expect, test } from "bun:test";
import * as fc from "fast-check";
import { GcError } from "../../core/errors.ts";
import {
  decodeFrame,
  emptyFrameBytes,
  encodeFrame,
  type Frameable,
  joinFrame,
  packMessage,
} from "../../core/wire/codec.ts";
import { Assembler, partsOf } from "../../core/wire/parts.ts";

const blob = fc.uint8Array({ maxLength: 300 });
const message = fc.record({
  t: fc.string(),
  text: fc.string({ unit: "binary" }),
  value: fc.jsonValue(),
  bytes: fc.option(fc.array(blob, { maxLength: 4 }), { nil: undefined }),
});

test("any messages come out as they went in, blobs as bytes", () => {
  return fc.assert(
    fc.property(fc.array(message, { maxLength: 6 }), (messages) => {
      const plain = JSON.parse(JSON.stringify(messages.map((each) => ({ ...each, bytes: undefined })))) as Frameable[];
      const back = decodeFrame(encodeFrame(messages as Frameable[]));
      expect(back.map((each) => ({ ...each, bytes: undefined }))).toEqual(
        plain.map((each) => ({ ...each, bytes: undefined })),
      );
      for (const [at, each] of back.entries()) {
        expect(each.bytes?.map((bytes) => Buffer.from(bytes).toString("hex"))).toEqual(
          messages[at]?.bytes?.map((bytes) => Buffer.from(bytes).toString("hex")),
        );
      }
    }),
    { numRuns: 500 },
  );
});

test("packed messages never make a frame longer than they said", () => {
  return fc.assert(
    fc.property(fc.array(message, { minLength: 1, maxLength: 6 }), (messages) => {
      const packed = messages.map((each) => packMessage(each as Frameable));
      const said = packed.reduce((sum, each) => sum + each.frame_bytes, emptyFrameBytes);
      const frame = joinFrame(packed);
      expect(frame.byteLength).toBeLessThanOrEqual(said);
      expect(said - frame.byteLength).toBeLessThanOrEqual(1);
    }),
    { numRuns: 300 },
  );
});

test("a message that is changed after it was packed travels as it was", () => {
  const changing = { t: "mail", seqs: [1] };
  const packed = packMessage(changing);
  changing.seqs.push(2);
  expect(decodeFrame(joinFrame([packed]))).toEqual([{ t: "mail", seqs: [1] } as Frameable]);
});

test("100,000 mutilated or random frames fail as wire.malformed or come out as messages, never otherwise", () => {
  let seed = 1;
  const next = (bound: number): number => {
    seed = (Math.imul(seed, 1103515245) + 12345) >>> 0;
    return Math.floor((seed / 2 ** 32) * bound);
  };
  const good = encodeFrame([
    { t: "mail", bytes: [new Uint8Array([1, 2, 3]), new Uint8Array(0)] },
    { t: "news", list: [1, "zwei", null], deep: { a: { b: [] } } } as Frameable,
  ]);
  let failed = 0;
  for (let round = 0; round < 100_000; round++) {
    let frame = good.slice(0, next(4) === 0 ? next(good.byteLength) : good.byteLength);
    for (let flips = next(6); flips >= 0; flips--) if (frame.byteLength > 0) frame[next(frame.byteLength)] = next(256);
    if (round % 10 === 0) frame = Uint8Array.from({ length: next(40) }, () => next(256));
    try {
      for (const each of decodeFrame(frame)) expect(typeof each.t).toBe("string");
    } catch (error) {
      if (!(error instanceof GcError) || error.code !== "wire.malformed") throw error;
      failed += 1;
    }
  }
  expect(failed).toBeGreaterThan(50_000);
});

test("blob lengths that lie are refused", () => {
  const lie = (bytes: unknown, tail = 0): Uint8Array => {
    const json = new TextEncoder().encode(JSON.stringify([{ t: "x", bytes }]));
    const frame = new Uint8Array(4 + json.byteLength + tail);
    new DataView(frame.buffer).setUint32(0, json.byteLength, true);
    frame.set(json, 4);
    return frame;
  };
  for (const bytes of [[-1], [1.5], ["1"], [2 ** 53], [1e308], [null], {}, "", [4]]) {
    expect(() => decodeFrame(lie(bytes, 3))).toThrow(/malformed/);
  }
  expect(() => decodeFrame(lie([2], 3))).toThrow(/left over/);
  expect(decodeFrame(lie([3], 3))[0]?.bytes?.[0]?.byteLength).toBe(3);
});

test("a __proto__ in a message changes no object but its own", () => {
  const json = new TextEncoder().encode('[{"t":"x","__proto__":{"polluted":1}}]');
  const frame = new Uint8Array(4 + json.byteLength);
  new DataView(frame.buffer).setUint32(0, json.byteLength, true);
  frame.set(json, 4);
  decodeFrame(frame);
  expect(({} as { polluted?: number }).polluted).toBeUndefined();
});

test("frames of any length arrive whole through parts, one after the other", () => {
  const assembler = new Assembler();
  for (const bytes of [0, 1, 262_143, 262_144, 262_145, 524_288, 524_289, 3_000_000]) {
    const frame = Uint8Array.from({ length: bytes }, (_, at) => at % 251);
    const parts = partsOf(frame);
    for (const part of parts) expect(part.byteLength).toBeLessThanOrEqual(262_144);
    const out = parts.map((part) => assembler.take(part));
    expect(out.slice(0, -1).every((each) => each === undefined)).toBe(true);
    expect(Buffer.compare(out.at(-1) as Uint8Array, frame)).toBe(0);
  }
});

test("parts that were announced too long, too short, or do not fit are refused", () => {
  const head = (length: number): Uint8Array => {
    const bytes = new Uint8Array(8);
    new DataView(bytes.buffer).setUint32(0, 0xffffffff, true);
    new DataView(bytes.buffer).setUint32(4, length, true);
    return bytes;
  };
  expect(() => new Assembler().take(head(16 * 1024 * 1024 + 1))).toThrow("the limit is 16777216");
  expect(() => new Assembler().take(head(262_144))).toThrow(/malformed/);
  const greedy = new Assembler();
  greedy.take(head(262_145));
  greedy.take(new Uint8Array(262_144));
  expect(() => greedy.take(new Uint8Array(2))).toThrow(/malformed/);
  const idle = new Assembler();
  idle.take(head(262_145));
  expect(() => idle.take(new Uint8Array(0))).toThrow(/malformed/);
});
