import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { chunkBytesMax, followWindowBytes } from "../../core/limits.ts";
import type { Input as InputMessage } from "../../core/schema/worker_message.ts";
import { Input } from "../../core/submit/input.ts";
import type { TaskId } from "../../core/task/id.ts";
import { idNumber } from "./parcels.ts";

const tid = idNumber(1) as string as TaskId;
const bytes = (text: string) => new Uint8Array(Buffer.from(text));

/** A task that takes input by offset, as a worker does. */
class Taker {
  got = "";
  ended = false;

  take(message: InputMessage): void {
    const text = Buffer.from(message.bytes?.[0] ?? []).toString();
    if (message.offset > this.got.length) return;
    this.got += text.slice(this.got.length - message.offset);
    if (message.end && message.offset + text.length === this.got.length) this.ended = true;
  }
}

describe("Input", () => {
  test("sends pieces by offset and the end with the last one", () => {
    const input = new Input(tid);
    input.push(bytes("ab"));
    expect(input.send(0)).toMatchObject([{ offset: 0, end: false }]);
    input.push(bytes("cd"));
    input.end();
    expect(input.send(0)).toMatchObject([{ offset: 2, end: true }]);
    expect(input.send(0)).toEqual([]);
  });

  test("repeats what was not acknowledged, from there on", () => {
    const input = new Input(tid);
    input.push(bytes("abcdef"));
    input.send(0);
    input.acknowledge(4, false, 0);
    expect(input.send(0, true)).toMatchObject([{ offset: 4, bytes: [bytes("ef")] }]);
  });

  test("repeats the end until the task has it", () => {
    const input = new Input(tid);
    input.end();
    input.send(0);
    input.acknowledge(0, false, 0);
    expect(input.dueAt_ms).toBeLessThan(10_000);
    expect(input.send(5000, true)).toMatchObject([{ offset: 0, end: true }]);
    input.acknowledge(0, true, 5000);
    expect(input.done).toBe(true);
    expect(input.dueAt_ms).toBe(Number.POSITIVE_INFINITY);
  });

  test("wants no more than a window, and nothing for a task that reads no more", () => {
    const input = new Input(tid);
    input.push(new Uint8Array(followWindowBytes));
    expect(input.wanted).toBe(false);
    expect(input.send(0).every((message) => (message.bytes?.[0]?.byteLength ?? 0) <= chunkBytesMax)).toBe(true);
    input.acknowledge(1, false, 0);
    expect(input.wanted).toBe(true);
    input.acknowledge(1, true, 0);
    expect(input.wanted).toBe(false);
    expect(input.send(0)).toEqual([]);
  });

  test("gets everything across whatever is lost on the way", () => {
    const step = fc.record({
      piece: fc.string({ unit: "grapheme-ascii", maxLength: 9 }),
      lost: fc.boolean(),
      deaf: fc.boolean(),
    });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
        const input = new Input(tid);
        const taker = new Taker();
        const pass = (again: boolean, lost: boolean, deaf: boolean): void => {
          for (const message of input.send(0, again)) if (!lost) taker.take(message);
          if (!deaf) input.acknowledge(taker.got.length, false, 0);
        };
        for (const { piece, lost, deaf } of steps) {
          input.push(bytes(piece));
          pass(lost, lost, deaf);
        }
        input.end();
        pass(true, false, false);
        expect(taker.got).toBe(steps.map(({ piece }) => piece).join(""));
        expect(taker.ended).toBe(true);
      }),
    );
  });
});
