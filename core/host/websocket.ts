/**
 * WebSockets as the wire wants them: binary messages in and out, over a Unix socket, TCP or TLS. Here is what both
 * sides share, and the side that accepts, with `Bun.serve`; the side that dials is `dial.ts`. No session, no heartbeat,
 * no retry here.
 */
import { constants } from "node:crypto";
import { frameBytesMax, partBytes } from "../limits.ts";

/** One WebSocket, from either side. */
export interface Socket {
  /** Queues a binary message of at most `partBytes`. False: it is closed, or the message could not be queued. */
  send(message: Uint8Array<ArrayBuffer>): boolean;
  /** Bytes queued here that the operating system has not taken. */
  buffered(): number;
  /** Sends what is queued, then a close frame. */
  close(code: number, reason: string): void;
  /** Ends it at once; what is queued is forgotten. */
  terminate(): void;
}

/** What a socket reports. After `closed` there is nothing more. */
export interface SocketEvents {
  opened(socket: Socket): void;
  /** `undefined` for a text message. */
  message(message: Uint8Array | undefined): void;
  closed(code: number, reason: string): void;
}

/** Path of the WebSocket under the acceptor's address. */
export const linkPath = "v1/link";

/** Where to accept. Without `tls`, TCP is for loopback, or `behind_proxy`, where something else speaks TLS. */
export type Where =
  | { unix: string }
  | { hostname: string; port: number; tls?: { key: string; cert: string }; behind_proxy?: boolean };

/** Where a connection came from. `local`: a Unix socket; loopback TCP is not local, other users reach it too. */
export interface Origin {
  local: boolean;
  /** Address of the other side, "unix" for a Unix socket. */
  remote: string;
}

/** What the owner of a listener decides. */
export interface AcceptHandlers {
  /** A WebSocket wants in: the events of its life, or a number of seconds after which it may try again. */
  accept(from: Origin): SocketEvents | { retry_after_s: number };
  /** Any other request. */
  http(request: Request, from: Origin): Response | Promise<Response>;
  /** A handler threw: our bug. */
  broken(error: unknown): void;
}

/** A listener. `stop` closes every connection. */
export interface Accepting {
  port?: number;
  stop(): Promise<void>;
}

interface Accepted {
  events: SocketEvents;
}

/** Seconds that an HTTP request may stand still. */
const httpIdle_s = 30;
const onlyTls13 = constants.SSL_OP_NO_TLSv1 | constants.SSL_OP_NO_TLSv1_1 | constants.SSL_OP_NO_TLSv1_2;
/** More than the wire ever lets a socket buffer, so that Bun never drops a frame by itself. */
const neverDrop = 1024 * 1024 * 1024;

/**
 * Accepts WebSockets under `/v1/link`, and everything else as HTTP. Browsers are kept out of the link: a page of
 * another site could open one in the name of its visitor, so any `Origin` is refused.
 * @throws the error of the operating system.
 */
export function acceptSockets(where: Where, handlers: AcceptHandlers): Accepting {
  const behindProxy = "hostname" in where && where.behind_proxy === true;
  const originOf = (request: Request, server: Bun.Server<Accepted>): Origin => {
    if ("unix" in where) return { local: true, remote: "unix" };
    const forwarded = behindProxy ? request.headers.get("x-forwarded-for")?.split(",").at(-1)?.trim() : undefined;
    return { local: false, remote: forwarded || (server.requestIP(request)?.address ?? "unknown") };
  };
  const common = {
    maxRequestBodySize: frameBytesMax,
    fetch(request: Request, server: Bun.Server<Accepted>): Response | Promise<Response> | undefined {
      const from = originOf(request, server);
      if (!wantsLink(request)) return handlers.http(request, from);
      if (request.headers.has("origin")) return new Response("No browsers on this path\n", { status: 403 });
      const events = handlers.accept(from);
      if ("retry_after_s" in events) {
        const headers = { "retry-after": String(Math.ceil(events.retry_after_s)) };
        return new Response("Too many connections; try again later\n", { status: 503, headers });
      }
      if (server.upgrade(request, { data: { events } })) return undefined;
      events.closed(1006, "the upgrade failed");
      return new Response("This is a WebSocket\n", { status: 426 });
    },
    error(error: Error): Response {
      handlers.broken(error);
      return new Response("Internal error\n", { status: 500 });
    },
    websocket: websocketHandlers(handlers),
  };
  const server =
    "unix" in where
      ? Bun.serve<Accepted>({ ...common, unix: where.unix })
      : Bun.serve<Accepted>({
          ...common,
          idleTimeout: httpIdle_s,
          hostname: where.hostname,
          port: where.port,
          ...(where.tls === undefined ? {} : { tls: { ...where.tls, secureOptions: onlyTls13 } }),
        });
  const stop = (): Promise<void> => server.stop(true);
  return server.port === undefined ? { stop } : { port: server.port, stop };
}

function wantsLink(request: Request): boolean {
  if (request.headers.get("upgrade")?.toLowerCase() !== "websocket") return false;
  return new URL(request.url).pathname.endsWith(`/${linkPath}`);
}

function websocketHandlers(handlers: AcceptHandlers): Bun.WebSocketHandler<Accepted> {
  return {
    maxPayloadLength: partBytes,
    backpressureLimit: neverDrop,
    perMessageDeflate: false,
    idleTimeout: 0,
    sendPings: false,
    open(ws) {
      ws.data.events.opened(asAcceptedSocket(ws));
    },
    message(ws, data) {
      ws.data.events.message(
        typeof data === "string" ? undefined : new Uint8Array(data.buffer, data.byteOffset, data.byteLength),
      );
    },
    close(ws, code, reason) {
      ws.data.events.closed(code, reason);
    },
    error(error, ws) {
      handlers.broken(error);
      ws.close(1011, "internal error");
    },
  };
}

function asAcceptedSocket(ws: Bun.ServerWebSocket<Accepted>): Socket {
  return {
    send: (message) => ws.readyState === 1 && ws.sendBinary(message) !== 0,
    buffered: () => ws.getBufferedAmount(),
    close: (code, reason) => ws.close(code, reason),
    terminate: () => ws.terminate(),
  };
}
