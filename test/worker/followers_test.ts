/** Whoever follows gets every byte once, never more than its window ahead, and an end exactly once. */
import { describe, expect, test } from "bun:test";
import { chunkBytesMax } from "../../core/limits.ts";
import type { Follow } from "../../core/schema/worker_message.ts";
import { type ChunkOrder, Followers } from "../../core/worker/followers.ts";

const follow = (over: Partial<Follow> = {}): Follow => {
  return { t: "follow", sid: "s", tid: "t", stdout_from: 0, stderr_from: 0, window: 1_000_000, ...over };
};

function ordersOf(followers: Followers, stdout: number, stderr: number, over: boolean): ChunkOrder[] {
  const orders: ChunkOrder[] = [];
  followers.pump("t", { stdout, stderr, over }, (order) => orders.push(order));
  return orders;
}

describe("Followers", () => {
  test("cuts into chunks, goes on where it stopped, and ends each stream once", () => {
    const followers = new Followers();
    followers.follow("t", 1, follow());
    const first = ordersOf(followers, chunkBytesMax + 10, 0, false);
    expect(first.map(({ offset, bytes }) => [offset, bytes])).toEqual([
      [0, chunkBytesMax],
      [chunkBytesMax, 10],
    ]);
    expect(ordersOf(followers, chunkBytesMax + 10, 0, false)).toEqual([]);
    const last = ordersOf(followers, chunkBytesMax + 15, 3, true);
    expect(last.map(({ stream, bytes, end }) => [stream, bytes, end])).toEqual([
      ["stdout", 5, true],
      ["stderr", 3, true],
    ]);
    expect(followers.has("t")).toBe(false);
  });

  test("waits when the window is full and goes on with the acknowledgement", () => {
    const followers = new Followers();
    followers.follow("t", 1, follow({ window: 100 }));
    expect(ordersOf(followers, 1000, 0, false).map(({ bytes }) => bytes)).toEqual([100]);
    expect(ordersOf(followers, 2000, 0, false)).toEqual([]);
    followers.follow("t", 1, follow({ window: 100, stdout_from: 60 }));
    expect(ordersOf(followers, 2000, 0, false).map(({ offset, bytes }) => [offset, bytes])).toEqual([[100, 60]]);
  });

  test("jumps back when a reader asks for what it was sent before", () => {
    const followers = new Followers();
    followers.follow("t", 1, follow({ stdout_from: 50 }));
    expect(ordersOf(followers, 100, 0, false).map(({ offset, bytes }) => [offset, bytes])).toEqual([[50, 50]]);
    followers.follow("t", 1, follow({ stdout_from: 10 }));
    expect(ordersOf(followers, 100, 0, false).map(({ offset, bytes }) => [offset, bytes])).toEqual([[10, 90]]);
  });

  test("serves several at once, each from its own place, until they stop", () => {
    const followers = new Followers();
    followers.follow("t", 1, follow());
    followers.follow("t", 1, follow({ sid: "other", stdout_from: 5 }));
    expect(ordersOf(followers, 10, 0, false).map(({ sid, bytes }) => [sid, bytes])).toEqual([
      ["s", 10],
      ["other", 5],
    ]);
    followers.follow("t", 1, follow({ stop: true }));
    expect(ordersOf(followers, 11, 0, false).map(({ sid }) => sid)).toEqual(["other"]);
    followers.follow("t", 1, follow({ sid: "other", stop: true }));
    expect(followers.has("t")).toBe(false);
  });
});
