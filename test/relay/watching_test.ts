import { describe, expect, test } from "bun:test";
import { windowBytes } from "../../core/limits.ts";
import type { Envelopes, Mail, News, Stored } from "../../core/schema/relay_message.ts";
import type { WireError } from "../../core/schema/session_message.ts";
import { ack, freshId, idsIn, kindsOf, makeTasks, resultOf, townsOfTests } from "./town.ts";

const { pair } = townsOfTests();

describe("results", () => {
  test("the first result of a task is its result; others are kept as evidence and never shown", async () => {
    const { t, user, endpoint } = pair();
    const task = await makeTasks(user, endpoint, { count: 2 });
    user.say({ t: "submit", bytes: [task.bytes] });
    user.say({ t: "watch", watch: 1, group: task.header.group });
    t.settle();
    ack(endpoint, endpoint.take<Mail>("mail")[0] as Mail);
    const first = await resultOf(endpoint, user, task, [0]);
    const late = await resultOf(endpoint, user, task, [0], "another");
    const both = await resultOf(endpoint, user, task, [0, 1], "and one");
    endpoint.say({ t: "deposit", bytes: [first.bytes, first.bytes] });
    endpoint.say({ t: "deposit", bytes: [late.bytes, both.bytes] });
    t.settle();
    expect(endpoint.take<Stored>("stored").flatMap((stored) => stored.ids)).toHaveLength(4);
    expect(user.take<News>("news").flatMap(idsIn).slice(1)).toEqual([first.header.id, both.header.id]);
    expect(t.mailbox.task(task.header.id)).toMatchObject({ done: 2, late: 1, classes: { ok: 2 } });
  });

  test("results for tasks of another endpoint, another user or beyond the envelope are refused", async () => {
    const { t, user, endpoint } = pair();
    const other = t.join("endpoint");
    const mallory = t.join("user");
    const task = await makeTasks(user, endpoint, { count: 2 });
    user.say({ t: "submit", bytes: [task.bytes] });
    t.settle();
    for (const [who, whom, indices] of [
      [other, user, [0]],
      [endpoint, mallory, [0]],
      [endpoint, user, [2]],
    ] as const) {
      const result = await resultOf(who, whom, task, [...indices]);
      who.say({ t: "deposit", bytes: [result.bytes] });
      t.settle();
      expect(who.take<WireError>("error")).toHaveLength(1);
    }
    expect(t.mailbox.task(task.header.id)).toMatchObject({ state: "queued", done: 0 });
  });

  test("a watch brings what is past, from its place on, and then what comes", async () => {
    const { t, user, endpoint } = pair();
    const group = freshId();
    const tasks = await Promise.all(Array.from({ length: 3 }, () => makeTasks(user, endpoint, { group })));
    user.say({ t: "submit", bytes: tasks.map((task) => task.bytes) });
    t.settle();
    for (const mail of endpoint.take<Mail>("mail")) ack(endpoint, mail);
    const results = await Promise.all(tasks.map((task) => resultOf(endpoint, user, task, [0])));
    endpoint.say({ t: "deposit", bytes: results.slice(0, 2).map((result) => result.bytes) });
    t.settle();
    user.say({ t: "watch", watch: 1, group });
    user.say({ t: "watch", watch: 2, envelopes: tasks.map((task) => task.header.id) });
    t.settle();
    const news = user.take<News>("news");
    for (const watch of [1, 2]) {
      const [only] = news.filter((each) => each.watch === watch);
      expect(kindsOf(only as News)).toEqual(["accept", "accept", "accept", "result", "result"]);
    }
    const place = news[0]?.seq ?? 0;
    endpoint.say({ t: "deposit", bytes: [results[2]?.bytes] });
    user.say({ t: "watch", watch: 3, group, after: place });
    user.say({ t: "watch", watch: 4, group, after: Number.MAX_SAFE_INTEGER });
    t.settle();
    const more = user.take<News>("news");
    expect(more.filter((each) => each.watch === 1).flatMap(idsIn)).toEqual([results[2]?.header.id ?? ""]);
    expect(more.filter((each) => each.watch === 3).flatMap(idsIn)).toEqual([results[2]?.header.id ?? ""]);
    expect(more.filter((each) => each.watch === 4).flatMap((each) => kindsOf(each))).toEqual([
      "accept",
      "accept",
      "accept",
    ]);
  });

  test("nobody sees another user's news, not even by the id of the envelope or of the group", async () => {
    const { t, user, endpoint } = pair();
    const mallory = t.join("user");
    const task = await makeTasks(user, endpoint);
    mallory.say({ t: "watch", watch: 1, group: task.header.group });
    mallory.say({ t: "watch", watch: 2, envelopes: [task.header.id] });
    user.say({ t: "submit", bytes: [task.bytes] });
    t.settle();
    ack(endpoint, endpoint.take<Mail>("mail")[0] as Mail);
    endpoint.say({ t: "deposit", bytes: [(await resultOf(endpoint, user, task, [0])).bytes] });
    t.settle();
    mallory.say({ t: "watch", watch: 3, envelopes: [task.header.id] });
    mallory.say({ t: "list", limit: 10 });
    mallory.say({ t: "list", limit: 10, envelopes: [task.header.id] });
    mallory.say({ t: "list", limit: 10, prefix: task.header.id.slice(0, 8) });
    t.settle();
    expect(mallory.take<News>("news")).toEqual([]);
    expect(mallory.take<Envelopes>("envelopes").flatMap((answer) => answer.rows)).toEqual([]);
  });

  test("a reader that takes nothing in is sent one window; the rest waits in the mailbox", async () => {
    const { t, user, endpoint } = pair();
    const task = await makeTasks(user, endpoint, { count: 30 });
    user.say({ t: "submit", bytes: [task.bytes] });
    user.say({ t: "watch", watch: 1, envelopes: [task.header.id] });
    t.settle();
    ack(endpoint, endpoint.take<Mail>("mail")[0] as Mail);
    const text = "x".repeat(1024 * 1024);
    const results = [];
    for (let i = 0; i < 20; i += 1) results.push(await resultOf(endpoint, user, task, [i], text));
    for (const result of results) {
      endpoint.say({ t: "deposit", bytes: [result.bytes] });
      t.settle();
    }
    const bytesOf = (news: News[]) =>
      news.flatMap((each) => each.bytes ?? []).reduce((sum, each) => sum + each.byteLength, 0);
    let news = user.take<News>("news");
    expect(bytesOf(news)).toBeLessThan(windowBytes + 2000);
    const seen = news.flatMap(idsIn).slice(1);
    while (seen.length < results.length) {
      user.say({ t: "taken", watch: 1, seq: news.at(-1)?.seq });
      t.settle();
      news = user.take<News>("news");
      expect(news.length).toBeGreaterThan(0);
      expect(bytesOf(news)).toBeLessThan(windowBytes + 1);
      seen.push(...news.flatMap(idsIn));
    }
    expect(seen).toEqual(results.map((result) => result.header.id));
  });

  test("a reader whose socket does not empty is not sent accepts without end, and gets them later", async () => {
    const { t, user, endpoint } = pair();
    const task = await makeTasks(user, endpoint);
    user.say({ t: "submit", bytes: [task.bytes] });
    let buffered = windowBytes + 1;
    const session = [...t.state().desk.sessions.values()].find((each) => each.link.peer.id === user.id);
    if (session === undefined) throw new Error("The user is connected");
    Object.defineProperty(session.link, "buffered", { value: () => buffered });
    user.say({ t: "watch", watch: 1, envelopes: [task.header.id] });
    t.settle();
    ack(endpoint, endpoint.take<Mail>("mail")[0] as Mail);
    t.settle();
    expect(user.take<News>("news")).toEqual([]);
    expect(t.state().nextTick({ now_ms: t.now_ms, mono_ms: 0 })).toBe(50);
    t.push({ kind: "tick" });
    t.settle();
    expect(user.take<News>("news")).toEqual([]);
    buffered = 0;
    t.push({ kind: "tick" });
    t.settle();
    expect(user.take<News>("news").flatMap(kindsOf)).toEqual(["accept"]);
  });
});
