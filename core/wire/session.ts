/**
 * The session on top of a connection: hello, auth, welcome or refuse, then messages and a heartbeat. Pure: messages and
 * times go in, effects come out; it never touches a socket, a clock or a key (what needs a key comes as a function).
 * One class for both sides, so that what they agree on is written once:
 *
 *     opener:    hello ──► welcome ──► up        (waits for hello, sends auth, waits for welcome)
 *     acceptor:  auth ──────────────► up         (sends hello, waits for auth, sends welcome or refuse)
 *     either:    any state ─────────► over
 */
import { GcError } from "../errors.ts";
import {
  authTimeout_ms,
  frameBytesBeforeAuthMax,
  mailboxTimeout_ms,
  pingEvery_ms,
  pingLocalEvery_ms,
  silence_ms,
} from "../limits.ts";
import type { KeyRecord } from "../schema/envelope.ts";
import {
  type Auth,
  type Hello,
  protocolRange,
  type Refuse,
  type Welcome,
  type WireError,
} from "../schema/session_message.ts";
import { fits, parse } from "../schema/validate.ts";
import { decodeFrame, type Frameable } from "./codec.ts";
import type { Peer } from "./link.ts";
import { Assembler, isHead } from "./parts.ts";
import { fromWireError, toRefuse, toWireError } from "./wire_error.ts";

/** What the opener says of itself, and how it proves it. */
export interface OpenerSide {
  kind: "opener";
  role: Auth["role"];
  id: string;
  record?: KeyRecord;
  instance: string;
  name?: string;
  invite?: string;
  software: string;
  local: boolean;
  /** @throws GcError when this is not the acceptor we wanted. */
  check(hello: Hello): void;
  prove(hello: Hello, proto: number): string;
}

/** What the acceptor says, and how it decides. */
export interface AcceptorSide {
  kind: "acceptor";
  hello: Hello;
  epoch: string;
  /** Name of this session. */
  session: string;
  features: string[];
  limits: { [name: string]: number };
  /** Wall clock at the start, for `welcome`. */
  time_ms: number;
  /** @throws GcError to refuse. */
  admit(auth: Auth): Peer;
}

/** What to do. Effects are to be performed in order; nothing follows a `close`. */
export type SessionEffect =
  | { kind: "send"; messages: Frameable[] }
  | { kind: "up"; peer: Peer; welcome: Welcome }
  | { kind: "messages"; messages: Frameable[] }
  /** A message that asks for nothing, worth a line in the log. */
  | { kind: "note"; error: GcError }
  | { kind: "close"; code: number; error: GcError };

/** How a session may be timed; production uses the values of `limits.ts`. */
export interface Timing {
  auth_ms: number;
  ping_ms: number;
  silence_ms: number;
}

/** Over networks. */
export const ordinaryTiming: Timing = { auth_ms: authTimeout_ms, ping_ms: pingEvery_ms, silence_ms };

/** Over a Unix socket no proxy cuts what is idle, and the kernel reports an end: half of the pings will do. */
export const localTiming: Timing = { ...ordinaryTiming, ping_ms: pingLocalEvery_ms };

/** Through a shared folder: what one side leaves there, the other may see a minute later. */
export const mailboxTiming: Timing = {
  auth_ms: mailboxTimeout_ms,
  ping_ms: 2 * pingEvery_ms,
  silence_ms: 5 * silence_ms,
};

/** WebSocket close codes of gc. */
export const closeCodes = {
  ended: 1000,
  malformed: 4000,
  refused: 4001,
  silent: 4002,
  timeout: 4003,
  version: 4004,
} as const;

/**
 * The acceptor counts on the opener's pings and asks only when they are missing, after this part of the silence that
 * means death; so an idle link costs it next to nothing.
 */
const acceptorPatience = 0.75;

type Phase = "hello" | "auth" | "welcome" | "up" | "over";

/** One session. Times are of a monotonic clock, in milliseconds. */
export class Session {
  #phase: Phase;
  #heard_ms: number;
  #pinged_ms: number | undefined;
  #proto = 0;
  #hello: Hello | undefined;
  readonly #assembler = new Assembler();
  readonly #side: OpenerSide | AcceptorSide;
  readonly #timing: Timing;
  readonly #range: readonly [number, number];
  readonly #deadline_ms: number;
  readonly #ping_ms: number;

  constructor(
    side: OpenerSide | AcceptorSide,
    now_ms: number,
    timing: Timing = ordinaryTiming,
    range: readonly [number, number] = protocolRange,
  ) {
    this.#side = side;
    this.#timing = timing;
    this.#range = range;
    this.#phase = side.kind === "opener" ? "hello" : "auth";
    this.#heard_ms = now_ms;
    this.#deadline_ms = now_ms + timing.auth_ms;
    this.#ping_ms = side.kind === "opener" ? timing.ping_ms : timing.silence_ms * acceptorPatience;
  }

  /** Whether messages flow. */
  get up(): boolean {
    return this.#phase === "up";
  }

  /** The acceptor's first word; nothing for the opener. */
  start(out: SessionEffect[]): void {
    if (this.#side.kind === "acceptor") out.push({ kind: "send", messages: [this.#side.hello] });
  }

  /** When `tick` is next worth calling. */
  get due_ms(): number {
    if (this.#phase === "over") return Number.POSITIVE_INFINITY;
    if (this.#phase !== "up") return this.#deadline_ms;
    if (this.#pinged_ms !== undefined) return this.#pinged_ms + this.#timing.silence_ms - this.#ping_ms;
    return this.#heard_ms + this.#ping_ms;
  }

  /** Time has passed. Death needs an unanswered ping: a process that was itself frozen asks before it concludes. */
  tick(now_ms: number, out: SessionEffect[]): void {
    if (now_ms < this.due_ms) return;
    if (this.#phase !== "up") {
      const seconds = this.#timing.auth_ms / 1000;
      const error = new GcError(
        "unavailable",
        "link.timeout",
        `The other side did not open the session in ${seconds} s`,
      );
      this.#close(closeCodes.timeout, error, out);
    } else if (this.#pinged_ms === undefined) {
      this.#pinged_ms = now_ms;
      out.push({ kind: "send", messages: [{ t: "ping" }] });
    } else {
      const seconds = Math.round((now_ms - this.#heard_ms) / 1000);
      const error = new GcError("unavailable", "link.silent", `Nothing was heard from the other side for ${seconds} s`);
      this.#close(closeCodes.silent, error, out);
    }
  }

  /** What we sent is on its way, though nothing came back: a slow line is not a dead one. */
  progress(now_ms: number): void {
    if (this.#pinged_ms !== undefined) this.#pinged_ms = now_ms;
  }

  /** A WebSocket message came; `undefined` stands for a text message, which gc never sends. */
  message(message: Uint8Array | undefined, now_ms: number, out: SessionEffect[]): void {
    if (this.#phase === "over") return;
    this.#heard_ms = now_ms;
    this.#pinged_ms = undefined;
    try {
      if (message === undefined) throw malformed("text, but frames are binary");
      if (!this.#proved && (message.byteLength > frameBytesBeforeAuthMax || isHead(message))) {
        throw new GcError(
          "protocol",
          "wire.too_large",
          `Before the session is open, a frame has at most ${frameBytesBeforeAuthMax} bytes`,
        );
      }
      const frame = this.#assembler.take(message);
      if (frame === undefined) return;
      const messages = decodeFrame(frame);
      if (this.#phase === "up") this.#established(messages, out);
      else this.#opening(messages, out);
    } catch (error) {
      if (!(error instanceof GcError)) throw error;
      this.#fail(error, out);
    }
  }

  /** Whether the other side has shown who it is. */
  get #proved(): boolean {
    return this.#phase === "up" || this.#phase === "welcome";
  }

  /** Ends the session from this side; what is queued before is still sent. */
  end(): void {
    this.#phase = "over";
  }

  #opening(messages: Frameable[], out: SessionEffect[]): void {
    for (const [at, message] of messages.entries()) {
      if (this.#phase === "up") return this.#established(messages.slice(at), out);
      if (this.#phase === "over") return;
      if (this.#side.kind === "acceptor") this.#accept(this.#side, message, out);
      else this.#open(this.#side, message, out);
    }
  }

  #open(side: OpenerSide, message: Frameable, out: SessionEffect[]): void {
    if (message.t === "refuse" && fits("refuse", message)) {
      return this.#close(closeCodes.refused, fromWireError(message as Refuse, "permission"), out);
    }
    if (message.t === "error" && fits("error", message)) {
      return this.#close(closeCodes.ended, fromWireError(message as WireError), out);
    }
    if (this.#phase === "hello") {
      const hello = parse("hello", expected(message, "hello"), "hello of the other side");
      const proto = this.#pick(hello);
      side.check(hello);
      this.#hello = hello;
      this.#proto = proto;
      this.#phase = "welcome";
      out.push({ kind: "send", messages: [authOf(side, hello, proto)] });
      return;
    }
    const welcome = parse("welcome", expected(message, "welcome"), "welcome of the other side");
    if (welcome.proto !== this.#proto)
      throw malformed(`a welcome in version ${welcome.proto} instead of ${this.#proto}`);
    this.#phase = "up";
    out.push({ kind: "up", peer: peerOf(side, this.#hello as Hello, welcome), welcome });
  }

  #accept(side: AcceptorSide, message: Frameable, out: SessionEffect[]): void {
    const auth = parse("auth", expected(message, "auth"), "auth of the other side");
    const [low, high] = this.#range;
    if (auth.proto < low || auth.proto > high) throw noCommonVersion([auth.proto, auth.proto], this.#range);
    let peer: Peer;
    try {
      peer = side.admit(auth);
    } catch (error) {
      if (!(error instanceof GcError)) throw error;
      return this.#refuse(error, out);
    }
    const welcome: Welcome = {
      t: "welcome",
      proto: auth.proto,
      epoch: side.epoch,
      session: side.session,
      time_ms: side.time_ms,
      features: side.features,
      limits: side.limits,
    };
    this.#phase = "up";
    out.push({ kind: "send", messages: [welcome] }, { kind: "up", peer, welcome });
  }

  #established(messages: Frameable[], out: SessionEffect[]): void {
    let own = false;
    for (const { t } of messages) own ||= t in sessionMessages;
    if (!own) {
      out.push({ kind: "messages", messages });
      return;
    }
    const others: Frameable[] = [];
    for (const message of messages) {
      if (!(message.t in sessionMessages)) others.push(message);
      else if (message.t === "ping") out.push({ kind: "send", messages: [{ t: "pong" }] });
      else if (message.t === "error") this.#error(message, others, out);
      else if (message.t !== "pong") {
        const error = new GcError(
          "protocol",
          "message.unexpected",
          `The message "${message.t}" came when the session was up`,
        );
        out.push({ kind: "send", messages: [toWireError(error)] });
      }
    }
    if (others.length > 0) out.push({ kind: "messages", messages: others });
  }

  /** An error that answers a request is the asker's; any other ends here, or two sides could send errors for ever. */
  #error(message: Frameable, others: Frameable[], out: SessionEffect[]): void {
    if (!fits("error", message)) return;
    if ((message as WireError).re !== undefined) others.push(message);
    else out.push({ kind: "note", error: fromWireError(message as WireError) });
  }

  #pick(hello: Hello): number {
    const [low, high] = this.#range;
    const theirs: readonly [number, number] = [hello.proto[0] ?? 0, hello.proto[1] ?? 0];
    const best = Math.min(high, theirs[1]);
    if (best < Math.max(low, theirs[0])) throw noCommonVersion(this.#range, theirs);
    return best;
  }

  /** Trouble with what the other side sent: say so, then end. */
  #fail(error: GcError, out: SessionEffect[]): void {
    if (this.#side.kind === "acceptor" && this.#phase === "auth") return this.#refuse(error, out);
    if (error.kind === "protocol" || error.kind === "data") out.push({ kind: "send", messages: [toWireError(error)] });
    const code = error.code === "link.version" ? closeCodes.version : closeCodes.malformed;
    this.#close(error.kind === "permission" ? closeCodes.refused : code, error, out);
  }

  #refuse(error: GcError, out: SessionEffect[]): void {
    out.push({ kind: "send", messages: [toRefuse(error)] });
    this.#close(closeCodes.refused, error, out);
  }

  #close(code: number, error: GcError, out: SessionEffect[]): void {
    this.#phase = "over";
    out.push({ kind: "close", code, error });
  }
}

/** Messages that the session itself answers. */
const sessionMessages: { readonly [t: string]: true } = Object.assign(Object.create(null), {
  hello: true,
  auth: true,
  welcome: true,
  refuse: true,
  error: true,
  ping: true,
  pong: true,
});

function authOf(side: OpenerSide, hello: Hello, proto: number): Auth {
  return {
    t: "auth",
    proto,
    role: side.role,
    id: side.id,
    proof: side.prove(hello, proto),
    instance: side.instance,
    software: side.software,
    ...(side.record === undefined ? {} : { record: side.record }),
    ...(side.name === undefined ? {} : { name: side.name }),
    ...(side.invite === undefined ? {} : { invite: side.invite }),
  };
}

function peerOf(side: OpenerSide, hello: Hello, welcome: Welcome): Peer {
  return {
    role: side.role === "worker" ? "endpoint" : "relay",
    id: hello.id,
    ...(hello.record === undefined ? {} : { record: hello.record }),
    instance: welcome.epoch,
    local: side.local,
  };
}

function expected(message: Frameable, t: string): Frameable {
  if (message.t === t) return message;
  throw malformed(`"${message.t.slice(0, 64)}" where "${t}" was due`);
}

function malformed(what: string): GcError {
  return new GcError("protocol", "wire.malformed", `The frame is malformed: ${what}`);
}

function noCommonVersion(opener: readonly [number, number], acceptor: readonly [number, number]): GcError {
  const spell = ([low, high]: readonly [number, number]): string => (low === high ? `${low}` : `${low} to ${high}`);
  const older = opener[1] < acceptor[0] ? "opened" : "accepted";
  return new GcError(
    "protocol",
    "link.version",
    `No common protocol version: who opened the link speaks ${spell(opener)}, who accepted it ${spell(acceptor)}`,
    { hint: `Update gc where the link was ${older}: gc --version` },
  );
}
