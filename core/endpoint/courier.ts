/**
 * Between the mail and the deciding half: takes envelopes apart, verifies and opens what comes in, seals and signs what
 * goes out. Here access list and command list are asked, before anything is stored.
 */
import type { AccessList } from "../access/access_list.ts";
import { type AllowLists, requireListed } from "../access/function_list.ts";
import type { Identity } from "../access/principal.ts";
import type { Arrival } from "../engine/held_envelope.ts";
import { composeAccept, composeLive, composeResult, openLive, openTasks } from "../envelope/compose.ts";
import { digestOf, type Envelope, readEnvelope, verifyEnvelope } from "../envelope/envelope.ts";
import { Opener, Sealer } from "../envelope/sealer.ts";
import { GcError, messageOf } from "../errors.ts";
import type { Host } from "../host/host.ts";
import type { KeyRecord, TaskHeader } from "../schema/envelope.ts";
import { fromUserLive } from "../schema/live_message.ts";
import type { Output, Result } from "../schema/result.ts";
import { type TaskBody, type TaskSpec, taskKinds } from "../schema/task.ts";
import { fits } from "../schema/validate.ts";
import { formatUuid } from "../task/id.ts";
import type { Frameable } from "../wire/codec.ts";
import type { Asker, EndpointEvent, LiveAsk } from "./decision.ts";

const liveKinds: ReadonlyMap<string, (typeof fromUserLive)[number]["$id"]> = new Map(
  fromUserLive.map((schema) => [schema.properties.t.const, schema.$id]),
);
/** Live envelopes with effects that a relay could play again; their ids are remembered. */
const rememberedMax = 10_000;

/** Opens and composes for one endpoint. */
export class Courier {
  private readonly identity: Identity;
  private readonly access: AccessList;
  private readonly lists: AllowLists;
  private readonly host: Host;
  private readonly sealer: Sealer;
  private readonly opener: Opener;
  private readonly played = new Set<string>();

  /** `keys`: of several lives of an endpoint, in a simulation; else new ones are made. */
  constructor(
    identity: Identity,
    access: AccessList,
    lists: AllowLists,
    host: Host,
    keys: { sealer: Sealer; opener: Opener } = { sealer: new Sealer(host.random), opener: new Opener(identity) },
  ) {
    this.identity = identity;
    this.access = access;
    this.lists = lists;
    this.host = host;
    this.sealer = keys.sealer;
    this.opener = keys.opener;
  }

  /** One item of mail as an event. */
  mail(seq: number, bytes: Uint8Array): EndpointEvent {
    try {
      const envelope = readEnvelope(bytes);
      const { header } = envelope;
      if (header.to !== this.identity.id) throw bad(`it is addressed to ${header.to}`);
      if (header.kind === "accept" || header.kind === "result")
        throw bad(`an endpoint gets no mail of kind ${header.kind}`);
      verifyEnvelope(envelope, header.sender);
      const now_ms = this.host.clock.now();
      if (header.kind === "cancel") return { t: "cancel", seq, header, now_ms };
      if (header.kind === "receipt") return { t: "receipt", seq, header, now_ms };
      if (header.kind === "live") throw bad("a live envelope is no mail");
      return this.tasks(seq, envelope, header);
    } catch (error) {
      return { t: "bad_mail", seq, reason: messageOf(error) };
    }
  }

  /** A task envelope from our own journal. */
  reopen(bytes: Uint8Array): Arrival {
    const envelope = readEnvelope(bytes);
    const { header } = envelope;
    if (header.kind !== "task") throw bad("the journal holds something else than a task");
    return { header, body: openTasks(envelope, this.opener), digest: digestOf(bytes) };
  }

  /** A live envelope: who asks, and what. Bad ones are dropped with a reason in the log. */
  live(session: string, bytes: Uint8Array): EndpointEvent[] {
    const envelope = readEnvelope(bytes);
    const { header } = envelope;
    if (header.kind !== "live" || header.to !== this.identity.id) throw bad("it is no live envelope for this endpoint");
    if (header.session !== session) throw bad("it was made for another connection");
    verifyEnvelope(envelope, header.sender);
    return this.asks({ user: header.sender, session }, header.id, openLive(envelope, this.opener));
  }

  accept(to: string, re: string, digest: string): Uint8Array {
    const said = { re, digest, id: this.id(), created_ms: this.host.clock.now() };
    return composeAccept(this.identity, to, said).bytes;
  }

  /** Results of one envelope. Output that does not fit is cut down to its end: a result always arrives. */
  results(
    to: KeyRecord,
    said: { id: string; re: string; group: string; indices: number[]; results: Result[] },
  ): Uint8Array {
    let results = said.results;
    for (let keep_bytes = 1024 * 1024; ; keep_bytes = Math.floor(keep_bytes / 4)) {
      try {
        const created_ms = this.host.clock.now();
        return composeResult(this.identity, to, this.sealer, { ...said, created_ms, results }).bytes;
      } catch (error) {
        if (!(error instanceof GcError) || error.code !== "result.too_large" || keep_bytes === 0) throw error;
        results = results.map((result) => ({
          ...result,
          stdout: shortened(result.stdout, keep_bytes),
          stderr: shortened(result.stderr, keep_bytes),
        }));
      }
    }
  }

  answer(asker: Asker, messages: readonly Frameable[]): Uint8Array {
    const said = { id: this.id(), session: asker.session, created_ms: this.host.clock.now(), messages };
    return composeLive(this.identity, asker.user, this.sealer, said).bytes;
  }

  private tasks(seq: number, envelope: Envelope, header: TaskHeader): EndpointEvent {
    const body = openTasks(envelope, this.opener);
    const arrival: Arrival = { header, body, digest: digestOf(envelope.bytes) };
    const refused = this.refusal(header, body);
    const now_ms = this.host.clock.now();
    return { t: "tasks", seq, bytes: envelope.bytes, arrival, now_ms, ...(refused === undefined ? {} : { refused }) };
  }

  /** Why nothing of an envelope may run; undefined when it may. */
  private refusal(header: TaskHeader, body: TaskBody): string | undefined {
    try {
      this.access.require(header.from, "submit", this.identity.id);
      body.tasks.forEach((over, index) => {
        const spec: TaskSpec = { ...body.base, ...over };
        if (taskKinds.every((kind) => spec[kind] === undefined)) {
          throw bad(`task ${index} names neither argv nor a script nor a Python function`);
        }
        requireListed(this.lists, spec);
        requireNoTemplate(spec);
      });
      return undefined;
    } catch (error) {
      return messageOf(error);
    }
  }

  private asks(asker: Asker, id: string, messages: Frameable[]): EndpointEvent[] {
    const now_ms = this.host.clock.now();
    const events: EndpointEvent[] = [];
    for (const message of messages) {
      const schema = liveKinds.get(message.t);
      if (schema === undefined || !fits(schema, message)) throw bad(`a live message "${message.t}" is malformed`);
      const ask = message as unknown as LiveAsk;
      if (ask.t === "order" || ask.t === "signal") {
        if (this.played.has(id)) throw bad("it was played before");
      }
      if (ask.t === "ask_status" && !this.access.allows(asker.user.id, "see_status")) continue;
      if (ask.t === "ask_log" && !this.access.allows(asker.user.id, "read_log")) continue;
      if (ask.t === "order" && !this.access.allows(asker.user.id, "order")) continue;
      events.push({ t: "live", asker, message: ask, now_ms });
    }
    this.played.add(id);
    if (this.played.size > rememberedMax)
      for (const old of this.played) {
        this.played.delete(old);
        break;
      }
    return events;
  }

  private id(): string {
    const bytes = this.host.random.bytes(16);
    bytes[6] = ((bytes[6] ?? 0) & 0x0f) | 0x40;
    bytes[8] = ((bytes[8] ?? 0) & 0x3f) | 0x80;
    return formatUuid(bytes);
  }
}

/** Endpoints have no templates; a task that wants another configuration is not run in the one that there is. */
function requireNoTemplate({ user_endpoint_config: wanted }: TaskSpec): void {
  const keys = Object.keys(wanted ?? {});
  if (keys.length === 0) return;
  const said = keys.map((key) => `"${key}"`).join(", ");
  const message =
    `The configuration of this endpoint is no template, so the user_endpoint_config of the task (${said}) has no ` +
    "place in it: leave it out, or ask its owner";
  throw new GcError("permission", "config.no_template", message);
}

/** The last `keep_bytes` of a captured stream. */
function shortened(output: Output, keep_bytes: number): Output {
  if (output.kept <= keep_bytes) return output;
  const bytes = output.text === undefined ? Buffer.from(output.base64 ?? "", "base64") : Buffer.from(output.text);
  const end = bytes.subarray(Math.max(0, bytes.byteLength - keep_bytes));
  return { total: output.total, kept: end.byteLength, base64: end.toString("base64") };
}

function bad(what: string): GcError {
  return new GcError("data", "mail.refused", `Mail was refused: ${what}`);
}
