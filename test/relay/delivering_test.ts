import { describe, expect, test } from "bun:test";
import { windowEnvelopes } from "../../core/limits.ts";
import type { Mail } from "../../core/schema/relay_message.ts";
import type { WireError } from "../../core/schema/session_message.ts";
import { acceptOf, ack, cancelOf, give, idsIn, kindsOf, makeTasks, townsOfTests } from "./town.ts";

const { pair } = townsOfTests();

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
