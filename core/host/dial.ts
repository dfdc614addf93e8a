/**
 * Dials WebSockets. A Unix socket by the runtime's own client: it starts in half the time of a library and copies less,
 * and every short command pays for it. A URL by npm `ws`, which Bun replaces by its own implementation, also in the
 * executable (bun.md §5): it shows how a server refused, and a proxy can be given to it.
 */
import { closeSync, openSync, statSync } from "node:fs";
import type { ClientOptions, WebSocket as LibrarySocket } from "ws";
import { GcError, messageOf, systemCode } from "../errors.ts";
import { partBytes } from "../limits.ts";
import { basename, dirname } from "./path.ts";
import { proxyFor } from "./proxy.ts";
import { linkPath, type Socket, type SocketEvents } from "./websocket.ts";

/** Where to dial. */
export type DialTarget = { kind: "unix" | "mailbox"; path: string } | UrlTarget;

interface UrlTarget {
  kind: "url";
  url: URL;
  ca_pem?: string;
  env: { readonly [name: string]: string | undefined };
}

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
 * Opens a WebSocket, or what serves as one. Either `events.opened` and at the end `events.closed` are called, or
 * `failed` alone, once.
 * @returns a function that gives up; no event comes after it.
 * @throws GcError when there is nothing to dial.
 */
export function dial(target: DialTarget, events: SocketEvents, failed: (error: GcError) => void): () => void {
  if (target.kind === "url") return dialUrl(target, events, failed);
  return target.kind === "unix" ? dialUnix(target.path, events, failed) : dialMailboxLate(target.path, events, failed);
}

/** Loaded by those alone who need it. */
function dialMailboxLate(path: string, events: SocketEvents, failed: (error: GcError) => void): () => void {
  let giveUp: (() => void) | undefined;
  let over = false;
  void import("./mailbox.ts").then(({ dialMailbox }) => {
    if (!over) giveUp = dialMailbox(path, events, failed);
  });
  return () => {
    over = true;
    giveUp?.();
  };
}

function dialUnix(path: string, events: SocketEvents, failed: (error: GcError) => void): () => void {
  checkOwner(path);
  const place = `socket ${path}`;
  const { url, done } = unixUrl(path);
  const socket = new WebSocket(url, { maxPayload: partBytes, perMessageDeflate: false } as never) as OwnSocket;
  socket.binaryType = "arraybuffer";
  let state: "dialling" | "open" | "over" = "dialling";
  let why: unknown = "the connection was closed";
  socket.onopen = () => {
    if (state !== "dialling") return;
    state = "open";
    done();
    events.opened(asSocket(socket));
  };
  socket.onmessage = ({ data }) => {
    if (state === "open") events.message(typeof data === "string" ? undefined : new Uint8Array(data));
  };
  socket.onerror = (event) => {
    const { error, message } = event as ErrorEvent;
    why = error ?? message;
  };
  socket.onclose = ({ code, reason }) => {
    const before = state;
    state = "over";
    if (before === "open") events.closed(code, reason);
    if (before !== "dialling") return;
    done();
    const status = /Expected 101 status code: (\d+)/.exec(messageOf(why))?.[1];
    failed(status === undefined ? unreachable(place, why) : answeredOtherwise(place, Number(status), undefined));
  };
  return () => {
    if (state === "dialling") done();
    state = "over";
    socket.terminate();
  };
}

/** The library is loaded by those alone who need it. */
function dialUrl(target: UrlTarget, events: SocketEvents, failed: (error: GcError) => void): () => void {
  const way = wayTo(target);
  let over = false;
  let giveUp = (): void => {
    over = true;
  };
  void import("ws").then(({ WebSocket }) => {
    if (over) return;
    try {
      giveUp = dialWay(new WebSocket(way.url, way.options), way.place, events, failed);
    } catch (error) {
      failed(unreachable(way.place, error));
    }
  });
  return () => giveUp();
}

function dialWay(
  socket: LibrarySocket,
  place: string,
  events: SocketEvents,
  failed: (error: GcError) => void,
): () => void {
  socket.binaryType = "nodebuffer";
  let state: "dialling" | "open" | "over" = "dialling";
  const fail = (error: GcError): void => {
    if (state !== "dialling") return;
    state = "over";
    failed(error);
  };
  socket.on("open", () => {
    if (state !== "dialling") return;
    state = "open";
    events.opened(asSocket(socket));
  });
  socket.on("message", (data: Buffer, isBinary: boolean) => {
    if (state !== "open") return;
    events.message(isBinary ? new Uint8Array(data.buffer, data.byteOffset, data.byteLength) : undefined);
  });
  socket.on("unexpected-response", (_request, response) => {
    fail(answeredOtherwise(place, response.statusCode ?? 0, response.headers["retry-after"]));
    socket.terminate();
  });
  socket.on("error", (error: unknown) => fail(unreachable(place, error)));
  socket.on("close", (code: number, reason: Buffer) => {
    fail(new GcError("unavailable", "link.unreachable", `Cannot reach ${place}: the connection was closed`));
    if (state !== "open") return;
    state = "over";
    events.closed(code, reason.toString());
  });
  return () => {
    state = "over";
    socket.terminate();
  };
}

function asSocket(socket: OwnSocket | LibrarySocket): Socket {
  return {
    send(message) {
      if (socket.readyState !== open) return false;
      // Without a callback, `ws` throws when the socket closes under a send; closing is reported by its own event.
      (socket as LibrarySocket).send(message, noCallback);
      return true;
    },
    buffered: () => socket.bufferedAmount,
    close: (code, reason) => socket.close(code, reason),
    terminate: () => socket.terminate(),
  };
}

/** The runtime's own client, with what it has beyond the standard. */
type OwnSocket = WebSocket & { terminate(): void };

/** `readyState` of a WebSocket that is open. */
const open = 1;
const noCallback = (): void => {};

interface Way {
  url: string;
  /** Those of `ws`, and what Bun adds to them. */
  options: ClientOptions & { tls?: { ca: string; serverName: string }; proxy?: { url: string; tls: object } };
  /** For people. */
  place: string;
}

function wayTo(target: UrlTarget): Way {
  const options: Way["options"] = { maxPayload: partBytes, perMessageDeflate: false };
  const url = new URL(target.url);
  url.protocol = url.protocol === "https:" || url.protocol === "wss:" ? "wss:" : "ws:";
  url.pathname = `${url.pathname.replace(/\/+$/, "")}/${linkPath}`;
  if (target.ca_pem !== undefined) options.tls = { ca: target.ca_pem, serverName: pinnedName };
  const proxy = proxyFor(target.url, target.env);
  // Its own `tls`, else the pinned certificate would be asked of an https proxy too.
  if (proxy !== undefined) options.proxy = { url: proxy, tls: {} };
  const place = proxy === undefined ? target.url.host : `${target.url.host} through proxy ${new URL(proxy).host}`;
  return { url: url.href, options, place };
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
