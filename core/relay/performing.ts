/** Lets the effects of a turn out: messages to one link go together, in order, and a link is closed after them. */
import { messageOf } from "../errors.ts";
import type { LogFields } from "../host/host.ts";
import type { Frameable } from "../wire/codec.ts";
import type { Link } from "../wire/link.ts";
import type { RelayEffect } from "./event.ts";

/** Performs the effects in order; never throws for the state of a link. */
export function performEffects(effects: readonly RelayEffect[], log: (event: string, fields: LogFields) => void): void {
  const waiting = new Map<Link, Frameable[]>();
  const flush = (link: Link): void => {
    const messages = waiting.get(link);
    waiting.delete(link);
    if (messages === undefined) return;
    try {
      link.send(messages);
    } catch (error) {
      // Only a message that is too large for any frame; all of ours are bounded far below.
      log("relay.not_sent", { session: link.session, why: messageOf(error) });
    }
  };
  for (const effect of effects) {
    switch (effect.kind) {
      case "send": {
        const messages = waiting.get(effect.link);
        if (messages === undefined) waiting.set(effect.link, [effect.message as Frameable]);
        else messages.push(effect.message as Frameable);
        break;
      }
      case "close":
        flush(effect.link);
        effect.link.close(effect.reason);
        break;
      case "log":
        log(effect.event, effect.fields);
        break;
    }
  }
  for (const link of [...waiting.keys()]) flush(link);
}
