/**
 * Messages of the relay, one after the other, as events. Opening a body may take a promise the first time a process is
 * heard; what comes behind it waits its turn, so nothing is ever taken out of order.
 */
import { messageOf } from "../errors.ts";
import type { Host } from "../host/host.ts";
import type { EndpointsAnswer, Envelopes, Live, News, Ok, Submitted, Undelivered } from "../schema/relay_message.ts";
import type { WireError } from "../schema/session_message.ts";
import { fits, type SchemaName } from "../schema/validate.ts";
import type { PrincipalId } from "../task/id.ts";
import type { Frameable } from "../wire/codec.ts";
import { type Link, unknownMessage } from "../wire/link.ts";
import type { ClientEvent, LiveAnswer } from "./event.ts";
import type { Heard, Intake } from "./intake.ts";

type FromRelay = Submitted | Ok | News | Envelopes | EndpointsAnswer | Live | Undelivered | WireError;

const schemas: { readonly [t: string]: SchemaName } = {
  submitted: "submitted",
  ok: "ok",
  news: "news",
  envelopes: "envelopes",
  endpoints: "endpoints",
  live: "live",
  undelivered: "undelivered",
  error: "error",
};

export class Inbox {
  /** Watches, and whether their results are to be opened. */
  readonly open = new Map<number, boolean>();
  private chain: Promise<void> | undefined;
  private readonly intake: Intake;
  private readonly push: (event: ClientEvent) => void;
  private readonly heard: (heard: Heard) => void;
  private readonly host: Pick<Host, "clock" | "log">;

  constructor(
    intake: Intake,
    push: (event: ClientEvent) => void,
    heard: (heard: Heard) => void,
    host: Pick<Host, "clock" | "log">,
  ) {
    this.intake = intake;
    this.push = push;
    this.heard = heard;
    this.host = host;
  }

  /** Takes messages in; returns before they are all dealt with when one of them needs time. */
  take(link: Link, messages: readonly Frameable[]): void {
    for (const message of messages) {
      if (this.chain !== undefined) {
        this.after(() => this.one(link, message));
        continue;
      }
      const pending = this.one(link, message);
      if (pending !== undefined) this.after(() => pending);
    }
  }

  private after(step: () => Promise<void> | undefined): void {
    const next = (this.chain ?? Promise.resolve())
      .then(step)
      .catch((error) => this.host.log.error("message dropped", { why: messageOf(error) }))
      .then(() => {
        if (this.chain === next) this.chain = undefined;
      });
    this.chain = next;
  }

  private one(link: Link, message: Frameable): Promise<void> | undefined {
    const schema = schemas[message.t];
    if (schema === undefined) {
      link.send([unknownMessage(message) as Frameable]);
      return undefined;
    }
    if (!fits(schema, message)) {
      this.host.log.warn("message of the relay is malformed", { t: message.t });
      return undefined;
    }
    return this.dispatch(link, message as unknown as FromRelay);
  }

  private dispatch(link: Link, message: FromRelay): Promise<void> | undefined {
    switch (message.t) {
      case "submitted":
        this.push({ kind: "submitted", re: message.re, ids: message.ids, now_ms: this.host.clock.now() });
        return undefined;
      case "ok":
        this.push({ kind: "ok", re: message.re });
        return undefined;
      case "envelopes":
      case "endpoints":
        this.push({ kind: "answer", re: message.re, answer: message });
        return undefined;
      case "error":
        if (message.re !== undefined) {
          this.push({ kind: "error", re: message.re, error: message, now_ms: this.host.clock.now() });
        } else {
          this.host.log.warn("the relay reports an error", { code: message.code, why: message.message });
        }
        return undefined;
      case "undelivered":
        this.push({ kind: "undelivered", to: message.to as PrincipalId, why: message.why });
        return undefined;
      case "news": {
        const event = this.intake.news(message, this.open.get(message.watch) ?? true);
        if (event instanceof Promise) return event.then((news) => this.push(news));
        this.push(event);
        return undefined;
      }
      case "live": {
        const heard = this.intake.live(message, link.session);
        if (heard instanceof Promise) return heard.then((all) => this.hear(all));
        this.hear(heard);
        return undefined;
      }
    }
  }

  private hear(all: Heard[]): void {
    for (const heard of all) {
      if ("re" in heard.message) {
        this.push({ kind: "answered", from: heard.from, answer: heard.message as LiveAnswer });
      } else {
        this.heard(heard);
      }
    }
  }
}
