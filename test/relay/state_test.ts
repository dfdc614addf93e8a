import { afterEach, describe, expect, test } from "bun:test";
import { readEnvelope } from "../../core/envelope/envelope.ts";
import type { Envelopes, Mail, News, Ok, Stored, Submitted } from "../../core/schema/relay_message.ts";
import type { WireError } from "../../core/schema/session_message.ts";
import { ack, freshId, give, kindsOf, makeTasks, openTown, receiptOf, resultOf, type Town } from "./town.ts";

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
    expect(t.mailbox.counts()).toMatchObject({ tasks: 0, news: 0 });
    expect(user.take<WireError>("error")).toEqual([]);
    expect(endpoint.take<WireError>("error")).toEqual([]);
    expect(readEnvelope(task.bytes).header.kind).toBe("task");
    user.say({ t: "list", limit: 10, group: freshId() });
    t.settle();
    expect(user.take<Envelopes>("envelopes")[0]?.rows).toEqual([]);
  });
});
