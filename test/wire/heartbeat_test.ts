/** Who is alive: the heartbeat of the session, with times as data. */
import { expect, test } from "bun:test";
import { encodeFrame } from "../../core/wire/codec.ts";
import { partsOf } from "../../core/wire/parts.ts";
import { localTiming, ordinaryTiming } from "../../core/wire/session.ts";
import { sendsOf, timing, upSession } from "./session_pair.ts";

test("the opener pings after 20 s without a word, the acceptor only after 45 s", () => {
  for (const [side, after_ms] of [
    ["opener", 20_000],
    ["acceptor", 45_000],
  ] as const) {
    const { session, out, now_ms } = upSession(side);
    expect(session.due_ms).toBe(now_ms + after_ms);
    session.tick(now_ms + after_ms - 1, out);
    expect(out).toEqual([]);
    session.tick(now_ms + after_ms, out);
    expect(sendsOf(out)).toEqual([{ t: "ping" }]);
  }
});

test("nobody pings while messages come", () => {
  const { session, out, now_ms } = upSession("opener");
  for (let at = now_ms; at < now_ms + 200_000; at += 19_000) {
    session.message(encodeFrame([{ t: "mail" }]), at, out);
    session.tick(at + 18_999, out);
  }
  expect(sendsOf(out)).toEqual([]);
});

test("a ping is answered by a pong, a pong by nothing", () => {
  const { session, out, now_ms } = upSession("acceptor");
  session.message(encodeFrame([{ t: "ping" }]), now_ms, out);
  session.message(encodeFrame([{ t: "pong" }]), now_ms, out);
  expect(out).toEqual([{ kind: "send", messages: [{ t: "pong" }] }]);
});

test("a peer that is silent for 60 s is dead, and not before", () => {
  const { session, out, now_ms } = upSession("opener");
  session.tick(now_ms + 20_000, out);
  session.tick(now_ms + 59_999, out);
  expect(out.some((effect) => effect.kind === "close")).toBe(false);
  session.tick(now_ms + 60_000, out);
  expect(out.at(-1)).toMatchObject({ kind: "close", error: { kind: "unavailable", code: "link.silent" } });
});

test("a process that was frozen itself for an hour asks before it concludes", () => {
  const { session, out, now_ms } = upSession("opener");
  session.tick(now_ms + 3_600_000, out);
  expect(out).toEqual([{ kind: "send", messages: [{ t: "ping" }] }]);
  session.message(encodeFrame([{ t: "pong" }]), now_ms + 3_600_100, out);
  expect(session.due_ms).toBe(now_ms + 3_620_100);
});

test("a slow line is not a dead one: progress in sending puts the end off", () => {
  const { session, out, now_ms } = upSession("opener");
  session.tick(now_ms + 20_000, out);
  session.progress(now_ms + 59_000);
  session.tick(now_ms + 60_000, out);
  expect(out.some((effect) => effect.kind === "close")).toBe(false);
  session.tick(now_ms + 99_000, out);
  expect(out.at(-1)?.kind).toBe("close");
});

test("parts of a long frame are signs of life", () => {
  const { session, out, now_ms } = upSession("acceptor");
  const [head, ...parts] = partsOf(encodeFrame([{ t: "submit", bytes: [new Uint8Array(1024 * 1024)] }]));
  session.message(head, now_ms, out);
  let at = now_ms;
  for (const part of parts) {
    at += 44_000;
    session.tick(at, out);
    session.message(part, at, out);
  }
  expect(out).toHaveLength(1);
  expect(out[0]?.kind).toBe("messages");
});

test("on a Unix socket the opener pings after 40 s, and death comes no later", () => {
  expect(ordinaryTiming).toEqual(timing);
  expect(localTiming).toEqual({ ...ordinaryTiming, ping_ms: 40_000 });
});
