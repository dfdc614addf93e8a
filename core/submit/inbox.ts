/** Messages of the relay, one after the other, as events. What is malformed is dropped and logged. */
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

  take(link: Link, messages: readonly Frameable[]): void {
    for (const message of messages) {
      const schema = schemas[message.t];
      if (schema === undefined) link.send([unknownMessage(message) as Frameable]);
      else if (fits(schema, message)) this.dispatch(link, message as unknown as FromRelay);
      else this.host.log.warn("message of the relay is malformed", { t: message.t });
    }
  }

  private dispatch(link: Link, message: FromRelay): void {
    switch (message.t) {
      case "submitted":
        return this.push({ kind: "submitted", re: message.re, ids: message.ids, now_ms: this.host.clock.now() });
      case "ok":
        return this.push({ kind: "ok", re: message.re });
      case "envelopes":
      case "endpoints":
        return this.push({ kind: "answer", re: message.re, answer: message });
      case "error":
        if (message.re !== undefined) {
          this.push({ kind: "error", re: message.re, error: message, now_ms: this.host.clock.now() });
        } else {
          this.host.log.warn("the relay reports an error", { code: message.code, why: message.message });
        }
        return;
      case "undelivered":
        return this.push({ kind: "undelivered", to: message.to as PrincipalId, why: message.why });
      case "news":
        return this.push(this.intake.news(message, this.open.get(message.watch) ?? true));
      case "live":
        return this.hear(this.intake.live(message, link.session));
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
