import { describe, expect, test } from "bun:test";
import type { EndpointsAnswer, Envelopes, Mail, Stored, Submitted } from "../../core/schema/relay_message.ts";
import type { WireError } from "../../core/schema/session_message.ts";
import { acceptOf, ack, cancelOf, give, idsIn, makeTasks, receiptOf, resultOf, townsOfTests } from "./town.ts";

const { pair, town } = townsOfTests();

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
