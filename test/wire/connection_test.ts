/** The acting half of a link, with a still clock and a socket of plain numbers. */
import { describe, expect, test } from "bun:test";
import { partBytes } from "../../core/limits.ts";
import { decodeFrame, encodeFrame, type Frameable } from "../../core/wire/codec.ts";
import { bufferedMax, Connection } from "../../core/wire/connection.ts";
import type { Link } from "../../core/wire/link.ts";
import { Assembler } from "../../core/wire/parts.ts";
import { quietHost, Witness } from "./parties.ts";
import { acceptorSide, openerSide } from "./session_pair.ts";
import { microtasks, StillClock, StillSocket } from "./still_world.ts";

/** An opener and an acceptor that are up; `carry` moves what was sent. */
async function linked() {
  const clock = new StillClock();
  const host = { ...quietHost(), clock };
  const [near, far] = [new StillSocket(), new StillSocket()];
  const [mine, theirs] = [new Witness(), new Witness()];
  const opener = new Connection(near, openerSide(), mine, host);
  const acceptor = new Connection(far, acceptorSide(), theirs, host);
  const carry = async (hears: (messages: Frameable[]) => unknown = () => {}): Promise<void> => {
    await microtasks();
    while (near.sent.length + far.sent.length > 0) {
      hears(messagesOf(far));
      for (const message of far.sent.splice(0)) opener.received(message);
      for (const message of near.sent.splice(0)) acceptor.received(message);
      await microtasks();
    }
  };
  await carry();
  expect([mine.ups.length, theirs.ups.length]).toEqual([1, 1]);
  return { clock, near, far, mine, theirs, opener, acceptor, carry };
}

function messagesOf(socket: StillSocket): Frameable[] {
  const assembler = new Assembler();
  return socket.sent.flatMap((part) => {
    const frame = assembler.take(part);
    return frame === undefined ? [] : decodeFrame(frame);
  });
}

describe("an idle link", () => {
  test("wakes both sides together 5 times a minute, for 3 pings and 3 pongs", async () => {
    const { clock, near, mine, theirs, carry } = await linked();
    const said = { opener: [] as string[], acceptor: [] as string[] };
    for (let second = 0; second < 660; second++) {
      if (second === 60) clock.wakes = 0; // Without those of the opening.
      await clock.pass(1000);
      if (second >= 60) said.opener.push(...messagesOf(near).map(({ t }) => t));
      await carry((messages) => second >= 60 && said.acceptor.push(...messages.map(({ t }) => t)));
    }
    expect(mine.downs.length + theirs.downs.length).toBe(0);
    expect(said.opener).toEqual(Array.from({ length: 30 }, () => "ping"));
    expect(said.acceptor).toEqual(Array.from({ length: 30 }, () => "pong"));
    expect(clock.wakes).toBeLessThanOrEqual(52);
  });
});

describe("a slow line", () => {
  test("is not cut while what waits for it shrinks, and is cut when that stops", async () => {
    const { clock, near, mine, opener } = await linked();
    near.stuck = true;
    opener.send([{ t: "body", bytes: [new Uint8Array(10 * 1024 * 1024)] }]);
    await microtasks();
    expect(opener.buffered()).toBeGreaterThan(10 * 1024 * 1024);
    for (let second = 0; second < 80; second++) {
      await clock.pass(1000);
      near.waiting -= 125_000;
    }
    expect(mine.downs).toEqual([]);
    await clock.pass(81_000);
    expect(mine.downs[0]?.reason.code).toBe("link.silent");
  });

  test("a peer that takes nothing at all is dead after 60 s, backlog or not", async () => {
    const { clock, near, mine, opener } = await linked();
    near.stuck = true;
    opener.send([{ t: "body", bytes: [new Uint8Array(1024 * 1024)] }]);
    await clock.pass(59_900);
    expect(mine.downs).toEqual([]);
    await clock.pass(200);
    expect(mine.downs[0]?.reason.code).toBe("link.silent");
    expect(near.state).toBe("gone");
  });
});

describe("send()", () => {
  test("counts in buffered() at once, and nothing leaves before the turn is over", async () => {
    const { near, opener } = await linked();
    const blob = new Uint8Array(1000);
    opener.send([{ t: "a", bytes: [blob] }]);
    opener.send([{ t: "b", bytes: [blob] }]);
    expect(near.sent).toEqual([]);
    const counted = opener.buffered();
    await microtasks();
    expect(near.sent).toHaveLength(1);
    expect(counted - (near.sent[0]?.byteLength ?? 0)).toBeLessThanOrEqual(0);
    expect(counted).toBeGreaterThan((near.sent[0]?.byteLength ?? 0) - 8);
    expect(opener.buffered()).toBe(0);
  });

  test("merges up to a part, so that the receiver can begin while the rest travels", async () => {
    const { near, opener } = await linked();
    for (let at = 0; at < 100; at++) opener.send([{ t: `m${at}`, bytes: [new Uint8Array(10_000)] }]);
    await microtasks();
    expect(near.sent.length).toBeGreaterThanOrEqual(4);
    expect(near.sent.length).toBeLessThanOrEqual(5);
    for (const message of near.sent) expect(message.byteLength).toBeLessThanOrEqual(partBytes);
    expect(messagesOf(near).map(({ t }) => t)).toEqual(Array.from({ length: 100 }, (_, at) => `m${at}`));
  });

  test("closes a reader as slow once more than 32 MiB wait, and drops what waited", async () => {
    const { near, mine, opener } = await linked();
    near.stuck = true;
    let sent = 0;
    while (near.state === "open" && sent < 100) {
      opener.send([{ t: "chunk", bytes: [new Uint8Array(1024 * 1024)] }]);
      sent += 1;
      expect(mine.downs).toEqual([]);
      await microtasks();
    }
    expect(sent).toBe(32);
    expect(bufferedMax).toBe(32 * 1024 * 1024);
    expect(mine.downs[0]?.reason.code).toBe("link.slow");
    expect(mine.downs[0]?.link).toBe(opener as Link);
    expect(opener.buffered()).toBe(0);
  });

  test("notices within one turn that a reader is too slow", async () => {
    const { near, mine, opener } = await linked();
    near.stuck = true;
    for (let at = 0; at < 60; at++) opener.send([{ t: "chunk", bytes: [new Uint8Array(1024 * 1024)] }]);
    expect(mine.downs).toEqual([]);
    await microtasks();
    expect(mine.downs).toHaveLength(1);
    expect(near.waiting).toBeLessThan(bufferedMax + 2 * 1024 * 1024);
  });

  test("on a link that is down does nothing", async () => {
    const { near, mine, opener } = await linked();
    opener.closed(1006, "");
    opener.send([{ t: "x" }]);
    await microtasks();
    expect(near.sent).toEqual([]);
    expect(mine.downs).toHaveLength(1);
  });
});

describe("the end", () => {
  test("leaves no timer behind", async () => {
    const { clock, opener, acceptor } = await linked();
    expect(clock.armed).toBe(2);
    opener.close();
    opener.closed(1000, "");
    acceptor.closed(1000, "");
    expect(clock.armed).toBe(0);
  });

  test("a peer that does not answer the close is dropped after 2 s", async () => {
    const { clock, near, opener } = await linked();
    opener.close();
    expect(near.state).toBe("closing");
    await clock.pass(1999);
    expect(near.state).toBe("closing");
    await clock.pass(1);
    expect(near.state).toBe("gone");
  });

  test("frames that come after it are not delivered", async () => {
    const { mine, opener } = await linked();
    opener.close();
    opener.received(encodeFrame([{ t: "late" }]));
    await microtasks();
    expect(mine.received).toEqual([]);
  });
});
