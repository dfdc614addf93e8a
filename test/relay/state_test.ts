import { describe, expect, test } from "bun:test";
import { composeLive } from "../../core/envelope/compose.ts";
import { digestOf, readEnvelope } from "../../core/envelope/envelope.ts";
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
  freshId,
  give,
  idsIn,
  kindsOf,
  makeTasks,
  receiptOf,
  resultOf,
  sealer,
  townsOfTests,
} from "./town.ts";

const { pair, town } = townsOfTests();

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
