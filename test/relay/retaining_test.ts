import { describe, expect, test } from "bun:test";
import type { Mail, News } from "../../core/schema/relay_message.ts";
import type { WireError } from "../../core/schema/session_message.ts";
import { ack, day_ms, give, hour_ms, kindsOf, makeTasks, receiptOf, resultOf, townsOfTests } from "./town.ts";

const { pair } = townsOfTests();

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
