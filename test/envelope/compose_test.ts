/** What goes into an envelope comes out of it at the other end, and only there. */
import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import {
  composeLive,
  composeReceipt,
  composeResult,
  composeTasks,
  openLive,
  openResults,
  openTasks,
} from "../../core/envelope/compose.ts";
import { headerHash, packEnvelope, readEnvelope, verifyEnvelope } from "../../core/envelope/envelope.ts";
import { GcError } from "../../core/errors.ts";
import { bodyBytesMax } from "../../core/limits.ts";
import type { Header } from "../../core/schema/envelope.ts";
import type { TaskSpec } from "../../core/schema/task.ts";
import { envelopeId } from "../../core/task/id.ts";
import { codeOf } from "../access/people.ts";
import * as sample from "./samples.ts";
import { alice, ask, created_ms, elsewhere, group, id, mallory, openerOf, polaris, result, sealer } from "./samples.ts";

const re = sample.tasks.header.id;

describe("composeTasks() and openTasks()", () => {
  test("carry tasks to the endpoint, under the id that the nonce makes", async () => {
    expect(sample.tasks.header).toMatchObject({ id: envelopeId(alice.id, ask.nonce), count: 2, to: polaris.id, group });
    const body = await openTasks(readEnvelope(sample.tasks.bytes), openerOf(polaris));
    expect(body).toEqual({ id: re, from: alice.id, to: polaris.id, base: ask.base, tasks: ask.tasks });
  });

  test("carry any task that can be written down, byte for byte", async () => {
    const opener = openerOf(polaris);
    const text = fc.string({ unit: "binary", minLength: 1, maxLength: 50 });
    const spec: fc.Arbitrary<TaskSpec> = fc.record(
      {
        argv: fc.array(text, { minLength: 1, maxLength: 5 }),
        env: fc.dictionary(text, text),
        cwd: text,
        script: text,
        walltime_s: fc.nat(),
        stdin: fc.base64String().map((base64) => ({ kind: "inline" as const, base64 })),
      },
      { requiredKeys: [] },
    );
    const tasksOf = fc.array(spec, { minLength: 1, maxLength: 5 });
    await fc.assert(
      fc.asyncProperty(spec, tasksOf, async (base, tasks) => {
        const envelope = composeTasks(alice, polaris.record, sealer, { ...ask, base, tasks });
        const again = readEnvelope(envelope.bytes);
        verifyEnvelope(again, alice.record);
        const body = await openTasks(again, opener);
        expect(JSON.stringify([body.base, body.tasks])).toBe(JSON.stringify([base, tasks]));
      }),
      { numRuns: 300 },
    );
  });

  test("take 10 MiB and refuse a byte more, saying size and limit", () => {
    const spare = JSON.stringify({ id: re, from: re, to: re, base: { script: "" }, tasks: [{}] }).length;
    const compose = (length: number): unknown =>
      composeTasks(alice, polaris.record, sealer, { ...ask, base: { script: "x".repeat(length) }, tasks: [{}] });
    expect(() => compose(bodyBytesMax - spare)).not.toThrow();
    try {
      compose(bodyBytesMax - spare + 1);
      expect.unreachable();
    } catch (error) {
      expect(error).toBeInstanceOf(GcError);
      expect(error).toMatchObject({ kind: "data", code: "task.too_large" });
      expect(String(error)).toContain("The task is 10485761 bytes; an envelope holds 10485760 bytes");
    }
  });

  test("carry 10,000 tasks and refuse none and one more", async () => {
    const many = (count: number): TaskSpec[] => Array.from({ length: count }, (_, i) => ({ label: String(i) }));
    const full = composeTasks(alice, polaris.record, sealer, { ...ask, tasks: many(10_000) });
    expect((await openTasks(full, openerOf(polaris))).tasks).toHaveLength(10_000);
    for (const count of [0, 10_001]) {
      const compose = (): unknown => composeTasks(alice, polaris.record, sealer, { ...ask, tasks: many(count) });
      expect(await codeOf(compose)).toBe("data.invalid");
    }
  });

  test("refuse what the reader of the header would refuse, while there is still somebody to tell", async () => {
    for (const wrong of [{ nonce: "short" }, { group: "mine" }, { priority: 5000 }, { expires_ms: Number.NaN }]) {
      const compose = (): unknown => composeTasks(alice, polaris.record, sealer, { ...ask, ...wrong });
      expect(await codeOf(compose)).toBe("data.invalid");
    }
  });

  test("open for nobody but the endpoint", async () => {
    for (const other of [alice, mallory, elsewhere]) {
      expect(await codeOf(() => openTasks(sample.tasks, openerOf(other)))).toBe("envelope.unreadable");
    }
  });
});

describe("composeResult() and openResults()", () => {
  test("carry results to the user, and their classes in the open", async () => {
    expect(sample.results.header).toMatchObject({ re, group, indices: [1, 0], classes: ["ok", "fail"] });
    const body = await openResults(readEnvelope(sample.results.bytes), openerOf(alice));
    expect(body).toEqual({
      re,
      from: polaris.id,
      to: alice.id,
      indices: [1, 0],
      results: [result(), sample.failed],
    });
  });

  test("refuse results that are too large together", async () => {
    const large = result({ stdout: { total: 6e6, kept: 6e6, text: "x".repeat(6e6) } });
    const said = { id, re, group, created_ms, indices: [0, 1], results: [large, large] };
    expect(await codeOf(() => composeResult(polaris, alice.record, sealer, said))).toBe("result.too_large");
  });
});

describe("composeLive() and openLive()", () => {
  test("carry messages with their blobs, both ways", async () => {
    const messages = await openLive(readEnvelope(sample.live.bytes), openerOf(polaris));
    expect(messages.map((one) => one.t)).toEqual(["ask_status", "input"]);
    expect(messages[1]?.bytes?.map((blob) => [...blob])).toEqual([[1, 2, 3]]);
    const back = composeLive(polaris, alice.record, sealer, { ...sample.live.header, messages: [{ t: "done" }] });
    verifyEnvelope(readEnvelope(back.bytes), polaris.record);
    expect(await openLive(back, openerOf(alice))).toEqual([{ t: "done" }]);
  });
});

describe("opening", () => {
  /** An envelope signed by `from` and sealed to its addressee, whatever it says inside. */
  function forge(
    from: typeof alice,
    to: typeof alice,
    header: Header,
    inside: unknown,
  ): ReturnType<typeof readEnvelope> {
    const header_bytes = Buffer.from(JSON.stringify(header));
    const digest = headerHash(header_bytes);
    const plain = Buffer.from(typeof inside === "string" ? inside : JSON.stringify(inside));
    return packEnvelope(from, header, header_bytes, digest, sealer.seal(to.record, digest, plain));
  }
  const task = { id: re, from: alice.id, to: polaris.id, base: ask.base, tasks: ask.tasks };
  const wrongTasks: { [what: string]: [unknown, string] } = {
    "another id": [{ ...task, id }, "envelope.contradiction"],
    "another sender": [{ ...task, from: mallory.id }, "envelope.contradiction"],
    "another addressee": [{ ...task, to: elsewhere.id }, "envelope.contradiction"],
    "fewer tasks": [{ ...task, tasks: [{}] }, "envelope.contradiction"],
    "more tasks": [{ ...task, tasks: [{}, {}, {}] }, "envelope.contradiction"],
    "a task that is none": [{ ...task, tasks: [{}, { argv: "rm -rf" }] }, "data.invalid"],
    "an unknown field": [{ ...task, tasks: [{}, { uid: 0 }] }, "data.invalid"],
    "no JSON": ["{", "envelope.unreadable"],
    nothing: ["", "envelope.unreadable"],
  };
  for (const [what, [inside, code]] of Object.entries(wrongTasks)) {
    test(`refuses a task envelope that its user sealed with ${what}`, async () => {
      const envelope = forge(alice, polaris, sample.tasks.header, inside);
      verifyEnvelope(envelope, alice.record);
      expect(await codeOf(() => openTasks(envelope, openerOf(polaris)))).toBe(code);
    });
  }

  const body = { re, from: polaris.id, to: alice.id, indices: [1, 0], results: [result(), sample.failed] };
  const wrongResults: { [what: string]: [unknown, string] } = {
    "another envelope": [{ ...body, re: envelopeId(alice.id, "f".repeat(32)) }, "envelope.contradiction"],
    "another endpoint": [{ ...body, from: elsewhere.id }, "envelope.contradiction"],
    "another user": [{ ...body, to: mallory.id }, "envelope.contradiction"],
    "other indices": [{ ...body, indices: [0, 1] }, "envelope.contradiction"],
    "an index too many": [{ ...body, indices: [1, 0, 2] }, "envelope.contradiction"],
    "another class": [{ ...body, results: [result(), result()] }, "envelope.contradiction"],
    "a result too few": [{ ...body, results: [result()] }, "envelope.contradiction"],
    "a result that is none": [{ ...body, results: [result(), {}] }, "data.invalid"],
  };
  for (const [what, [inside, code]] of Object.entries(wrongResults)) {
    test(`refuses a result envelope that its endpoint sealed with ${what}`, async () => {
      const envelope = forge(polaris, alice, sample.results.header, inside);
      verifyEnvelope(envelope, polaris.record);
      expect(await codeOf(() => openResults(envelope, openerOf(alice)))).toBe(code);
    });
  }

  test("refuses an envelope of another kind", async () => {
    expect(await codeOf(() => openTasks(sample.results, openerOf(alice)))).toBe("envelope.kind");
    expect(await codeOf(() => openResults(sample.tasks, openerOf(polaris)))).toBe("envelope.kind");
    expect(await codeOf(() => openLive(sample.tasks, openerOf(polaris)))).toBe("envelope.kind");
  });

  test("refuses live messages that are no frame", async () => {
    const envelope = forge(alice, polaris, sample.live.header, "no frame");
    expect(await codeOf(() => openLive(envelope, openerOf(polaris)))).toBe("wire.malformed");
  });
});

test("a receipt for 10,000 tasks fits", () => {
  const indices = Array.from({ length: 10_000 }, (_, i) => i);
  const envelope = composeReceipt(alice, polaris.id, { id, re, indices, created_ms });
  expect(readEnvelope(envelope.bytes).header).toEqual(envelope.header);
});

test("results of 10,000 tasks fit, whatever their class", () => {
  const indices = Array.from({ length: 10_000 }, (_, i) => i);
  const results = indices.map(() => result({ outcome: { class: "cancelled", cause: "cancel", exit_code: 143 } }));
  const envelope = composeResult(polaris, alice.record, sealer, { id, re, group, created_ms, indices, results });
  expect(readEnvelope(envelope.bytes).header).toEqual(envelope.header);
});
