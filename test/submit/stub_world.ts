/**
 * A relay, an endpoint and a worker in one object, over a real socket: just enough of each that a client has somebody
 * to talk to. Keeps nothing on disk. Tests turn its knobs: what it swallows, when it accepts, whether it is there at
 * all.
 */
import { checkRecord, type Identity, makeIdentity, openIdentity } from "../../core/access/principal.ts";
import { composeAccept, composeLive, composeResult, openLive, openTasks } from "../../core/envelope/compose.ts";
import { digestOf, readEnvelope, verifyEnvelope } from "../../core/envelope/envelope.ts";
import { Opener, Sealer } from "../../core/envelope/sealer.ts";
import { realClock } from "../../core/host/clock.ts";
import type { Host } from "../../core/host/host.ts";
import { realRandom } from "../../core/host/random.ts";
import type { KeyRecord, TaskHeader } from "../../core/schema/envelope.ts";
import type { Result } from "../../core/schema/result.ts";
import type { TaskSpec } from "../../core/schema/task.ts";
import type { FromUserLive } from "../../core/submit/live.ts";
import { type EnvelopeId, taskId } from "../../core/task/id.ts";
import type { Frameable } from "../../core/wire/codec.ts";
import { checkPrincipalProof, type Link, listen } from "../../core/wire/link.ts";
import { StubTask } from "./stub_task.ts";

type Message = Frameable & { [key: string]: unknown; rid: number };

const quiet = { debug() {}, info() {}, warn() {}, error() {} };

export function testHost(env: Host["env"] = {}): Host {
  return { clock: realClock(), random: realRandom(), log: quiet, env, hostname: "test" };
}

interface StoredResult {
  seq: number;
  header: { re: string; group: string };
  bytes: Uint8Array;
}

export class StubWorld {
  readonly host = testHost();
  readonly relay = openIdentity(makeIdentity("relay", this.host.random));
  readonly endpoint_file = makeIdentity("endpoint", this.host.random);
  readonly endpoint: Identity = openIdentity(this.endpoint_file);
  readonly tasks = new Map<string, StubTask>();
  readonly envelopes = new Map<string, { bytes: Uint8Array; header: TaskHeader; seq: number; accept?: Uint8Array }>();
  readonly results: StoredResult[] = [];
  /** Receipts and cancels that came in, as `kind re:indices`. */
  readonly posts: string[] = [];
  submits = 0;
  epoch = "epoch-1";
  name = "lab";
  /** Says no to a submit. */
  refuse: { kind: string; code: string; message: string; retry_after_ms?: number } | undefined;
  /** Takes tasks but signs for none. */
  holdAccepts = false;
  online = true;
  /** True for a live message that gets lost on its way to the user. */
  swallow: (message: Frameable) => boolean = () => false;
  /** Decides a result without running anything. */
  fake: ((spec: TaskSpec, tid: string) => Partial<Result> | undefined) | undefined;
  private readonly sealer = new Sealer(this.host.random);
  private readonly opener = new Opener(this.endpoint);
  private readonly links = new Set<Link>();
  private readonly watches = new Map<Link, Map<number, { envelopes?: string[]; group?: string }>>();
  private users = new Map<string, KeyRecord>();
  private stopListening: (() => Promise<void>) | undefined;
  private seq = 0;

  async open(path: string): Promise<void> {
    const { relay } = this;
    const acceptor = {
      id: relay.id,
      record: relay.record,
      sign: (bytes: Uint8Array) => relay.sign(bytes),
      epoch: this.epoch,
      limits: {},
      features: [],
      admit: (auth: Parameters<typeof checkPrincipalProof>[0], hello: Parameters<typeof checkPrincipalProof>[1]) => {
        const record = checkPrincipalProof(auth, hello);
        return { role: "user" as const, id: record.id, record, instance: auth.instance, local: true };
      },
    };
    const events = {
      up: (link: Link) => void this.links.add(link),
      messages: (link: Link, messages: Frameable[]) => {
        for (const message of messages) void this.take(link, message as Message);
      },
      down: (link: Link | undefined) => {
        if (link !== undefined) this.links.delete(link);
        if (link !== undefined) this.watches.delete(link);
      },
    };
    const listening = await listen({ unix: path }, acceptor, events, this.host);
    this.stopListening = () => listening.close();
  }

  /** Ends all connections; new ones are taken. */
  cutLinks(): void {
    for (const link of this.links) link.close("cut by the test");
  }

  async close(): Promise<void> {
    for (const task of this.tasks.values()) task.end("SIGKILL");
    await this.stopListening?.();
    this.stopListening = undefined;
  }

  /** Signs for everything that was held back. */
  async acceptAll(): Promise<void> {
    this.holdAccepts = false;
    for (const id of this.envelopes.keys()) await this.accept(id);
  }

  private async take(link: Link, message: Message): Promise<void> {
    switch (message.t) {
      case "submit":
        return this.submit(link, message);
      case "watch": {
        const watch = {
          ...(message as { envelopes?: string[]; group?: string }),
          after: (message.after as number) ?? 0,
        };
        const all = this.watches.get(link) ?? new Map();
        this.watches.set(link, all.set(message.watch as number, watch));
        link.send([{ t: "ok", re: message.rid } as Frameable]);
        for (const [id, kept] of this.envelopes)
          if (covers(watch, id, kept.header.group)) this.news(id, kept.accept, link);
        for (const result of this.results) {
          if (result.seq > watch.after && covers(watch, result.header.re, result.header.group)) this.send(link, result);
        }
        return;
      }
      case "unwatch":
        this.watches.get(link)?.delete(message.watch as number);
        return link.send([{ t: "ok", re: message.rid } as Frameable]);
      case "list":
        return link.send([this.listed(message)]);
      case "endpoints_ask": {
        const row = { record: this.endpoint.record, name: this.name, online: this.online, seen_ms: 0, queued: 0 };
        return link.send([{ t: "endpoints", re: message.rid, rows: [row] } as Frameable]);
      }
      case "post":
        return this.posted(link, message);
      case "live":
        return this.live(link, message);
    }
  }

  private async submit(link: Link, message: Message): Promise<void> {
    this.submits += 1;
    if (this.refuse !== undefined) return link.send([{ t: "error", re: message.rid, ...this.refuse } as Frameable]);
    const ids: string[] = [];
    for (const bytes of message.bytes ?? []) {
      const envelope = readEnvelope(Uint8Array.from(bytes));
      const header = envelope.header as TaskHeader;
      verifyEnvelope(envelope, header.sender);
      this.users.set(header.from, checkRecord(header.sender));
      ids.push(header.id);
      if (!this.envelopes.has(header.id)) {
        this.envelopes.set(header.id, { bytes: envelope.bytes, header, seq: ++this.seq });
      }
    }
    link.send([{ t: "submitted", re: message.rid, ids, known: 0 } as Frameable]);
    for (const id of ids) if (!this.holdAccepts && this.online) await this.accept(id);
  }

  private async accept(id: string): Promise<void> {
    const kept = this.envelopes.get(id);
    if (kept === undefined || kept.accept !== undefined) return;
    const said = { re: id, digest: digestOf(kept.bytes), id: crypto.randomUUID(), created_ms: Date.now() };
    kept.accept = composeAccept(this.endpoint, kept.header.from, said).bytes;
    this.news(id, kept.accept);
    const body = await openTasks(readEnvelope(kept.bytes), this.opener);
    this.sealer.prepare(kept.header.sender);
    const done: { index: number; result: Result }[] = [];
    for (const [index, over] of body.tasks.entries()) {
      const spec = { ...body.base, ...over };
      const tid = taskId(id as EnvelopeId, index);
      const faked = this.fake?.(spec, tid);
      if (faked !== undefined) {
        done.push({ index, result: { ...emptyResult(), ...faked } });
        continue;
      }
      const task = new StubTask(tid, spec, (result) => this.finish(kept.header, [{ index, result }]));
      this.tasks.set(tid, task);
    }
    if (done.length > 0) this.finish(kept.header, done);
  }

  private finish(header: TaskHeader, done: { index: number; result: Result }[]): void {
    for (let at = 0; at < done.length; at += 1000) {
      const part = done.slice(at, at + 1000);
      const said = { id: crypto.randomUUID(), re: header.id, group: header.group, created_ms: Date.now() };
      const envelope = composeResult(this.endpoint, header.sender, this.sealer, {
        ...said,
        indices: part.map((each) => each.index),
        results: part.map((each) => each.result),
      });
      const stored = { seq: ++this.seq, header: { re: header.id, group: header.group }, bytes: envelope.bytes };
      this.results.push(stored);
      for (const link of this.links) if (this.isWatched(link, stored.header)) this.send(link, stored);
    }
  }

  private isWatched(link: Link, header: { re: string; group: string }): boolean {
    return [...(this.watches.get(link)?.values() ?? [])].some((watch) => covers(watch, header.re, header.group));
  }

  /** Sends one result to every watch of the link that covers it. */
  send(link: Link, result: StoredResult): void {
    for (const [watch, wanted] of this.watches.get(link) ?? []) {
      if (!covers(wanted, result.header.re, result.header.group)) continue;
      link.send([{ t: "news", watch, seq: result.seq, bytes: [result.bytes] } as Frameable]);
    }
  }

  private news(id: string, accept: Uint8Array | undefined, only?: Link): void {
    const header = this.envelopes.get(id)?.header;
    if (accept === undefined || header === undefined) return;
    for (const link of only === undefined ? this.links : [only]) {
      for (const [watch, wanted] of this.watches.get(link) ?? []) {
        if (covers(wanted, id, header.group)) link.send([{ t: "news", watch, seq: 0, bytes: [accept] } as Frameable]);
      }
    }
  }

  private posted(link: Link, message: Message): void {
    const { header } = readEnvelope(Uint8Array.from(message.bytes?.[0] ?? []));
    if (header.kind !== "receipt" && header.kind !== "cancel") throw new Error(`A ${header.kind} was posted`);
    this.posts.push(`${header.kind} ${header.re}:${header.indices.join(",")}`);
    link.send([{ t: "ok", re: message.rid } as Frameable]);
    if (header.kind !== "cancel") return;
    const count = this.envelopes.get(header.re)?.header.count ?? 0;
    const indices = header.indices.length > 0 ? header.indices : Array.from({ length: count }, (_, index) => index);
    for (const index of indices) this.tasks.get(taskId(header.re as EnvelopeId, index))?.cancel();
  }

  private async live(link: Link, message: Message): Promise<void> {
    if (!this.online) {
      const { to, session } = message as unknown as { to: string; session: string };
      return link.send([{ t: "undelivered", to, session, why: "offline" } as Frameable]);
    }
    const envelope = readEnvelope(Uint8Array.from(message.bytes?.[0] ?? []));
    const { header } = envelope;
    if (header.kind !== "live") throw new Error("Not a live envelope");
    verifyEnvelope(envelope, header.sender);
    this.sealer.prepare(header.sender);
    const reply = (messages: Frameable[]): void => {
      const said = messages.filter((each) => !this.swallow(each));
      if (said.length === 0) return;
      const about = { id: crypto.randomUUID(), session: header.session, created_ms: Date.now(), messages: said };
      const bytes = composeLive(this.endpoint, header.sender, this.sealer, about).bytes;
      link.send([{ t: "live", to: header.from, session: header.session, bytes: [bytes] } as Frameable]);
    };
    for (const each of (await openLive(envelope, this.opener)) as FromUserLive[]) {
      if ("tid" in each && this.tasks.has(each.tid)) this.tasks.get(each.tid)?.take(each, reply);
      else if (each.t === "follow" && each.stop !== true) {
        for (const stream of ["stdout", "stderr"] as const) {
          reply([
            {
              t: "chunk",
              sid: each.sid,
              tid: each.tid,
              stream,
              offset: each[`${stream}_from`],
              end: true,
            } as Frameable,
          ]);
        }
      } else if (each.t === "ask_tasks") {
        const tasks = each.tids.map(
          (tid) => this.tasks.get(tid)?.standing() ?? { tid, phase: "unknown", attempt: 0, reason: "unknown here" },
        );
        reply([{ t: "answer_tasks", re: each.rid, tasks } as Frameable]);
      }
    }
  }

  private listed(message: Message): Frameable {
    const { limit, prefix, group, envelopes, before } = message as unknown as {
      limit: number;
      prefix?: string;
      group?: string;
      envelopes?: string[];
      before?: number;
    };
    const rows = [...this.envelopes]
      .filter(([id, kept]) => id.startsWith(prefix ?? "") && (group === undefined || kept.header.group === group))
      .filter(([id, kept]) => (envelopes?.includes(id) ?? true) && (before === undefined || kept.seq < before))
      .map(([id, { header, seq, accept }]) => {
        const results = this.results
          .filter((result) => result.header.re === id)
          .map((result) => readEnvelope(result.bytes).header);
        const classes: { [name: string]: number } = {};
        for (const each of results)
          if (each.kind === "result") for (const name of each.classes) classes[name] = (classes[name] ?? 0) + 1;
        const done = Object.values(classes).reduce((sum, count) => sum + count, 0);
        const { group, count, created_ms, expires_ms } = header;
        const state = accept === undefined ? "queued" : "held";
        return { seq, id, endpoint: header.to, group, count, created_ms, expires_ms, state, done, classes };
      })
      .sort((a, b) => b.seq - a.seq);
    return { t: "envelopes", re: message.rid, rows: rows.slice(0, limit), more: rows.length > limit } as Frameable;
  }
}

function covers(watch: { envelopes?: string[]; group?: string }, id: string, group: string): boolean {
  return watch.envelopes?.includes(id) === true || watch.group === group;
}

export function emptyResult(): Result {
  const nothing = { total: 0, kept: 0 };
  return {
    outcome: { class: "ok", cause: "exit", exit_code: 0 },
    stdout: nothing,
    stderr: nothing,
    attempt: 1,
    started_ms: Date.now(),
    ended_ms: Date.now(),
    host: "stub",
  };
}
