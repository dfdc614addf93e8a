import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { followWindowBytes } from "../../core/limits.ts";
import type { Chunk } from "../../core/schema/worker_message.ts";
import { Follow } from "../../core/submit/follow.ts";
import type { TaskId } from "../../core/task/id.ts";
import { idNumber } from "./parcels.ts";
import { emptyResult } from "./stub_world.ts";

const tid = idNumber(1) as string as TaskId;
const text = (bytes: Uint8Array | undefined) => (bytes === undefined ? undefined : Buffer.from(bytes).toString());

function chunk(offset: number, content: string, more: Partial<Chunk> = {}): Chunk {
  return { t: "chunk", sid: "s", tid, stream: "stdout", offset, end: false, bytes: [Buffer.from(content)], ...more };
}

describe("Follow", () => {
  test("passes on what is new of a chunk, and nothing behind a gap", () => {
    const follow = new Follow(tid, "s");
    expect(text(follow.take(chunk(0, "hello"), 0))).toBe("hello");
    expect(follow.take(chunk(0, "hello"), 0)).toBeUndefined();
    expect(text(follow.take(chunk(3, "lo world"), 0))).toBe(" world");
    expect(follow.take(chunk(20, "later"), 0)).toBeUndefined();
    expect(follow.take(chunk(11, "other task", { tid: idNumber(2) }), 0)).toBeUndefined();
  });

  test("asks anew soon after a gap, from what has been written", () => {
    const follow = new Follow(tid, "s");
    follow.ask(0);
    follow.take(chunk(0, "hello"), 0);
    follow.wrote("stdout", 5);
    follow.take(chunk(9, "x"), 50);
    expect(follow.dueAt_ms).toBeLessThanOrEqual(150);
    expect(follow.ask(150)).toMatchObject([{ stop: true }, { stdout_from: 5, stderr_from: 0 }]);
  });

  test("acknowledges by halves of the window, so that what is unwritten is bounded", () => {
    const follow = new Follow(tid, "s");
    follow.ask(0);
    expect(follow.wrote("stdout", followWindowBytes / 2 - 1)).toBe(false);
    expect(follow.wrote("stdout", 1)).toBe(true);
    expect(follow.acknowledge()).toMatchObject({ stdout_from: followWindowBytes / 2, window: followWindowBytes });
  });

  test("takes the rest from the result when it holds all that is missing", () => {
    const follow = new Follow(tid, "s");
    follow.take(chunk(0, "abc"), 0);
    const stdout = { total: 6, kept: 4, text: "cdef" };
    const rest = follow.rest({ ...emptyResult(), stdout });
    expect(text(rest?.stdout)).toBe("def");
    expect(follow.rest({ ...emptyResult(), stdout: { total: 6, kept: 2, text: "ef" } })).toBeUndefined();
  });

  test("does not believe an end that comes before the end", () => {
    const follow = new Follow(tid, "s");
    follow.take(chunk(0, "", { end: true }), 0);
    follow.take(chunk(0, "", { end: true, stream: "stderr" }), 0);
    expect(follow.complete({ ...emptyResult(), stdout: { total: 6, kept: 0 } })).toBe(false);
  });

  test("puts any shuffle of overlapping chunks together as the task wrote them", () => {
    const pieces = fc.array(fc.record({ from: fc.nat(40), size: fc.integer({ min: 1, max: 20 }) }), { maxLength: 60 });
    const whole = Array.from({ length: 40 }, (_, at) => String.fromCharCode(48 + at)).join("");
    fc.assert(
      fc.property(pieces, (list) => {
        const follow = new Follow(tid, "s");
        let got = "";
        for (const { from, size } of list)
          got += text(follow.take(chunk(from, whole.slice(from, from + size)), 0)) ?? "";
        expect(whole.startsWith(got)).toBe(true);
        expect(follow.passed("stdout")).toBe(got.length);
      }),
    );
  });
});
