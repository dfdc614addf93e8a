/**
 * Accepts links: a WebSocket server on a Unix socket or on TCP, each connection with a session of its own. Everything
 * that is not a link goes to the caller's HTTP handler.
 */
import { chmodSync, lstatSync, rmSync, type Stats } from "node:fs";
import { GcError, messageOf, systemCode } from "../errors.ts";
import type { Host } from "../host/host.ts";
import { isLoopback } from "../host/proxy.ts";
import { type Accepting, acceptSockets, type SocketEvents, type Where } from "../host/websocket.ts";
import { type Hello, protocolRange } from "../schema/session_message.ts";
import { Connection } from "./connection.ts";
import { Door } from "./door.ts";
import type { Acceptor, LinkEvents, Origin } from "./link.ts";
import { signHello } from "./proof.ts";
import { type AcceptorSide, mailboxTiming, ordinaryTiming, type Timing } from "./session.ts";
import { software } from "./software.ts";

export type { Where } from "../host/websocket.ts";

/** A listener. `close` ends all its links; those who opened them come back by themselves. */
export interface Listening {
  port?: number;
  close(): Promise<void>;
}

export type HttpHandler = (request: Request, from: Origin) => Response | Promise<Response>;

/**
 * Accepts links at `where`. A Unix socket that nobody listens on any more is replaced; its mode is 0600.
 * `events.down` is called with undefined for a connection that ended before it was up.
 * @throws GcError `listen.*`.
 */
export async function listen(
  where: Where,
  acceptor: Acceptor,
  events: LinkEvents,
  host: Host,
  http: HttpHandler = () => new Response("Not found\n", { status: 404 }),
  timing: Timing = ordinaryTiming,
): Promise<Listening> {
  if ("unix" in where) await removeStale(where.unix);
  else if (where.tls === undefined && where.behind_proxy !== true && !isLoopback(where.hostname)) {
    throw new GcError(
      "config",
      "listen.insecure",
      `Without TLS, gc listens on loopback only, not on "${where.hostname}"`,
    );
  }
  const open = new Set<Connection>();
  const accepting = start(where, { ...receiving(acceptor, events, open, host, timing), http });
  const socket = "unix" in where ? lstatSync(where.unix) : undefined;
  return {
    ...(accepting.port === undefined ? {} : { port: accepting.port }),
    async close() {
      for (const connection of open) connection.close("the acceptor stops");
      await accepting.stop();
      if ("unix" in where && socket !== undefined) removeIfSame(where.unix, socket);
    },
  };
}

/**
 * Accepts links through shared folders (`host/mailbox.ts`), which are asked for again and again; those that are not
 * there are passed over.
 */
export async function listenToMailboxes(
  folders: () => Iterable<string>,
  acceptor: Acceptor,
  events: LinkEvents,
  host: Host,
): Promise<Listening> {
  const { acceptMailboxes } = await import("../host/mailbox.ts");
  const open = new Set<Connection>();
  const accepting = acceptMailboxes(folders, receiving(acceptor, events, open, host, mailboxTiming));
  return {
    async close() {
      for (const connection of open) connection.close("the acceptor stops");
      await accepting.stop();
    },
  };
}

/** Who knocks, however they come. */
function receiving(acceptor: Acceptor, events: LinkEvents, open: Set<Connection>, host: Host, timing: Timing) {
  const door = new Door();
  return {
    accept(from: Origin): SocketEvents | { retry_after_s: number } {
      const source = from.local ? undefined : from.remote;
      const wait_s = door.knock(source, host.clock.monotonic());
      if (wait_s !== undefined) return { retry_after_s: wait_s };
      return accepted(acceptor, watched(events, door, source, open, host), from, open, host, timing);
    },
    broken: (error: unknown) => host.log.error("listen.failed", { error: messageOf(error) }),
  };
}

function accepted(
  acceptor: Acceptor,
  events: LinkEvents,
  from: Origin,
  open: Set<Connection>,
  host: Host,
  timing: Timing,
): SocketEvents {
  let connection: Connection | undefined;
  return {
    opened(socket) {
      connection = new Connection(socket, acceptorSide(acceptor, from, host), events, host, timing);
      open.add(connection);
    },
    message: (message) => connection?.received(message),
    closed(code, reason) {
      if (connection !== undefined) open.delete(connection);
      if (connection === undefined) events.down(undefined, new GcError("unavailable", "link.closed", reason));
      else connection.closed(code, reason);
    },
  };
}

/** The caller's events, with the door told how each knock ended. */
function watched(
  events: LinkEvents,
  door: Door,
  source: string | undefined,
  open: Set<Connection>,
  host: Host,
): LinkEvents {
  return {
    up(link) {
      door.proved(source);
      events.up(link);
    },
    messages: (link, messages) => events.messages(link, messages),
    down(link, reason) {
      if (link === undefined && faulty(reason)) door.failed(source, host.clock.monotonic());
      else if (link === undefined) door.left(source);
      else open.delete(link as Connection);
      events.down(link, reason);
    },
  };
}

function faulty(reason: GcError): boolean {
  return (
    reason.kind === "permission" ||
    reason.kind === "protocol" ||
    reason.kind === "data" ||
    reason.code === "link.timeout"
  );
}

function acceptorSide(acceptor: Acceptor, from: Origin, host: Host): AcceptorSide {
  const nonce = Buffer.from(host.random.bytes(32)).toString("hex");
  const hello: Hello = {
    t: "hello",
    proto: [...protocolRange],
    nonce,
    id: acceptor.id,
    software,
    ...(acceptor.record === undefined ? {} : { record: acceptor.record }),
    ...(acceptor.sign === undefined
      ? {}
      : { sig: signHello((bytes) => (acceptor.sign as typeof acceptor.sign & {})(bytes), nonce, acceptor.id) }),
  };
  return {
    kind: "acceptor",
    hello,
    epoch: acceptor.epoch,
    session: Buffer.from(host.random.bytes(16)).toString("hex"),
    features: acceptor.features,
    limits: acceptor.limits,
    time_ms: host.clock.now(),
    admit: (auth) => acceptor.admit(auth, hello, from),
  };
}

function start(where: Where, handlers: Parameters<typeof acceptSockets>[1]): Accepting {
  const place = "unix" in where ? where.unix : `${where.hostname}:${where.port}`;
  const umask = process.umask(0o077);
  try {
    const accepting = acceptSockets(where, handlers);
    if ("unix" in where) chmodSync(where.unix, 0o600);
    return accepting;
  } catch (error) {
    throw cannotListen(place, error);
  } finally {
    process.umask(umask);
  }
}

function cannotListen(place: string, error: unknown): GcError {
  const code = systemCode(error);
  const details = { cause: error };
  if (code === "EADDRINUSE") {
    return new GcError(
      "cannot_create",
      "listen.in_use",
      `Cannot listen on ${place}: something else listens there`,
      details,
    );
  }
  if (code === "ENAMETOOLONG") {
    return new GcError(
      "config",
      "listen.path_too_long",
      `Cannot listen on ${place}: the path is too long for a socket`,
      {
        ...details,
        hint: "Set GC_HOME to a shorter path",
      },
    );
  }
  const kind = code === "EACCES" || code === "EPERM" ? "permission" : "cannot_create";
  return new GcError(kind, "listen.failed", `Cannot listen on ${place}: ${messageOf(error)}`, details);
}

/** Removes a socket that a killed process left; one that answers stays. */
async function removeStale(path: string): Promise<void> {
  const found = lstatSync(path, { throwIfNoEntry: false });
  if (found === undefined) return;
  if (!found.isSocket()) {
    throw new GcError("cannot_create", "listen.in_use", `Cannot listen on ${path}: it exists and is not a socket`);
  }
  if (await answers(path)) throw cannotListen(path, Object.assign(new Error("in use"), { code: "EADDRINUSE" }));
  removeIfSame(path, found);
}

/** The module is loaded by listeners alone: a client has no use for it, and it costs a third of a millisecond. */
async function answers(path: string): Promise<boolean> {
  const { connect } = await import("node:net");
  return new Promise((resolve) => {
    const socket = connect(path);
    socket.once("connect", () => {
      socket.destroy();
      resolve(true);
    });
    socket.once("error", (error) => resolve(!["ECONNREFUSED", "ENOENT"].includes(systemCode(error) ?? "")));
  });
}

function removeIfSame(path: string, seen: Stats): void {
  const now = lstatSync(path, { throwIfNoEntry: false });
  if (now !== undefined && now.ino === seen.ino && now.dev === seen.dev) rmSync(path, { force: true });
}
