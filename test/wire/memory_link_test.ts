/** The link without a network behaves as the one with it. */
import { expect, test } from "bun:test";
import type { Peer } from "../../core/wire/link.ts";
import { type Direction, memoryLink } from "../../core/wire/memory_link.ts";
import { Witness } from "./parties.ts";
import { microtasks } from "./still_world.ts";

const user: Peer = { role: "user", id: "u", instance: "i", local: true };
const relay: Peer = { role: "relay", id: "r", instance: "e", local: true };

function pair(carry?: (direction: Direction, bytes: number, arrive: () => void) => void) {
  const [mine, theirs] = [new Witness(), new Witness()];
  const options = { session: "s", epoch: "e", ...(carry === undefined ? {} : { carry }) };
  const both = memoryLink({ self: user, events: mine }, { self: relay, events: theirs }, options);
  return { mine, theirs, ...both };
}

test("messages arrive in order, as copies, and undefined fields are gone as on the wire", async () => {
  const { mine, theirs, opener, acceptor } = pair();
  await microtasks();
  expect([mine.ups[0]?.peer.id, theirs.ups[0]?.peer.id]).toEqual(["r", "u"]);
  const message = { t: "a", list: [1], nothing: undefined, bytes: [new Uint8Array([7])] };
  opener.send([message]);
  message.list.push(2);
  opener.send([{ t: "b" }]);
  acceptor.send([{ t: "c" }]);
  expect(theirs.received).toEqual([]);
  await microtasks();
  expect(theirs.received).toEqual([{ t: "a", list: [1], bytes: [new Uint8Array([7])] } as never, { t: "b" }]);
  expect(mine.received).toEqual([{ t: "c" }]);
});

test("buffered() counts what is under way", async () => {
  const under_way: (() => void)[] = [];
  const { opener } = pair((_direction, _bytes, arrive) => under_way.push(arrive));
  for (const arrive of under_way.splice(0)) arrive();
  opener.send([{ t: "a", bytes: [new Uint8Array(1000)] }]);
  expect(opener.buffered()).toBeGreaterThan(1000);
  for (const arrive of under_way.splice(0)) arrive();
  expect(opener.buffered()).toBe(0);
});

test("close() delivers what was sent before, is told once at each end, never from within", async () => {
  const { mine, theirs, opener } = pair();
  await microtasks();
  opener.send([{ t: "last" }]);
  opener.close("enough");
  opener.close("again");
  opener.send([{ t: "late" }]);
  expect(mine.downs).toEqual([]);
  await microtasks();
  expect(theirs.received).toEqual([{ t: "last" }]);
  expect([mine.downs.length, theirs.downs.length]).toEqual([1, 1]);
  expect(theirs.downs[0]?.reason.message).toContain("enough");
});

test("cut() breaks both ends once, and one that never was up hears of an attempt that failed", async () => {
  const { mine, theirs, cut, opener } = pair();
  await microtasks();
  opener.send([{ t: "lost" }]);
  cut();
  cut();
  await microtasks();
  expect([mine.downs.length, theirs.downs.length]).toEqual([1, 1]);
  expect(mine.downs[0]?.link).toBe(mine.ups[0]);

  const early = pair(() => {});
  early.cut();
  expect(early.mine.ups).toEqual([]);
});
