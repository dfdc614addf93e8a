/**
 * WebSockets as the wire wants them: binary messages in and out, over a Unix socket, TCP or TLS, through a proxy or
 * not. The only file that knows which library does it: `Bun.serve` accepts, npm `ws` dials, which Bun replaces by its
 * own implementation, also in the executable (bun.md §5). No session, no heartbeat, no retry here.
 */
import { constants } from "node:crypto";
import { closeSync, openSync, statSync } from "node:fs";
import { basename, dirname } from "node:path";
import { type ClientOptions, WebSocket as DialledSocket } from "ws";
import { GcError, messageOf, systemCode } from "../errors.ts";
import { frameBytesMax, partBytes } from "../limits.ts";
import { proxyFor } from "./proxy.ts";

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

/** Where to dial. */
export type DialTarget =
  | { kind: "unix"; path: string }
  | { kind: "url"; url: URL; ca_pem?: string; env: { readonly [name: string]: string | undefined } };

/** Names that the operating system and Bun give to "no way there now". */
const refusalHints: { readonly [code: string]: string } = {
  ENOENT: "nothing listens there",
  ECONNREFUSED: "nothing listens there",
  ENOTFOUND: "the name is not known",
  ETIMEDOUT: "it does not answer",
  ECONNRESET: "it hung up",
};

/** Codes of OpenSSL and Node for a certificate that does not hold. */
const certificateTrouble =
  /CERT|SELF_SIGNED|SIGNATURE|ISSUER|HOSTNAME_MISMATCH|INVALID_CA|INVALID_PURPOSE|ALTNAME|TLS|SSL/;

/** The certificate of gc relays names this host, whatever the address (access/certificate.ts). */
const pinnedName = "gc-relay";

/**
 * Opens a WebSocket. Either `events.opened` and at the end `events.closed` are called, or `failed` alone, once.
 * @returns a function that gives up; no event comes after it.
 */
export function dial(target: DialTarget, events: SocketEvents, failed: (error: GcError) => void): () => void {
  const way = wayTo(target);
  const socket = new DialledSocket(way.url, way.options);
  socket.binaryType = "nodebuffer";
  let state: "dialling" | "open" | "over" = "dialling";
  const fail = (error: GcError): void => {
    if (state !== "dialling") return;
    state = "over";
    way.done();
    failed(error);
  };
  socket.on("open", () => {
    if (state !== "dialling") return;
    state = "open";
    way.done();
    events.opened(asSocket(socket));
  });
  socket.on("message", (data: Buffer, isBinary: boolean) => {
    if (state !== "open") return;
    events.message(isBinary ? new Uint8Array(data.buffer, data.byteOffset, data.byteLength) : undefined);
  });
  socket.on("unexpected-response", (_request, response) => {
    fail(answeredOtherwise(way.place, response.statusCode ?? 0, response.headers["retry-after"]));
    socket.terminate();
  });
  socket.on("error", (error: unknown) => fail(unreachable(way.place, error)));
  socket.on("close", (code: number, reason: Buffer) => {
    fail(new GcError("unavailable", "link.unreachable", `Cannot reach ${way.place}: the connection was closed`));
    if (state !== "open") return;
    state = "over";
    events.closed(code, reason.toString());
  });
  return () => {
    if (state === "dialling") way.done();
    state = "over";
    socket.terminate();
  };
}

function asSocket(socket: DialledSocket): Socket {
  return {
    send(message) {
      if (socket.readyState !== DialledSocket.OPEN) return false;
      socket.send(message, noCallback);
      return true;
    },
    buffered: () => socket.bufferedAmount,
    close: (code, reason) => socket.close(code, reason),
    terminate: () => socket.terminate(),
  };
}

/** Without a callback, `ws` throws when the socket closes under a send; closing is reported by its own event. */
const noCallback = (): void => {};

interface Way {
  url: string;
  /** Those of `ws`, and what Bun adds to them. */
  options: ClientOptions & { tls?: { ca: string; serverName: string }; proxy?: { url: string; tls: object } };
  /** For people. */
  place: string;
  /** Frees what dialling needed. */
  done(): void;
}

function wayTo(target: DialTarget): Way {
  const options: Way["options"] = { maxPayload: partBytes, perMessageDeflate: false };
  if (target.kind === "unix") {
    checkOwner(target.path);
    return { ...unixUrl(target.path), options, place: `socket ${target.path}` };
  }
  const url = new URL(target.url);
  url.protocol = url.protocol === "https:" || url.protocol === "wss:" ? "wss:" : "ws:";
  url.pathname = `${url.pathname.replace(/\/+$/, "")}/${linkPath}`;
  if (target.ca_pem !== undefined) options.tls = { ca: target.ca_pem, serverName: pinnedName };
  const proxy = proxyFor(target.url, target.env);
  // Its own `tls`, else the pinned certificate would be asked of an https proxy too.
  if (proxy !== undefined) options.proxy = { url: proxy, tls: {} };
  const place = proxy === undefined ? target.url.host : `${target.url.host} through proxy ${new URL(proxy).host}`;
  return { url: url.href, options, place, done: () => {} };
}

/**
 * A socket proves who listens by who could have made it: this user, or root. (A worker has no other proof of its
 * endpoint, PROTOCOL.md.)
 */
function checkOwner(path: string): void {
  const owner = statSync(path, { throwIfNoEntry: false })?.uid;
  // Without the cost of dialling: a worker may wait for its endpoint for days.
  if (owner === undefined)
    throw unreachable(`socket ${path}`, Object.assign(new Error("no such file"), { code: "ENOENT" }));
  if (owner === 0 || owner === process.getuid?.()) return;
  const message = `The socket ${path} belongs to another user (uid ${owner})`;
  throw new GcError("permission", "link.foreign_socket", message, { hint: `ls -l ${path}` });
}

/** `ws+unix:` splits at the first colon, so a path with one is reached through its directory's descriptor (Linux). */
function unixUrl(path: string): { url: string; done: () => void } {
  if (!path.includes(":")) return { url: `ws+unix://${path}:/${linkPath}`, done: () => {} };
  let directory: number;
  try {
    directory = openSync(dirname(path), "r");
  } catch (error) {
    throw unreachable(`socket ${path}`, error);
  }
  return {
    url: `ws+unix:///proc/self/fd/${directory}/${basename(path)}:/${linkPath}`,
    done: () => closeSync(directory),
  };
}

function unreachable(place: string, error: unknown): GcError {
  const code = systemCode(error);
  // Bun puts the URL in front of some of its sentences.
  const sentence = messageOf(error).replace(/^WebSocket connection to '[^']*' failed: /, "");
  if (code !== undefined && certificateTrouble.test(code)) {
    return new GcError(
      "permission",
      "link.certificate",
      `The certificate of ${place} is not the one that is trusted: ${sentence}`,
      { hint: "Ask who runs it; if it really was set up anew, use a new invite: gc login INVITE", cause: error },
    );
  }
  if (/^Proxy .*\b407\b/.test(sentence)) return proxyDenied(place, error);
  const why = (code === undefined ? undefined : refusalHints[code]) ?? sentence;
  return new GcError("unavailable", "link.unreachable", `Cannot reach ${place}: ${why}`, {
    hint: "gc doctor",
    cause: error,
  });
}

function proxyDenied(place: string, cause: unknown): GcError {
  return new GcError("permission", "link.proxy_denied", `Cannot reach ${place}: it wants a name and a password`, {
    hint: "HTTPS_PROXY=http://USER:PASSWORD@HOST:PORT gc …",
    cause,
  });
}

function answeredOtherwise(place: string, status: number, retryAfter: string | undefined): GcError {
  const seconds = Number(retryAfter);
  if (status === 429 || status === 503) {
    const details = Number.isFinite(seconds) ? { retry_after_ms: seconds * 1000 } : {};
    return new GcError("temporary", "link.busy", `${place} is busy (HTTP ${status})`, details);
  }
  if (status >= 500) {
    return new GcError("unavailable", "link.unreachable", `${place} answered HTTP ${status}`, { hint: "gc doctor" });
  }
  return new GcError("protocol", "link.not_gc", `What answers at ${place} is not a gc relay (HTTP ${status})`, {
    hint: "gc context list",
  });
}

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
