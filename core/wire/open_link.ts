/** One attempt to open a link: dial, run the session's opening, hand over the link. Retrying is `keep_link.ts`. */
import { GcError } from "../errors.ts";
import { type DialTarget, dial } from "../host/dial.ts";
import type { Host } from "../host/host.ts";
import { isLoopback } from "../host/proxy.ts";
import { connectTimeout_ms, mailboxTimeout_ms } from "../limits.ts";
import { Connection } from "./connection.ts";
import type { Link, LinkEvents, Self, WorkerAddress } from "./link.ts";
import { checkHello } from "./proof.ts";
import { localTiming, mailboxTiming, type OpenerSide, ordinaryTiming, type Timing } from "./session.ts";
import { software } from "./software.ts";

/** An attempt under way. */
export interface Attempt {
  /** Gives up; no event comes after it. */
  cancel(): void;
}

/**
 * Opens one link. `events.up` is called before the promise resolves.
 * @throws GcError unavailable, permission, protocol or config; an attempt that fails is not told to `events.down`.
 */
export function openLink(address: WorkerAddress, self: Self, events: LinkEvents, host: Host): Promise<Link> {
  return new Promise((resolve, reject) => {
    attempt(address, self, host, {
      ...forwarded(events),
      up(link) {
        events.up(link);
        resolve(link);
      },
      down(link, reason) {
        if (link === undefined) reject(reason);
        else events.down(link, reason);
      },
    });
  });
}

/** Starts one attempt; it ends in `events.up`, or in `events.down` with undefined. Never throws. */
export function attempt(
  address: WorkerAddress,
  self: Self,
  host: Host,
  events: LinkEvents,
  timing: Timing = timingFor(address),
): Attempt {
  let connection: Connection | undefined;
  let giveUp = (): void => {};
  let over = false;
  const fail = (reason: GcError): void => {
    if (over) return;
    over = true;
    stopTimer();
    events.down(undefined, reason);
  };
  const patience_ms = address.kind === "mailbox" ? mailboxTimeout_ms : connectTimeout_ms;
  const stopTimer = host.clock.after(patience_ms, () => {
    giveUp();
    const place = address.kind === "url" ? address.url : address.path;
    fail(new GcError("unavailable", "link.timeout", `Cannot reach ${place}: no answer in ${patience_ms / 1000} s`));
  });
  try {
    const side = openerSide(address, self);
    giveUp = dial(
      targetOf(address, host),
      {
        opened(socket) {
          stopTimer();
          connection = new Connection(socket, side, events, host, timing);
        },
        message: (message) => connection?.received(message),
        closed: (code, reason) => connection?.closed(code, reason),
      },
      fail,
    );
  } catch (error) {
    const reason =
      error instanceof GcError
        ? error
        : new GcError("internal", "link.failed", "The link cannot be opened", { cause: error });
    queueMicrotask(() => fail(reason));
  }
  return {
    cancel() {
      over = true;
      stopTimer();
      if (connection === undefined) giveUp();
      else connection.close("given up");
    },
  };
}

function timingFor(address: WorkerAddress): Timing {
  if (address.kind === "mailbox") return mailboxTiming;
  return address.kind === "unix" ? localTiming : ordinaryTiming;
}

function forwarded(events: LinkEvents): LinkEvents {
  return {
    up: (link) => events.up(link),
    messages: (link, messages) => events.messages(link, messages),
    down: (link, reason) => events.down(link, reason),
  };
}

function openerSide(address: WorkerAddress, self: Self): OpenerSide {
  const wanted = address.kind === "url" ? address.relay_id : undefined;
  return {
    kind: "opener",
    role: self.role,
    id: self.id,
    instance: self.instance,
    software,
    local: address.kind === "unix",
    ...(self.record === undefined ? {} : { record: self.record }),
    ...(self.name === undefined ? {} : { name: self.name }),
    ...(self.invite === undefined ? {} : { invite: self.invite }),
    check: (hello) => checkHello(hello, wanted),
    prove: (hello, proto) => self.prove(hello, proto),
  };
}

/** @throws GcError config for a URL that is malformed, or that would send everything in the clear over a network. */
function targetOf(address: WorkerAddress, host: Host): DialTarget {
  if (address.kind !== "url") return address;
  const url = URL.canParse(address.url) ? new URL(address.url) : undefined;
  if (url === undefined || !["http:", "https:", "ws:", "wss:"].includes(url.protocol)) {
    throw new GcError("config", "link.bad_url", `"${address.url}" is not the URL of a relay`, {
      hint: "It looks like https://relay.example:8443",
    });
  }
  if ((url.protocol === "http:" || url.protocol === "ws:") && !isLoopback(url.hostname)) {
    throw new GcError(
      "config",
      "link.insecure",
      `"${address.url}" is not encrypted; only loopback may do without TLS`,
      {
        hint: `Use https://${url.host}`,
      },
    );
  }
  return { kind: "url", url, env: host.env, ...(address.ca_pem === undefined ? {} : { ca_pem: address.ca_pem }) };
}
