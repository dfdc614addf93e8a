/**
 * A relay that means harm: it sits where an endpoint expects its relay, proves a key of its own, hears everything the
 * endpoint says and hands it whatever bytes it likes. It holds no key of the user or the endpoint; what the user would
 * sign is composed by the test with the user's key.
 */
import { type Identity, makeIdentity, openIdentity } from "../../core/access/principal.ts";
import { openLive, openResults } from "../../core/envelope/compose.ts";
import { readEnvelope } from "../../core/envelope/envelope.ts";
import { Opener } from "../../core/envelope/sealer.ts";
import type { Host } from "../../core/host/host.ts";
import { realHost } from "../../core/host/real_host.ts";
import type { Result } from "../../core/schema/result.ts";
import type { Frameable } from "../../core/wire/codec.ts";
import { checkPrincipalProof, type Link, type Listening, listen } from "../../core/wire/link.ts";
import { until } from "./until.ts";

export const silent: Host = realHost({ debug() {}, info() {}, warn() {}, error() {} });

export class HostileRelay {
  readonly identity: Identity = openIdentity(makeIdentity("relay", silent.random));
  readonly heard: Frameable[] = [];
  private endpoint: Link | undefined;
  private listening: Listening | undefined;
  private seq = 0;
  /** Another value makes the endpoint believe that the relay lost everything. */
  epoch = crypto.randomUUID();

  async open(socket: string): Promise<void> {
    const { identity } = this;
    this.listening = await listen(
      { unix: socket },
      {
        id: identity.id,
        record: identity.record,
        sign: (bytes) => identity.sign(bytes),
        epoch: this.epoch,
        limits: {},
        features: [],
        admit: (auth, hello, from) => ({
          role: auth.role,
          id: auth.id,
          record: checkPrincipalProof(auth, hello),
          instance: auth.instance,
          local: from.local,
        }),
      },
      {
        up: (link) => {
          if (link.peer.role === "endpoint") this.endpoint = link;
        },
        messages: (link, messages) => {
          this.heard.push(...messages);
          // As a real one: results are stored at once, so that nothing is sent again.
          for (const message of messages) {
            if (message.t === "deposit")
              link.send([{ t: "stored", re: ridOf(message), ids: idsIn(message) } as Frameable]);
            if (message.t === "announce") link.send([{ t: "ok", re: ridOf(message) } as Frameable]);
          }
        },
        down: (link) => {
          if (link === this.endpoint) this.endpoint = undefined;
        },
      },
      silent,
    );
  }

  /** The session of the endpoint, once it is there. */
  async link(): Promise<Link> {
    return until(() => this.endpoint ?? false, "the endpoint to connect");
  }

  /** Hands over mail and waits until the endpoint has dealt with it. Returns what it said to it. */
  async mail(...bytes: Uint8Array[]): Promise<Frameable[]> {
    const link = await this.link();
    const from = this.heard.length;
    const seqs = bytes.map(() => ++this.seq);
    link.send([{ t: "mail", seqs, bytes } as unknown as Frameable]);
    const acked = () => new Set(this.said("mail_ack", from).flatMap((ack) => ack.seqs as number[]));
    await until(() => seqs.every((seq) => acked().has(seq)), "the mail to be acknowledged");
    return this.heard.slice(from);
  }

  said(t: string, from = 0): { [field: string]: unknown }[] {
    return this.heard.slice(from).filter((message) => message.t === t) as unknown as { [field: string]: unknown }[];
  }

  /** How many task envelopes the endpoint accepted since `from`. */
  accepts(from = 0): number {
    return this.said("mail_ack", from).reduce(
      (sum, ack) => sum + ((ack.bytes as Uint8Array[] | undefined)?.length ?? 0),
      0,
    );
  }

  /** Results for this user, as the user opens them. */
  async results(user: Identity, from = 0): Promise<Result[]> {
    const found: Result[] = [];
    for (const deposit of this.said("deposit", from)) {
      for (const bytes of deposit.bytes as Uint8Array[]) {
        const envelope = readEnvelope(bytes);
        if (envelope.header.to === user.id) found.push(...(await openResults(envelope, new Opener(user))).results);
      }
    }
    return found;
  }

  /** Live answers for this user. */
  async answers(user: Identity, from = 0): Promise<Frameable[]> {
    const found: Frameable[] = [];
    for (const live of this.said("live", from)) {
      const envelope = readEnvelope((live.bytes as Uint8Array[])[0] as Uint8Array);
      if (envelope.header.to === user.id) found.push(...(await openLive(envelope, new Opener(user))));
    }
    return found;
  }

  async close(): Promise<void> {
    await this.listening?.close();
  }
}

function ridOf(message: Frameable): number {
  return (message as unknown as { rid: number }).rid;
}

function idsIn(message: Frameable): string[] {
  return (message as unknown as { bytes: Uint8Array[] }).bytes.map((bytes) => readEnvelope(bytes).header.id);
}
