import { afterEach, describe, expect, test } from "bun:test";
import { composeLive } from "../../core/envelope/compose.ts";
import { digestOf, readEnvelope } from "../../core/envelope/envelope.ts";
import { windowBytes, windowEnvelopes } from "../../core/limits.ts";
import { plant } from "../../core/planted.ts";
import type {
  EndpointsAnswer,
  Envelopes,
  Live,
  Mail,
  News,
  Ok,
  Stored,
  Submitted,
  Undelivered,
} from "../../core/schema/relay_message.ts";
import type { WireError } from "../../core/schema/session_message.ts";
import {
  acceptOf,
  ack,
  cancelOf,
  freshId,
  give,
  kindsOf,
  makeTasks,
  openTown,
  receiptOf,
  resultOf,
  sealer,
  type Town,
} from "./town.ts";

let towns: Town[] = [];
function town(options: Parameters<typeof openTown>[0] = {}): Town {
  const made = openTown(options);
  towns.push(made);
  return made;
}
afterEach(() => {
  for (const each of towns) each.close();
  towns = [];
});

describe("the way of a task", () => {
  test("an envelope goes to its endpoint, its result comes back, and the receipt ends it on both sides", async () => {
    const t = town();
    const user = t.join("user");
    const endpoint = t.join("endpoint");
    give(endpoint);
    const task = await makeTasks(user, endpoint, { count: 3 });

    user.say({ t: "watch", watch: 1, envelopes: [task.header.id] });
    user.say({ t: "submit", bytes: [task.bytes] });
    t.settle();
    expect(user.take<Submitted>("submitted")[0]).toMatchObject({ ids: [task.header.id], known: 0 });

    const [mail] = endpoint.take<Mail>("mail");
    expect(mail?.bytes[0]).toEqual(task.bytes);
    ack(endpoint, mail as Mail);
    t.settle();
    expect(kindsOf(user.take<News>("news")[0] as News)).toEqual(["accept"]);
    expect(t.mailbox.task(task.header.id)?.state).toBe("held");

    const result = await resultOf(endpoint, user, task, [0, 1, 2]);
    endpoint.say({ t: "deposit", bytes: [result.bytes] });
    t.settle();
    expect(endpoint.take<Stored>("stored")[0]?.ids).toEqual([result.header.id]);
    const [news] = user.take<News>("news");
    expect(news?.bytes?.[0]).toEqual(result.bytes);
    expect(news?.seq).toBeGreaterThan(0);
    expect(t.mailbox.task(task.header.id)).toMatchObject({ done: 3, classes: { ok: 3 } });

    user.say({ t: "taken", watch: 1, seq: news?.seq });
    user.say({ t: "post", bytes: [receiptOf(user, task, [0, 1, 2])] });
    t.settle();
    expect(user.take<Ok>("ok").length).toBe(2);
    const [letter] = endpoint.take<Mail>("mail");
    expect(kindsOf(letter as Mail)).toEqual(["receipt"]);
    ack(endpoint, letter as Mail);
    t.settle();
    expect(t.mailbox.counts()).toMatchObject({ letters: 0, tasks: 1 });

    t.pass(24 * 3600 * 1000 + 1);
    expect(t.mailbox.counts()).toMatchObject({ news: 0 });
    expect(t.mailbox.list({ limit: 1 })).toEqual([]);
    expect(user.take<WireError>("error")).toEqual([]);
    expect(endpoint.take<WireError>("error")).toEqual([]);
    expect(readEnvelope(task.bytes).header.kind).toBe("task");
    user.say({ t: "list", limit: 10, group: freshId() });
    t.settle();
    expect(user.take<Envelopes>("envelopes")[0]?.rows).toEqual([]);
  });
});

const hour_ms = 3_600_000;
const day_ms = 24 * hour_ms;

/** A user and an endpoint with room. */
function pair(options: Parameters<typeof openTown>[0] = {}, room = 100_000) {
  const t = town(options);
  const user = t.join("user");
  const endpoint = t.join("endpoint");
  give(endpoint, room);
  t.settle();
  return { t, user, endpoint };
}

const idsIn = (message: { bytes?: Uint8Array[] } | undefined): string[] =>
  (message?.bytes ?? []).map((bytes) => readEnvelope(bytes).header.id);

describe("submitting", () => {
  test("the same envelope twice is one, in one request, in two, and after it was held", async () => {
    const { t, user, endpoint } = pair();
    const task = await makeTasks(user, endpoint);
    user.say({ t: "submit", bytes: [task.bytes, task.bytes] });
    t.settle();
    expect(user.take<Submitted>("submitted")[0]).toMatchObject({ known: 1, ids: [task.header.id, task.header.id] });
    user.say({ t: "submit", bytes: [task.bytes] });
    t.settle();
    expect(user.take<Submitted>("submitted")[0]).toMatchObject({ known: 1 });
    const mails = endpoint.take<Mail>("mail");
    expect(mails.flatMap(idsIn)).toEqual([task.header.id]);
    ack(endpoint, mails[0] as Mail);
    user.say({ t: "submit", bytes: [task.bytes] });
    t.settle();
    expect(user.take<Submitted>("submitted")[0]).toMatchObject({ known: 1 });
    expect(endpoint.take<Mail>("mail")).toEqual([]);
  });

  test("other bytes under the same id are refused, and nothing of the request is stored", async () => {
    const { t, user, endpoint } = pair({}, 0);
    const task = await makeTasks(user, endpoint);
    const fresh = await makeTasks(user, endpoint);
    user.say({ t: "submit", bytes: [task.bytes] });
    t.settle();
    const other = task.bytes.slice();
    other[other.length - 1] = (other.at(-1) ?? 0) ^ 1;
    const rid = user.say({ t: "submit", bytes: [fresh.bytes, other] });
    t.settle();
    const [error] = user.take<WireError>("error");
    expect(error).toMatchObject({ re: rid, kind: "data", code: "task.idempotency_conflict" });
    expect(error?.message).toContain(task.header.id);
    expect(t.mailbox.task(fresh.header.id)).toBeUndefined();
  });

  test("an envelope of somebody else is refused, whichever kind it is", async () => {
    const { t, user, endpoint } = pair();
    const mallory = t.join("user");
    const other = t.join("endpoint");
    const task = await makeTasks(user, endpoint);
    for (const message of [
      { t: "submit", bytes: [task.bytes] },
      { t: "post", bytes: [receiptOf(user, task, [0])] },
      { t: "post", bytes: [cancelOf(user, task)] },
    ]) {
      const rid = mallory.say(message);
      t.settle();
      expect(mallory.take<WireError>("error")[0]).toMatchObject({
        re: rid,
        kind: "permission",
        code: "envelope.forged",
      });
    }
    const result = await resultOf(endpoint, user, task, [0]);
    other.say({ t: "deposit", bytes: [result.bytes] });
    other.say({ t: "mail_ack", seqs: [], bytes: [acceptOf(endpoint, task.bytes)] });
    t.settle();
    expect(other.take<WireError>("error").map((error) => error.code)).toEqual(["envelope.forged", "envelope.forged"]);
    expect(t.mailbox.counts()).toEqual({ tasks: 0, queued: 0, news: 0, letters: 0 });
  });

  test("a user whom the endpoint does not name is refused early, and so is a live question", async () => {
    const { t, user, endpoint } = pair();
    const guest = t.join("user");
    give(endpoint, 10, { allow: [user.id], public: false });
    t.settle();
    const task = await makeTasks(guest, endpoint);
    guest.say({ t: "submit", bytes: [task.bytes] });
    guest.say({ t: "endpoints_ask" });
    t.settle();
    expect(guest.take<WireError>("error")[0]).toMatchObject({ kind: "permission", code: "endpoint.not_allowed" });
    expect(guest.take<EndpointsAnswer>("endpoints")[0]?.rows).toEqual([]);
    give(endpoint, 10, { public: true });
    t.settle();
    guest.say({ t: "submit", bytes: [task.bytes] });
    t.settle();
    expect(guest.take<Submitted>("submitted")).toHaveLength(1);
  });

  test("no new tasks are taken while the disk is nearly full, but results are", async () => {
    const { t, user, endpoint } = pair();
    const task = await makeTasks(user, endpoint);
    user.say({ t: "submit", bytes: [task.bytes] });
    t.settle();
    t.push({ kind: "space", free_bytes: 1000 });
    const refused = await makeTasks(user, endpoint);
    user.say({ t: "submit", bytes: [refused.bytes] });
    user.say({ t: "submit", bytes: [task.bytes] });
    const result = await resultOf(endpoint, user, task, [0]);
    ack(endpoint, endpoint.take<Mail>("mail")[0] as Mail);
    endpoint.say({ t: "deposit", bytes: [result.bytes] });
    t.settle();
    expect(user.take<WireError>("error")[0]).toMatchObject({ kind: "temporary", code: "storage_full" });
    expect(user.take<Submitted>("submitted").at(-1)).toMatchObject({ known: 1 });
    expect(endpoint.take<Stored>("stored")).toHaveLength(1);
    t.push({ kind: "space", free_bytes: 1e12 });
    user.say({ t: "submit", bytes: [refused.bytes] });
    t.settle();
    expect(user.take<Submitted>("submitted")).toHaveLength(1);
  });

  test("over TCP, requests beyond the burst wait for the time that the answer names", async () => {
    const t = town({ limits: { request_burst: 3, requests_per_10_s: 10 } });
    const user = t.join("user", { remote: true });
    const near = t.join("user");
    for (let i = 0; i < 5; i += 1) user.say({ t: "list", limit: 1 });
    for (let i = 0; i < 50; i += 1) near.say({ t: "list", limit: 1 });
    t.settle();
    expect(user.take<Envelopes>("envelopes")).toHaveLength(3);
    expect(near.take<Envelopes>("envelopes")).toHaveLength(50);
    const [error] = user.take<WireError>("error");
    expect(error).toMatchObject({ kind: "temporary", code: "relay.rate_limited", retry_after_ms: 1000 });
    t.pass(1000);
    user.say({ t: "list", limit: 1 });
    t.settle();
    expect(user.take<Envelopes>("envelopes")).toHaveLength(1);
  });
});

describe("mail", () => {
  test("what was not acknowledged comes again after a new connection, and after a minute of silence", async () => {
    const { t, user, endpoint } = pair();
    const tasks = [await makeTasks(user, endpoint), await makeTasks(user, endpoint), await makeTasks(user, endpoint)];
    user.say({ t: "submit", bytes: tasks.map((task) => task.bytes) });
    t.settle();
    const mails = endpoint.take<Mail>("mail");
    const seqs = mails.flatMap((mail) => mail.seqs);
    // Only the last one arrived: an acknowledgement is for its item alone.
    const last = tasks[2]?.bytes ?? new Uint8Array();
    endpoint.say({ t: "mail_ack", seqs: [seqs[2]], bytes: [acceptOf(endpoint, last)] });
    t.settle();
    const rest = tasks.slice(0, 2).map((task) => task.header.id);
    t.leave(endpoint);
    t.rejoin(endpoint);
    give(endpoint);
    t.settle();
    expect(endpoint.take<Mail>("mail").flatMap(idsIn)).toEqual(rest);
    t.pass(30_000);
    expect(endpoint.take<Mail>("mail")).toEqual([]);
    t.pass(30_001);
    expect(endpoint.take<Mail>("mail").flatMap(idsIn)).toEqual(rest);
  });

  test("a task envelope leaves the queue only for an accept of its very bytes, signed by its endpoint", async () => {
    const { t, user, endpoint } = pair();
    const other = t.join("endpoint");
    const task = await makeTasks(user, endpoint);
    user.say({ t: "submit", bytes: [task.bytes] });
    t.settle();
    const { seqs } = endpoint.take<Mail>("mail")[0] as Mail;
    const wrongBytes = await makeTasks(user, endpoint);
    const accept = acceptOf(endpoint, task.bytes);
    const unsigned = accept.slice();
    unsigned[unsigned.length - 1] = (unsigned.at(-1) ?? 0) ^ 1;
    endpoint.say({ t: "mail_ack", seqs });
    endpoint.say({ t: "mail_ack", seqs, bytes: [unsigned] });
    endpoint.say({ t: "mail_ack", seqs, bytes: [acceptOf(endpoint, wrongBytes.bytes)] });
    other.say({ t: "mail_ack", seqs, bytes: [acceptOf(other, task.bytes)] });
    t.settle();
    expect(t.mailbox.task(task.header.id)?.state).toBe("queued");
    expect(endpoint.take<WireError>("error").map((error) => error.code)).toEqual(["envelope.bad_signature"]);
    endpoint.say({ t: "mail_ack", seqs, bytes: [accept] });
    t.settle();
    expect(t.mailbox.task(task.header.id)?.state).toBe("held");
  });

  test("never exceeds the room that the endpoint gave, nor the window", async () => {
    const { t, user, endpoint } = pair({}, 25);
    const tasks = await Promise.all(Array.from({ length: 6 }, () => makeTasks(user, endpoint, { count: 10 })));
    user.say({ t: "submit", bytes: tasks.map((task) => task.bytes) });
    t.settle();
    const first = endpoint.take<Mail>("mail");
    expect(first.flatMap(idsIn)).toEqual(tasks.slice(0, 2).map((task) => task.header.id));
    for (const mail of first) ack(endpoint, mail);
    t.settle();
    expect(endpoint.take<Mail>("mail").flatMap(idsIn)).toEqual([tasks[2]?.header.id ?? ""]);
    give(endpoint, 100_000);
    t.settle();
    expect(endpoint.take<Mail>("mail").flatMap(idsIn)).toHaveLength(3);
    const many = await Promise.all(Array.from({ length: 100 }, () => makeTasks(user, endpoint)));
    user.say({ t: "submit", bytes: many.map((task) => task.bytes) });
    t.settle();
    // Four were not acknowledged yet.
    expect(endpoint.take<Mail>("mail").flatMap(idsIn)).toHaveLength(windowEnvelopes - 4);
  });

  test("an envelope larger than the room still comes when nothing else is on its way", async () => {
    const { t, user, endpoint } = pair({}, 5);
    const task = await makeTasks(user, endpoint, { count: 10 });
    user.say({ t: "submit", bytes: [task.bytes] });
    t.settle();
    expect(endpoint.take<Mail>("mail").flatMap(idsIn)).toEqual([task.header.id]);
  });

  test("waits for an endpoint that is away, the most urgent first", async () => {
    const { t, user, endpoint } = pair();
    t.leave(endpoint);
    const tasks = await Promise.all([0, 5, -3, 5].map((priority) => makeTasks(user, endpoint, { priority })));
    user.say({ t: "submit", bytes: tasks.map((task) => task.bytes) });
    t.settle();
    t.rejoin(endpoint);
    give(endpoint);
    t.settle();
    const order = [1, 3, 0, 2].map((i) => tasks[i]?.header.id ?? "");
    expect(endpoint.take<Mail>("mail").flatMap(idsIn)).toEqual(order);
  });

  test("an urgent envelope that comes while the window is full is the next one to go", async () => {
    const { t, user, endpoint } = pair({}, 2);
    const tasks = await Promise.all(Array.from({ length: 4 }, () => makeTasks(user, endpoint)));
    user.say({ t: "submit", bytes: tasks.map((task) => task.bytes) });
    const urgent = await makeTasks(user, endpoint, { priority: 9 });
    user.say({ t: "submit", bytes: [urgent.bytes] });
    t.settle();
    endpoint.take("mail");
    give(endpoint, 3);
    t.settle();
    expect(endpoint.take<Mail>("mail").flatMap(idsIn)).toEqual([urgent.header.id]);
  });

  test("a cancel comes behind the tasks that it speaks of, even when there is no room for them", async () => {
    const { t, user, endpoint } = pair({}, 1);
    const tasks = await Promise.all(Array.from({ length: 3 }, () => makeTasks(user, endpoint)));
    user.say({ t: "submit", bytes: tasks.map((task) => task.bytes) });
    t.settle();
    expect(endpoint.take<Mail>("mail").flatMap(idsIn)).toEqual([tasks[0]?.header.id ?? ""]);
    const last = tasks[2] as NonNullable<(typeof tasks)[2]>;
    user.say({ t: "post", bytes: [cancelOf(user, last)] });
    t.settle();
    const [mail] = endpoint.take<Mail>("mail");
    expect(kindsOf(mail as Mail)).toEqual(["task", "cancel"]);
    expect(idsIn(mail)[0]).toBe(last.header.id);
  });

  test("a second process with the same key shuts the first one out", async () => {
    const { t, user, endpoint } = pair();
    const twin = t.join("endpoint", { identity: endpoint.identity });
    t.settle();
    expect(endpoint.take<WireError>("error")[0]?.code).toBe("endpoint.fenced");
    expect(endpoint.closed).toBeDefined();
    give(twin);
    const task = await makeTasks(user, twin);
    user.say({ t: "submit", bytes: [task.bytes] });
    t.settle();
    expect(twin.take<Mail>("mail")).toHaveLength(1);
    expect(endpoint.take<Mail>("mail")).toEqual([]);
  });
});

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

describe("time", () => {
  test("a task envelope that nobody took expires by the relay's clock, however wrong the sender's is", async () => {
    const { t, user, endpoint } = pair();
    t.leave(endpoint);
    const task = await makeTasks(user, endpoint, { life_ms: hour_ms, at_ms: t.now_ms - day_ms });
    user.say({ t: "submit", bytes: [task.bytes] });
    user.say({ t: "watch", watch: 1, envelopes: [task.header.id] });
    t.settle();
    t.pass(hour_ms - 1);
    expect(t.mailbox.task(task.header.id)?.state).toBe("queued");
    t.pass(1);
    expect(t.mailbox.task(task.header.id)?.state).toBe("expired");
    expect(user.take<News>("news")[0]?.expired).toEqual([task.header.id]);
    t.rejoin(endpoint);
    give(endpoint);
    t.settle();
    expect(endpoint.take<Mail>("mail")).toEqual([]);
    user.say({ t: "watch", watch: 2, group: task.header.group });
    t.settle();
    expect(user.take<News>("news")[0]?.expired).toEqual([task.header.id]);
    t.pass(14 * day_ms);
    user.say({ t: "submit", bytes: [task.bytes] });
    t.settle();
    expect(user.take<WireError>("error")[0]?.code).toBe("task.expired");
    t.pass(60 * day_ms);
    expect(t.mailbox.task(task.header.id)).toBeUndefined();
  });

  test("an envelope that is on its way to the endpoint does not expire under it", async () => {
    const { t, user, endpoint } = pair();
    const task = await makeTasks(user, endpoint, { life_ms: 10_000 });
    user.say({ t: "submit", bytes: [task.bytes] });
    t.settle();
    const [mail] = endpoint.take<Mail>("mail");
    t.pass(20_000);
    expect(t.mailbox.task(task.header.id)?.state).toBe("queued");
    ack(endpoint, mail as Mail);
    t.settle();
    t.pass(day_ms);
    expect(t.mailbox.task(task.header.id)?.state).toBe("held");
  });

  test("a signed accept that comes after the expiry is the truth", async () => {
    const { t, user, endpoint } = pair();
    const task = await makeTasks(user, endpoint, { life_ms: 10_000 });
    user.say({ t: "submit", bytes: [task.bytes] });
    user.say({ t: "watch", watch: 1, envelopes: [task.header.id] });
    t.settle();
    const [mail] = endpoint.take<Mail>("mail");
    t.leave(endpoint);
    t.pass(20_000);
    expect(t.mailbox.task(task.header.id)?.state).toBe("expired");
    t.rejoin(endpoint);
    ack(endpoint, mail as Mail);
    t.settle();
    expect(t.mailbox.task(task.header.id)?.state).toBe("held");
    expect(user.take<News>("news").flatMap(kindsOf)).toEqual(["accept"]);
  });

  test("results stay until they are receipted and a day older, or for 14 days", async () => {
    const { t, user, endpoint } = pair();
    const tasks = [await makeTasks(user, endpoint, { count: 2 }), await makeTasks(user, endpoint)] as const;
    user.say({ t: "submit", bytes: tasks.map((task) => task.bytes) });
    t.settle();
    for (const mail of endpoint.take<Mail>("mail")) ack(endpoint, mail);
    for (const task of tasks) {
      const indices = task === tasks[0] ? [0, 1] : [0];
      endpoint.say({ t: "deposit", bytes: [(await resultOf(endpoint, user, task, indices)).bytes] });
    }
    user.say({ t: "post", bytes: [receiptOf(user, tasks[0], [0])] });
    t.settle();
    t.pass(2 * day_ms);
    expect(t.mailbox.task(tasks[0].header.id)).toMatchObject({ state: "held", received: 1 });
    user.say({ t: "post", bytes: [receiptOf(user, tasks[0], [1])] });
    t.settle();
    t.pass(day_ms);
    expect(t.mailbox.task(tasks[0].header.id)?.state).toBe("gone");
    expect(t.mailbox.task(tasks[1].header.id)?.state).toBe("held");
    t.pass(11 * day_ms);
    expect(t.mailbox.task(tasks[1].header.id)?.state).toBe("gone");
    expect(t.mailbox.counts()).toMatchObject({ news: 0 });
    expect(t.mailbox.list({ limit: 1 })).toEqual([]);
  });

  test("a clean-up of thousands goes in steps", async () => {
    const { t, user, endpoint } = pair({}, 0);
    for (let i = 0; i < 5; i += 1) {
      const tasks = await Promise.all(Array.from({ length: 100 }, () => makeTasks(user, endpoint, { life_ms: 5000 })));
      user.say({ t: "submit", bytes: tasks.map((task) => task.bytes) });
    }
    t.settle();
    expect(t.mailbox.counts().queued).toBe(500);
    t.pass(5000);
    expect(t.mailbox.counts().queued).toBe(0);
  });
});

describe("a relay that died or lost its store", () => {
  test("a restart keeps tasks, results, letters, hints and who is enrolled", async () => {
    const { t, user, endpoint } = pair({ on_disk: true });
    give(endpoint, 1, { allow: [user.id], name: "polaris" });
    const tasks = [await makeTasks(user, endpoint), await makeTasks(user, endpoint)] as const;
    user.say({ t: "submit", bytes: tasks.map((task) => task.bytes) });
    t.settle();
    ack(endpoint, endpoint.take<Mail>("mail")[0] as Mail);
    const result = await resultOf(endpoint, user, tasks[0], [0]);
    endpoint.say({ t: "deposit", bytes: [result.bytes] });
    t.settle();
    t.leave(endpoint);
    user.say({ t: "post", bytes: [receiptOf(user, tasks[0], [0])] });
    t.settle();
    t.restart();
    t.rejoin(user);
    user.say({ t: "list", limit: 10 });
    user.say({ t: "endpoints_ask", prefix: "pol" });
    user.say({ t: "watch", watch: 1, group: tasks[0].header.group });
    t.settle();
    expect(user.take<Envelopes>("envelopes")[0]?.rows.map((row) => [row.state, row.done])).toEqual([
      ["queued", 0],
      ["held", 1],
    ]);
    expect(user.take<EndpointsAnswer>("endpoints")[0]?.rows[0]).toMatchObject({
      name: "polaris",
      online: false,
      queued: 1,
    });
    expect(idsIn(user.take<News>("news")[0])[1]).toBe(result.header.id);
    t.rejoin(endpoint);
    give(endpoint);
    t.settle();
    expect(endpoint.take<Mail>("mail").flatMap(kindsOf)).toEqual(["receipt", "task"]);
  });

  test("what endpoint and client still hold comes back into an empty store, whoever is first", async () => {
    for (const first of ["announce", "submit", "deposit"] as const) {
      const before = pair();
      const task = await makeTasks(before.user, before.endpoint, { count: 2 });
      const result = await resultOf(before.endpoint, before.user, task, [1]);
      const t = town();
      const user = t.join("user", { identity: before.user.identity });
      const endpoint = t.join("endpoint", { identity: before.endpoint.identity });
      const steps = {
        announce: () => endpoint.say({ t: "announce", bytes: [task.bytes, acceptOf(endpoint, task.bytes)] }),
        submit: () => user.say({ t: "submit", bytes: [task.bytes] }),
        deposit: () => endpoint.say({ t: "deposit", bytes: [result.bytes] }),
      };
      user.say({ t: "watch", watch: 1, group: task.header.group });
      steps[first]();
      t.settle();
      for (const step of Object.values(steps)) {
        step();
        t.settle();
      }
      expect(t.mailbox.task(task.header.id)).toMatchObject({
        state: "held",
        count: 2,
        done: 1,
        digest: digestOf(task.bytes),
      });
      expect(user.take<WireError>("error")).toEqual([]);
      expect(endpoint.take<WireError>("error")).toEqual([]);
      expect(user.take<News>("news").flatMap(idsIn)).toContain(result.header.id);
    }
  });

  test("an announcement of tasks that nobody signed is refused", async () => {
    const { t, user, endpoint } = pair();
    const task = await makeTasks(user, endpoint);
    const forged = task.bytes.slice();
    forged[forged.length - 70] = (forged.at(-70) ?? 0) ^ 1;
    endpoint.say({ t: "announce", bytes: [forged, acceptOf(endpoint, forged)] });
    t.settle();
    expect(endpoint.take<WireError>("error")[0]?.code).toBe("envelope.bad_signature");
    expect(t.mailbox.counts().tasks).toBe(0);
  });
});

describe("live envelopes", () => {
  test("go to the endpoint and back to the very connection that asked, and are kept nowhere", async () => {
    const { t, user, endpoint } = pair();
    const second = t.join("user", { identity: user.identity });
    await Promise.all([sealer.prepare(endpoint.identity.record), sealer.prepare(user.identity.record)]);
    const session = user.link.session;
    const said = { id: freshId(), session, created_ms: 1, messages: [{ t: "ask_status", rid: 1 }] };
    const ask = composeLive(user.identity, endpoint.identity.record, sealer, said);
    user.say({ t: "live", to: endpoint.id, session, bytes: [ask.bytes] });
    t.settle();
    const [asked] = endpoint.take<Live>("live");
    expect(asked).toMatchObject({ session, bytes: [ask.bytes] });
    const answer = composeLive(endpoint.identity, user.identity.record, sealer, { ...said, id: freshId() });
    endpoint.say({ t: "live", to: user.id, session, bytes: [answer.bytes] });
    t.settle();
    expect(user.take<Live>("live")[0]?.bytes).toEqual([answer.bytes]);
    expect(second.take<Live>("live")).toEqual([]);
    expect(t.mailbox.counts()).toEqual({ tasks: 0, queued: 0, news: 0, letters: 0 });
    // In the name of another connection, or to one that has gone.
    second.say({ t: "live", to: endpoint.id, session, bytes: [ask.bytes] });
    t.leave(user);
    endpoint.say({ t: "live", to: user.id, session, bytes: [answer.bytes] });
    t.settle();
    t.leave(endpoint);
    const own = second.link.session;
    const alone = composeLive(user.identity, endpoint.identity.record, sealer, { ...said, session: own });
    second.say({ t: "live", to: endpoint.id, session: own, bytes: [alone.bytes] });
    t.settle();
    expect(second.take<Undelivered>("undelivered").map((each) => each.why)).toEqual(["forbidden", "offline"]);
    expect(endpoint.take<Undelivered>("undelivered").map((each) => each.why)).toEqual(["offline"]);
  });
});

describe("strange messages", () => {
  test("an unknown or malformed message gets a typed error and ends nothing", () => {
    const { t, user, endpoint } = pair();
    user.say({ t: "teleport" });
    user.say({ t: "submit" });
    user.say({ t: "submit", bytes: [new Uint8Array([1, 2, 3])] });
    user.say({ t: "deposit", bytes: [] });
    user.say({ t: "watch", watch: -1 });
    endpoint.say({ t: "submit", bytes: [] });
    user.say({ t: "error", code: "x", message: "not answered" });
    t.settle();
    const errors = user.take<WireError>("error");
    expect(errors.map((error) => error.code)).toEqual([
      "message.unknown",
      "data.invalid",
      "envelope.malformed",
      "message.unknown",
      "data.invalid",
    ]);
    expect(errors.map((error) => error.re)).toEqual([1, 2, 3, 4, 5]);
    expect(endpoint.take<WireError>("error")[0]?.code).toBe("message.unknown");
    user.say({ t: "list", limit: 1 });
    t.settle();
    expect(user.take<Envelopes>("envelopes")).toHaveLength(1);
  });

  test("a removed principal loses its connections", () => {
    const { t, user } = pair();
    t.push({ kind: "removed", id: user.id });
    t.settle();
    expect(user.closed).toContain("removed");
  });
});

describe("planted bugs show", () => {
  test("cumulativeAck loses an envelope that never arrived", async () => {
    const { t, user, endpoint } = pair();
    const undo = plant("cumulativeAck");
    try {
      const tasks = [await makeTasks(user, endpoint), await makeTasks(user, endpoint)] as const;
      user.say({ t: "submit", bytes: tasks.map((task) => task.bytes) });
      t.settle();
      const seqs = endpoint.take<Mail>("mail").flatMap((mail) => mail.seqs);
      endpoint.say({ t: "mail_ack", seqs: [seqs[1]], bytes: [acceptOf(endpoint, tasks[1].bytes)] });
      t.settle();
      t.leave(endpoint);
      t.rejoin(endpoint);
      give(endpoint);
      t.settle();
      expect(endpoint.take<Mail>("mail")).toEqual([]);
    } finally {
      undo();
    }
  });
});
