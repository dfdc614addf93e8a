/**
 * What arrives, made trustworthy: envelopes are read, their signatures verified against the key their id pins, bodies
 * opened and compared with their headers. Whatever fails is dropped and logged; the relay is a stranger here.
 */
import type { Identity } from "../access/principal.ts";
import { openLive, openResults } from "../envelope/compose.ts";
import { type Envelope, readEnvelope, verifyEnvelope } from "../envelope/envelope.ts";
import type { Opener } from "../envelope/sealer.ts";
import { messageOf } from "../errors.ts";
import type { Log } from "../host/host.ts";
import type { KeyRecord } from "../schema/envelope.ts";
import type { Live, News } from "../schema/relay_message.ts";
import { fits, type SchemaName } from "../schema/validate.ts";
import type { EnvelopeId, GroupId, PrincipalId } from "../task/id.ts";
import type { AcceptNews, ClientEvent, ResultNews } from "./event.ts";
import type { FromEndpointLive } from "./live.ts";

type NewsEvent = Extract<ClientEvent, { kind: "news" }>;

/** A live message whose sender is proved. */
export interface Heard {
  from: PrincipalId;
  message: FromEndpointLive;
}

const liveSchemas: { readonly [t: string]: SchemaName } = {
  chunk: "worker_chunk",
  input_ack: "worker_input_ack",
  answer_tasks: "answer_tasks",
  answer_status: "answer_status",
  answer_log: "answer_log",
  done: "done",
};

export class Intake {
  /** Endpoints whose key is known: those we sent to, and those whose result carried it. */
  private readonly records = new Map<string, KeyRecord>();
  private readonly identity: Identity;
  private readonly opener: Opener;
  private readonly log: Log;

  constructor(identity: Identity, opener: Opener, log: Log) {
    this.identity = identity;
    this.opener = opener;
    this.log = log;
  }

  /** Makes an endpoint's key known, so that its accepts can be verified. */
  know(record: KeyRecord): void {
    this.records.set(record.id, record);
  }

  record(id: string): KeyRecord | undefined {
    return this.records.get(id);
  }

  /** News of the relay as an event. `open`: whether the results themselves are wanted or their classes are enough. */
  news(message: News, open: boolean): NewsEvent {
    const accepts: AcceptNews[] = [];
    const results: ResultNews[] = [];
    for (const bytes of message.bytes ?? []) {
      const envelope = this.verified(bytes);
      if (envelope === undefined) continue;
      const { header } = envelope;
      if (header.kind === "accept") {
        accepts.push({ id: header.re as EnvelopeId, from: header.from as PrincipalId, digest: header.digest });
      } else if (header.kind === "result") {
        const opened = this.results(envelope, open);
        if (opened !== undefined) results.push(opened);
      }
    }
    const expired = (message.expired ?? []) as EnvelopeId[];
    return { kind: "news", watch: message.watch, seq: message.seq, accepts, results, expired };
  }

  /** The messages in a live envelope for this connection; none when anything about it is wrong. */
  live(message: Live, session: string): Heard[] {
    const envelope = this.verified(message.bytes[0] ?? new Uint8Array(0));
    if (envelope?.header.kind !== "live" || envelope.header.session !== session) return [];
    const from = envelope.header.from as PrincipalId;
    try {
      return openLive(envelope, this.opener).flatMap((each) => {
        const schema = liveSchemas[each.t];
        return schema !== undefined && fits(schema, each) ? [{ from, message: each as FromEndpointLive }] : [];
      });
    } catch (error) {
      this.drop(error);
      return [];
    }
  }

  private verified(bytes: Uint8Array): Envelope | undefined {
    try {
      const envelope = readEnvelope(bytes);
      const { header } = envelope;
      if (header.to !== this.identity.id) return undefined;
      // The id is the hash of the key, so a record that fits the id is the right one, whoever handed it over.
      const record = this.records.get(header.from) ?? ("sender" in header ? header.sender : undefined);
      if (record === undefined) return undefined;
      verifyEnvelope(envelope, record);
      this.records.set(record.id, record);
      return envelope;
    } catch (error) {
      this.drop(error);
      return undefined;
    }
  }

  private results(envelope: Envelope, open: boolean): ResultNews | undefined {
    const { header } = envelope;
    if (header.kind !== "result" || header.indices.length !== header.classes.length) return undefined;
    const news: ResultNews = {
      id: header.re as EnvelopeId,
      from: header.from as PrincipalId,
      group: header.group as GroupId,
      indices: header.indices,
      classes: header.classes,
    };
    if (!open) return news;
    try {
      return { ...news, results: openResults(envelope, this.opener).results };
    } catch (error) {
      return this.drop(error);
    }
  }

  private drop(error: unknown): undefined {
    this.log.warn("envelope dropped", { why: messageOf(error) });
    return undefined;
  }
}
