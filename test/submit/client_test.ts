import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Fate } from "../../core/submit/client.ts";
import type { Delivery } from "../../core/submit/deliveries.ts";
import type { EnvelopeId, GroupId, PrincipalId } from "../../core/task/id.ts";
import { TestHome, until } from "./bench_home.ts";

let here: TestHome;
beforeEach(async () => {
  here = await new TestHome().open();
});
afterEach(() => here.close());

const echo = (...words: string[]) => ({ base: {}, tasks: words.map((word) => ({ argv: ["echo", word] })) });

async function opened() {
  const open = here.client();
  open.client.prepare(here.world.endpoint.record);
  return open;
}

describe("Client", () => {
  test("hands tasks over and gets their results, opened and verified", async () => {
    const { client } = await opened();
    const head = client.submit(here.world.endpoint.record, echo("one", "two"));
    const texts = new Map<number, string | undefined>();
    for await (const delivery of client.watch({ envelopes: [head.id as EnvelopeId] })) {
      for (const { indices, results, pinned } of delivery.batches) {
        expect(pinned).toBe(true);
        for (const [at, index] of indices.entries()) texts.set(index, results?.[at]?.stdout.text);
      }
      if (texts.size === 2) break;
    }
    expect(texts).toEqual(
      new Map([
        [0, "one\n"],
        [1, "two\n"],
      ]),
    );
  });

  test("tells that a task is stored, then that its endpoint has signed for it, and empties the outbox", async () => {
    const { client, outbox } = await opened();
    here.world.holdAccepts = true;
    const fates: Fate[] = [];
    const head = client.submit(here.world.endpoint.record, echo("one"), (fate) => fates.push(fate));
    const stop = client.watch({ envelopes: [head.id as EnvelopeId] });
    await until(() => fates.length === 1);
    expect(outbox.waiting().length).toBe(1);
    await here.world.acceptAll();
    await until(() => fates.length === 2);
    expect(fates).toEqual(["stored", "accepted"]);
    expect(outbox.waiting()).toEqual([]);
    stop.stop();
  });

  test("keeps tasks while the relay is away and sends them when it is back", async () => {
    await here.world.close();
    const { client, outbox } = await opened();
    const fates: Fate[] = [];
    const head = client.submit(here.world.endpoint.record, echo("late"), (fate) => fates.push(fate));
    await until(() => client.trouble !== undefined && outbox.waiting().length === 1);
    expect(outbox.waiting().map((kept) => kept.head.id)).toEqual([head.id]);
    expect(fates).toEqual([]);
    await here.openWorld();
    client.retryNow();
    await until(() => fates.includes("stored"));
  });

  test("sends in a later process what an earlier one could not", async () => {
    await here.world.close();
    const first = await opened();
    first.client.submit(here.world.endpoint.record, echo("left"));
    first.client.flush();
    first.client.close();
    await here.openWorld();
    const second = await opened();
    expect(second.client.adoptWaiting().length).toBe(1);
    await until(() => here.world.envelopes.size === 1);
  });

  test("loses and repeats no result over broken connections", async () => {
    const { client } = await opened();
    here.world.fake = () => ({});
    const group = crypto.randomUUID() as GroupId;
    const seen = new Map<string, number>();
    const watch = client.watch({ group });
    const reading = (async () => {
      for await (const delivery of watch) {
        for (const { id, indices } of delivery.batches) {
          for (const index of indices) seen.set(`${id} ${index}`, (seen.get(`${id} ${index}`) ?? 0) + 1);
        }
        if (seen.size === 200) break;
      }
    })();
    let ups = 0;
    client.onUp.add(() => ups++);
    for (let round = 0; round < 20; round++) {
      const tasks = Array.from({ length: 10 }, () => ({ argv: ["true"] }));
      client.submit(here.world.endpoint.record, { base: {}, tasks, group });
      if (round % 5 === 2) {
        await until(() => seen.size > round * 5);
        const before = ups;
        here.world.cutLinks();
        await until(() => ups > before);
      }
    }
    await reading;
    expect([...seen.values()].every((times) => times === 1)).toBe(true);
  });

  test("does not listen to an endpoint the task was not sent to", async () => {
    const { client } = await opened();
    const other = await new TestHome().open();
    try {
      here.world.holdAccepts = true;
      const head = client.submit(here.world.endpoint.record, echo("mine"));
      const deliveries: Delivery[] = [];
      const watch = client.watch({ envelopes: [head.id as EnvelopeId] });
      void (async () => {
        for await (const delivery of watch) deliveries.push(delivery);
      })();
      await until(() => here.world.envelopes.size === 1);
      const kept = here.world.envelopes.get(head.id);
      if (kept === undefined) throw new Error("The stub has no such envelope");
      const { composeResult } = await import("../../core/envelope/compose.ts");
      const { Sealer } = await import("../../core/envelope/sealer.ts");
      const { emptyResult } = await import("./stub_world.ts");
      const sealer = new Sealer(here.host.random);
      sealer.prepare(client.identity.record);
      const said = { id: crypto.randomUUID(), re: head.id, group: head.group, created_ms: 1, indices: [0] };
      const forged = composeResult(other.world.endpoint, client.identity.record, sealer, {
        ...said,
        results: [emptyResult()],
      });
      here.world.results.push({ seq: 900, header: { re: head.id, group: head.group }, bytes: forged.bytes });
      here.world.cutLinks();
      await until(() => !client.up);
      client.retryNow();
      await until(() => deliveries.length > 0);
      expect(deliveries.flatMap((delivery) => delivery.batches)).toEqual([]);
    } finally {
      await other.close();
    }
  });

  test("tells a refusal with the relay's own words", async () => {
    const { client, outbox } = await opened();
    here.world.refuse = { kind: "permission", code: "submit.forbidden", message: "Not you" };
    const fates: Fate[] = [];
    const head = client.submit(here.world.endpoint.record, echo("no"), (fate) => fates.push(fate));
    await until(() => fates.length === 1);
    expect(fates[0]).toMatchObject({ code: "submit.forbidden" });
    expect(outbox.head(head.id as EnvelopeId)?.refused?.message).toBe("Not you");
  });

  test("gives up what is damaged on disk instead of sending it", async () => {
    await here.world.close();
    const first = await opened();
    const head = first.client.submit(here.world.endpoint.record, echo("hurt"));
    first.client.flush();
    first.client.close();
    const path = join(here.home.outbox, `${head.id}.task`);
    const bytes = await Bun.file(path).bytes();
    // In the middle of the signed envelope, which lies between the head and the specs.
    const at = 8 + new DataView(bytes.buffer).getUint32(0, true) + 300;
    bytes[at] = (bytes[at] ?? 0) ^ 1;
    writeFileSync(path, bytes);
    await here.openWorld();
    const { client, outbox } = await opened();
    client.adoptWaiting();
    await until(() => outbox.head(head.id as EnvelopeId)?.refused !== undefined);
    expect(here.world.envelopes.size).toBe(0);
  });

  test("tries again when the relay is full for a while", async () => {
    const { client } = await opened();
    here.world.refuse = { kind: "temporary", code: "storage.full", message: "Full", retry_after_ms: 10 };
    const fates: Fate[] = [];
    client.submit(here.world.endpoint.record, echo("later"), (fate) => fates.push(fate));
    await until(() => here.world.submits === 1);
    here.world.refuse = undefined;
    await until(() => fates.includes("stored"));
  });

  test("posts receipts and cancels, and resolves when the relay has them", async () => {
    const { client } = await opened();
    const to = here.world.endpoint.id as PrincipalId;
    const head = client.submit(here.world.endpoint.record, { base: {}, tasks: [{ argv: ["sleep", "60"] }] });
    await until(() => here.world.tasks.size === 1);
    await client.cancel(head.id as EnvelopeId, to, [0]);
    await client.receipt(head.id as EnvelopeId, to, [0]);
    expect(here.world.posts).toEqual([`cancel ${head.id}:0`, `receipt ${head.id}:0`]);
  });

  test("asks an endpoint where tasks stand, and hears at once that it is offline", async () => {
    const { client } = await opened();
    const { record } = here.world.endpoint;
    const head = client.submit(record, { base: {}, tasks: [{ argv: ["sleep", "60"] }] });
    await until(() => here.world.tasks.size === 1);
    const answer = await client.ask(record, { t: "ask_tasks", tids: [head.id] }, 5000);
    expect(answer).toMatchObject({ t: "answer_tasks", tasks: [{ tid: head.id, phase: "running" }] });
    here.world.online = false;
    expect(await client.ask(record, { t: "ask_tasks", tids: [head.id] }, 5000)).toBe("offline");
  });

  test("reads classes alone without opening bodies when only they are wanted", async () => {
    const { client } = await opened();
    here.world.fake = () => ({ outcome: { class: "fail", cause: "exit", exit_code: 3 } });
    const head = client.submit(here.world.endpoint.record, echo("x"));
    for await (const { batches } of client.watch({ envelopes: [head.id as EnvelopeId] }, { open: false })) {
      if (batches.length === 0) continue;
      expect(batches[0]).toMatchObject({ classes: ["fail"] });
      expect(batches[0]).not.toHaveProperty("results");
      break;
    }
  });
});
