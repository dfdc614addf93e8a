import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { existsSync, mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { type Identity, type KeyRecord, makeIdentity, openIdentity } from "../../core/access/principal.ts";
import { composeCancel, composeLive, composeTasks } from "../../core/envelope/compose.ts";
import { type Envelope, headerHash, packEnvelope } from "../../core/envelope/envelope.ts";
import { Sealer } from "../../core/envelope/sealer.ts";
import type { Header } from "../../core/schema/envelope.ts";
import type { TaskSpec } from "../../core/schema/task.ts";
import type { Frameable } from "../../core/wire/codec.ts";
import { HostileRelay, silent } from "./hostile_relay.ts";
import type { Running } from "./running.ts";
import { Throwaway } from "./throwaway.ts";
import { until } from "./until.ts";

const place = new Throwaway();
const relay = new HostileRelay();
const sealer = new Sealer(silent.random);
const stranger = openIdentity(makeIdentity("user", silent.random));
let owner: Identity;
let endpoint: KeyRecord;
let other: KeyRecord;
let daemon: Running;

const readJson = (path: string) => JSON.parse(readFileSync(path, "utf8"));

beforeAll(async () => {
  await place.must(["endpoint", "configure", "mine", "--yes"]);
  await place.must(["endpoint", "configure", "other", "--yes"]);
  owner = openIdentity(readJson(join(place.home, "identity.json")));
  endpoint = readJson(join(place.home, "endpoints/mine/key.json")).identity.record;
  other = readJson(join(place.home, "endpoints/other/key.json")).identity.record;
  await sealer.prepare(endpoint);
  await sealer.prepare(other);
  mkdirSync(join(place.home, "run"), { recursive: true, mode: 0o700 });
  await relay.open(join(place.home, "run/relay.sock"));
  startEndpoint();
  await relay.link();
}, 20_000);
afterAll(async () => {
  await place.close();
  await relay.close();
});

function startEndpoint(): void {
  daemon = place.start(["endpoint", "start", "mine"], { env: { GC_AUTOSTART: "0" } });
}

let counter = 0;

/** A file that a task would leave behind, and the task. */
function witness(): { ran: () => boolean; times: () => number; task: TaskSpec } {
  const file = join(place.cwd, `witness${++counter}`);
  return {
    ran: () => existsSync(file),
    times: () => (existsSync(file) ? readFileSync(file, "utf8").length : 0),
    task: { script: `printf x >>${file}` },
  };
}

const nonce = () => Buffer.from(silent.random.bytes(16)).toString("hex");

function compose(from: Identity, to: KeyRecord, tasks: TaskSpec[]): Envelope {
  const now_ms = Date.now();
  return composeTasks(from, to, sealer, {
    nonce: nonce(),
    group: crypto.randomUUID(),
    priority: 0,
    created_ms: now_ms,
    expires_ms: now_ms + 3_600_000,
    on_lost: "rerun",
    base: {},
    tasks,
  });
}

/** Runs a task of the owner to its end: what was handed over before it has been dealt with then. */
async function proveAlive(): Promise<void> {
  const { task, ran } = witness();
  const from = relay.heard.length;
  await relay.mail(compose(owner, endpoint, [task]).bytes);
  await until(async () => (await relay.results(owner, from)).length > 0, "the result of a good task");
  expect(ran()).toBe(true);
}

/** Hands over bytes that must not run: no accept, no result, no witness, and the endpoint goes on. */
async function expectIgnored(bytes: Uint8Array, ran: () => boolean): Promise<void> {
  const from = relay.heard.length;
  await relay.mail(bytes);
  expect(relay.accepts(from)).toBe(0);
  await proveAlive();
  expect(ran()).toBe(false);
  expect(await relay.results(stranger, from)).toEqual([]);
}

/** The same envelope with other header bytes or body, and the signature as it was. */
function forged(
  envelope: Envelope,
  change: { header?: object; body?: Uint8Array },
  signature = envelope.signature,
): Uint8Array {
  const header = { ...envelope.header, ...change.header } as Header;
  const header_bytes = new TextEncoder().encode(JSON.stringify(header));
  const made = packEnvelope(stranger, header, header_bytes, headerHash(header_bytes), change.body ?? envelope.body);
  const bytes = new Uint8Array(made.bytes);
  bytes.set(signature, bytes.byteLength - 64);
  return bytes;
}

describe("an endpoint, handed mail by a hostile relay", () => {
  test("runs what its owner signed", proveAlive);

  test("runs no task twice, however often it comes, also in one delivery and after a restart", async () => {
    const { task, times } = witness();
    const { bytes } = compose(owner, endpoint, [task]);
    await relay.mail(bytes, bytes);
    await relay.mail(bytes);
    await proveAlive();
    expect(times()).toBe(1);
    daemon.kill("SIGKILL");
    await daemon.end();
    const from = relay.heard.length;
    startEndpoint();
    await until(() => relay.said("credit", from).length > 0, "the endpoint to be back");
    await relay.mail(bytes);
    await proveAlive();
    expect(times()).toBe(1);
  }, 20_000);

  test("never runs a task that was altered anywhere: header, body, signature", async () => {
    const { task, ran } = witness();
    const { bytes } = compose(owner, endpoint, [task]);
    const places = [
      20,
      Math.floor(bytes.byteLength / 2),
      bytes.byteLength - 100,
      bytes.byteLength - 65,
      bytes.byteLength - 1,
    ];
    for (const at of places) {
      const altered = new Uint8Array(bytes);
      altered[at] = (altered[at] ?? 0) ^ 1;
      await expectIgnored(altered, ran);
    }
  }, 20_000);

  test("never runs a task that nobody signed", async () => {
    const { task, ran } = witness();
    const unsigned = new Uint8Array(compose(owner, endpoint, [task]).bytes);
    unsigned.fill(0, unsigned.byteLength - 64);
    await expectIgnored(unsigned, ran);
  });

  test("never runs a task that was meant for another endpoint", async () => {
    const { task, ran } = witness();
    const elsewhere = compose(owner, other, [task]);
    await expectIgnored(elsewhere.bytes, ran);
    await expectIgnored(forged(elsewhere, { header: { to: endpoint.id } }), ran);
  });

  test("never runs a task with another priority, time or count than was signed", async () => {
    const { task, ran } = witness();
    const envelope = compose(owner, endpoint, [task]);
    for (const header of [
      { priority: 1000 },
      { expires_ms: Date.now() + 10 ** 12 },
      { count: 2 },
      { on_lost: "fail" },
    ]) {
      await expectIgnored(forged(envelope, { header }), ran);
    }
  }, 20_000);

  test("never runs a stranger's task that claims to be its owner's", async () => {
    const { task, ran } = witness();
    const envelope = compose(stranger, endpoint, [task]);
    await expectIgnored(forged(envelope, { header: { from: owner.id } }), ran);
    await expectIgnored(forged(envelope, { header: { from: owner.id, sender: owner.record } }), ran);
    const signed = forged(envelope, { header: { sender: owner.record } });
    await expectIgnored(signed, ran);
  });

  test("never runs the body of one task under the header of another", async () => {
    const harmless = compose(owner, endpoint, [{ argv: ["true"] }]);
    const { task, ran } = witness();
    const loaded = compose(stranger, endpoint, [task]);
    await expectIgnored(forged(harmless, { body: loaded.body }), ran);
  });

  test("shrugs off noise, torn envelopes, and envelopes that are no mail", async () => {
    const { task, ran } = witness();
    const { bytes } = compose(owner, endpoint, [task]);
    for (const noise of [
      new Uint8Array(0),
      silent.random.bytes(500),
      bytes.subarray(0, 50),
      bytes.subarray(0, bytes.byteLength - 1),
    ]) {
      await expectIgnored(noise, ran);
    }
  }, 20_000);

  test("answers a stranger's task with a refusal and its reason, and nothing else", async () => {
    const { task, ran } = witness();
    const from = relay.heard.length;
    await relay.mail(compose(stranger, endpoint, [task, task]).bytes);
    await until(async () => (await relay.results(stranger, from)).length === 2, "the refusals");
    const [first] = await relay.results(stranger, from);
    expect(first?.outcome).toMatchObject({ class: "rejected", exit_code: 125 });
    expect(first?.outcome.reason).toContain(stranger.id);
    expect(first).toMatchObject({ stdout: { total: 0, kept: 0 }, stderr: { total: 0, kept: 0 }, attempt: 0 });
    // Neither paths nor commands nor other users.
    expect(JSON.stringify(first)).not.toContain(place.dir);
    expect(JSON.stringify(first)).not.toContain(owner.id);
    await proveAlive();
    expect(ran()).toBe(false);
  });

  test("lets nobody but its user cancel a task", async () => {
    const gate = join(place.cwd, "gate");
    const envelope = compose(owner, endpoint, [
      { script: `while [ ! -e ${gate} ]; do sleep 0.02; done; echo survived` },
    ]);
    const from = relay.heard.length;
    await relay.mail(envelope.bytes);
    const said = { id: crypto.randomUUID(), re: envelope.header.id, indices: [], created_ms: Date.now() };
    await relay.mail(composeCancel(stranger, endpoint.id, said).bytes);
    const signed = composeCancel(owner, other.id, said);
    await relay.mail(signed.bytes);
    await relay.mail(forged(signed, { header: { to: endpoint.id } }));
    await Bun.write(gate, "");
    await until(async () => (await relay.results(owner, from)).length === 1, "the result");
    expect((await relay.results(owner, from))[0]).toMatchObject({
      outcome: { class: "ok" },
      stdout: { text: "survived\n" },
    });
  });

  test("tells a stranger nothing of itself, its log or its tasks, and takes no orders", async () => {
    const envelope = compose(owner, endpoint, [{ script: "echo secret; sleep 20" }]);
    await relay.mail(envelope.bytes);
    const link = await relay.link();
    const from = relay.heard.length;
    const boot = "00000000-0000-4000-8000-000000000000";
    const messages = [
      { t: "ask_status", rid: 1 },
      { t: "ask_log", rid: 2, lines: 10 },
      { t: "ask_tasks", rid: 3, tids: [envelope.header.id] },
      { t: "follow", sid: "s", tid: envelope.header.id, stdout_from: 0, stderr_from: 0, window: 65536 },
      { t: "order", rid: 4, boot, what: "stop" },
      { t: "signal", tid: envelope.header.id, signal: "SIGTERM" },
    ] as unknown as Frameable[];
    const ask = (asker: Identity, message: Frameable): void => {
      const said = { id: crypto.randomUUID(), session: asker.id, created_ms: Date.now(), messages: [message] };
      const { bytes } = composeLive(asker, endpoint, sealer, said);
      link.send([{ t: "live", to: endpoint.id, session: asker.id, bytes: [bytes] } as unknown as Frameable]);
    };
    for (const message of messages) ask(stranger, message);
    await proveAlive();
    const told = JSON.stringify(await relay.answers(stranger, from));
    for (const word of ["secret", place.dir, "answer_status", "answer_log", owner.id]) expect(told).not.toContain(word);
    expect(daemon.child.exitCode).toBeNull();
    expect(await relay.results(owner, from)).toHaveLength(1);
    // The same questions are answered to the owner, so they were asked rightly.
    for (const message of messages.slice(0, 4)) ask(owner, message);
    const answers = async () => (await relay.answers(owner, from)).map(({ t }) => t);
    await until(async () => {
      const kinds = await answers();
      return ["answer_status", "answer_log", "answer_tasks", "chunk"].every((kind) => kinds.includes(kind));
    }, "the answers to the owner");
    const cancel = { id: crypto.randomUUID(), re: envelope.header.id, indices: [], created_ms: Date.now() };
    await relay.mail(composeCancel(owner, endpoint.id, cancel).bytes);
  });

  test("keeps what it refused out of its journal, and says so in its log", () => {
    const log = readFileSync(join(place.home, "endpoints/mine/endpoint.log"), "utf8") + daemon.stderr;
    expect(log).toContain("mail.refused");
  });
});
