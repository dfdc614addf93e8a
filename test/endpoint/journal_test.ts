/** The journal on disk: what was kept comes back, and nothing else is needed to go on. */
import { afterEach, expect, test } from "bun:test";
import * as fs from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { AccessList } from "../../core/access/access_list.ts";
import { makeIdentity, openIdentity } from "../../core/access/principal.ts";
import { Courier } from "../../core/endpoint/courier.ts";
import { openJournal } from "../../core/endpoint/journal.ts";
import type { JournalRecord } from "../../core/endpoint/journal_record.ts";
import { EndpointState } from "../../core/endpoint/state.ts";
import { composeTasks } from "../../core/envelope/compose.ts";
import { digestOf } from "../../core/envelope/envelope.ts";
import { Sealer } from "../../core/envelope/sealer.ts";
import type { TaskSpec } from "../../core/schema/task.ts";
import type { EnvelopeId } from "../../core/task/id.ts";
import { Dice, Life, World } from "../sim/world.ts";
import { result } from "./driver.ts";

const folders: string[] = [];
afterEach(() => {
  for (const folder of folders.splice(0)) fs.rmSync(folder, { recursive: true, force: true });
});

function folder(): string {
  const made = fs.mkdtempSync(join(tmpdir(), "gc-journal-"));
  folders.push(made);
  return made;
}

const dice = new Dice(7);
const user = openIdentity(makeIdentity("user", dice));
const endpoint = openIdentity(makeIdentity("endpoint", dice));
const host = new Life(new World(7), "e").host();

async function accepted(tasks: TaskSpec[]): Promise<Extract<JournalRecord, { t: "accepted" }>> {
  const sealer = new Sealer(dice);
  await sealer.prepare(endpoint.record);
  const nonce = Buffer.from(dice.bytes(16)).toString("hex");
  const group = "11111111-1111-4111-8111-111111111111";
  const ask = { nonce, group, priority: 0, created_ms: 1, expires_ms: 2, on_lost: "rerun" as const, base: {}, tasks };
  const { bytes } = composeTasks(user, endpoint.record, sealer, ask);
  const arrival = await courier().reopen(bytes);
  return { t: "accepted", at_ms: 5, bytes: [bytes], arrival };
}

function courier(): Courier {
  const list = new AccessList({ owner: user.id, users: [], public: false, deny: [] });
  return new Courier(endpoint, list, {}, host);
}

function state(): EndpointState {
  const self = { owner: user.id, boot: "b", host: "h", pid: 1, since_ms: 0, software: "t" };
  return new EndpointState(self, { kind: "local", workers: 1, tasks_max: 100 });
}

async function replayed(dir: string): Promise<EndpointState> {
  const journal = openJournal(dir);
  const into = state();
  await journal.replay(
    (bytes) => courier().reopen(bytes),
    (record) => into.replay(record),
  );
  journal.close();
  return into;
}

test("a replay gives back envelopes, attempts, results and ids that are gone", async () => {
  const dir = folder();
  const journal = openJournal(dir);
  const held = await accepted([{ argv: ["a"] }, { argv: ["b"] }, {}]);
  const over = await accepted([{ argv: ["c"] }]);
  const re = held.arrival.header.id as EnvelopeId;
  const gone = over.arrival.header.id as EnvelopeId;
  journal.keep([
    held,
    over,
    { t: "leased", worker: "w", re, indices: [0, 1], attempts: [1, 1] },
    { t: "finished", re, indices: [0], attempts: [1], results: [result("fail", 3, "out")] },
    { t: "gone", re: gone, from: user.id, digest: over.arrival.digest, until_ms: 99 },
    { t: "epoch", epoch: "e1" },
    { t: "paused", reason: "why" },
  ]);
  journal.close();
  const { memory } = await replayed(dir);
  const back = memory.held.get(re);
  expect([...(back?.phases ?? [])]).toEqual([3, 1, 0]);
  expect([...(back?.attempts ?? [])]).toEqual([1, 1, 0]);
  expect(back?.results[0]?.stdout.text).toBe("out");
  expect(back?.spec(1).argv).toEqual(["b"]);
  expect(back?.digest).toBe(digestOf(held.bytes[0]));
  expect(memory.tombstones.get(gone)?.digest).toBe(over.arrival.digest);
  expect(memory.epoch).toBe("e1");
  expect(memory.paused).toBe("why");
});

test("a torn record at the end is as if it had never been", async () => {
  const dir = folder();
  const journal = openJournal(dir);
  const held = await accepted([{}, {}]);
  const re = held.arrival.header.id as EnvelopeId;
  journal.keep([held]);
  journal.keep([{ t: "leased", worker: "w", re, indices: [0], attempts: [1] }]);
  journal.close();
  const path = join(dir, "journal.log");
  fs.truncateSync(path, fs.statSync(path).size - 3);
  const { memory } = await replayed(dir);
  expect([...(memory.held.get(re)?.phases ?? [])]).toEqual([0, 0]);
});

test("compaction keeps what is held and remembered, and drops the rest", async () => {
  const dir = folder();
  const journal = openJournal(dir);
  const into = state();
  const records: JournalRecord[] = [];
  for (let k = 0; k < 20; k++) records.push(await accepted([{ argv: ["x".repeat(2000)] }]));
  const last = records.at(-1);
  const keepId = last?.t === "accepted" ? (last.arrival.header.id as EnvelopeId) : ("" as EnvelopeId);
  for (const record of records.slice(0, 19)) {
    if (record.t !== "accepted") continue;
    const re = record.arrival.header.id as EnvelopeId;
    records.push({ t: "gone", re, from: user.id, digest: record.arrival.digest, until_ms: 1 });
  }
  for (const record of records) into.replay(record);
  journal.keep(records);
  const before = fs.statSync(join(dir, "journal.log")).size;
  journal.compact(into.memory);
  journal.close();
  expect(fs.statSync(join(dir, "journal.log")).size).toBeLessThan(before / 5);
  const { memory } = await replayed(dir);
  expect([...memory.held.keys()]).toEqual([keepId]);
  expect(memory.tombstones.size).toBe(19);
});

test("envelopes and results can be read back for a relay that lost them", async () => {
  const journal = openJournal(folder());
  const held = await accepted([{}, {}]);
  const re = held.arrival.header.id as EnvelopeId;
  journal.keep([held, { t: "finished", re, indices: [1], attempts: [1], results: [result("ok", 0, "one")] }]);
  expect(Buffer.from(journal.envelopes(new Set([re])).get(re) ?? []).equals(Buffer.from(held.bytes[0]))).toBe(true);
  expect(
    journal
      .results(new Map([[re, [0, 1]]]))
      .get(re)
      ?.get(1)?.stdout.text,
  ).toBe("one");
  journal.close();
});
