/**
 * One WebSocket with its session: feeds frames and times into the pure `Session`, performs what it decides, and is the
 * `Link` that living parts hold once the session is up. What is sent in one turn of the event loop leaves as one frame:
 * the flush is a microtask, so nothing waits for a timer. Never dials and never retries.
 */
import { assert } from "../assert.ts";
import { GcError, messageOf } from "../errors.ts";
import type { Host } from "../host/host.ts";
import type { Socket } from "../host/websocket.ts";
import { frameBytesMax, partBytes, windowBytes } from "../limits.ts";
import type { Welcome } from "../schema/session_message.ts";
import { emptyFrameBytes, type Frameable, joinFrame, type Packed, packMessage } from "./codec.ts";
import type { Link, LinkEvents, Peer } from "./link.ts";
import { partsOf } from "./parts.ts";
import {
  type AcceptorSide,
  closeCodes,
  type OpenerSide,
  ordinaryTiming,
  Session,
  type SessionEffect,
  type Timing,
} from "./session.ts";
import { toWireError } from "./wire_error.ts";

/** Bytes that wait for a reader at most; then it is "slow" and loses the link. */
export const bufferedMax = 4 * windowBytes;
/** Time for the close handshake, before the socket is simply dropped. */
const closeTimeout_ms = 2000;

/** A connection from the moment the WebSocket is open. */
export class Connection implements Link {
  readonly #socket: Socket;
  readonly #events: LinkEvents;
  readonly #host: Host;
  readonly #session: Session;
  #peer: Peer | undefined;
  #welcome: Welcome | undefined;
  #over = false;
  #packed: Packed[] = [];
  #packedBytes = 0;
  #flushing = false;
  /** Bytes handed to the socket, and how many of them it had passed on at the last look. */
  #handed = 0;
  #taken = 0;
  #hadBacklog = false;
  #stopTimer: () => void = () => {};
  /** What the timer is armed for. */
  #armed_ms = 0;

  /** @param events `down` is called once, with undefined when the session never was up. */
  constructor(
    socket: Socket,
    side: OpenerSide | AcceptorSide,
    events: LinkEvents,
    host: Host,
    timing: Timing = ordinaryTiming,
  ) {
    this.#socket = socket;
    this.#events = events;
    this.#host = host;
    this.#session = new Session(side, host.clock.monotonic(), timing);
    const out: SessionEffect[] = [];
    this.#session.start(out);
    this.#perform(out);
    this.#arm();
  }

  get peer(): Peer {
    assert(this.#peer !== undefined, "A link is used only once it is up");
    return this.#peer;
  }

  get session(): string {
    return this.#welcome?.session ?? "";
  }

  get epoch(): string {
    return this.#welcome?.epoch ?? "";
  }

  get limits(): { readonly [name: string]: number } {
    return this.#welcome?.limits ?? {};
  }

  get features(): readonly string[] {
    return this.#welcome?.features ?? [];
  }

  send(messages: readonly Frameable[]): void {
    if (this.#over) return;
    const packed = messages.map(packMessage);
    const large = packed.findIndex((each) => emptyFrameBytes + each.frame_bytes > frameBytesMax);
    if (large >= 0) throw tooLarge(messages[large] as Frameable, (packed[large] as Packed).frame_bytes);
    this.#queue(packed);
  }

  buffered(): number {
    return this.#over ? 0 : this.#packedBytes + this.#socket.buffered();
  }

  close(reason = "closed here"): void {
    this.#end(closeCodes.ended, new GcError("unavailable", "link.closed", `The link was closed: ${reason}`));
  }

  /** The socket received a message; undefined: text. */
  received(message: Uint8Array | undefined): void {
    if (this.#over) return;
    const out: SessionEffect[] = [];
    this.#session.message(message, this.#host.clock.monotonic(), out);
    this.#perform(out);
    // After a pong, the next ping is due before the end that the ping had armed.
    if (this.#session.due_ms < this.#armed_ms) this.#arm();
  }

  /** The socket is closed. */
  closed(code: number, reason: string): void {
    const said = reason === "" ? `code ${code}` : reason;
    this.#finish(new GcError("unavailable", "link.closed", `The other side ended the connection (${said})`));
  }

  #perform(effects: readonly SessionEffect[]): void {
    for (const effect of effects) {
      if (this.#over) return;
      if (effect.kind === "send") this.#queue(effect.messages.map(packMessage));
      else if (effect.kind === "messages") this.#deliver(effect.messages);
      else if (effect.kind === "up") this.#begin(effect.peer, effect.welcome);
      else if (effect.kind === "close") this.#end(effect.code, effect.error);
      else
        this.#host.log.warn("link.error_received", {
          ...this.#facts(),
          code: effect.error.code,
          message: effect.error.message,
        });
    }
  }

  #begin(peer: Peer, welcome: Welcome): void {
    this.#peer = peer;
    this.#welcome = welcome;
    this.#arm();
    this.#host.log.debug("link.up", this.#facts());
    this.#guard(() => this.#events.up(this));
  }

  #deliver(messages: Frameable[]): void {
    this.#guard(() => this.#events.messages(this, messages));
  }

  /** A receiver that throws has met our bug or a lie of the peer: this link ends, the process goes on. */
  #guard(act: () => void): void {
    try {
      act();
    } catch (error) {
      this.#host.log.error("link.receiver_failed", { ...this.#facts(), error: messageOf(error) });
      const known = error instanceof GcError ? error : undefined;
      const said =
        known ?? new GcError("internal", "link.receiver_failed", "A message could not be handled", { cause: error });
      this.#queue([packMessage(toWireError(said))]);
      this.#end(closeCodes.malformed, said);
    }
  }

  #queue(packed: readonly Packed[]): void {
    for (const each of packed) {
      this.#packed.push(each);
      this.#packedBytes += each.frame_bytes;
    }
    if (this.#packedBytes + this.#socket.buffered() > bufferedMax) this.#flush();
    if (this.#flushing || this.#over) return;
    this.#flushing = true;
    queueMicrotask(() => {
      this.#flushing = false;
      this.#flush();
    });
  }

  #flush(): void {
    const packed = this.#packed;
    if (packed.length === 0) return;
    this.#packed = [];
    this.#packedBytes = 0;
    let from = 0;
    let bytes = emptyFrameBytes;
    let sent = true;
    for (const [at, each] of packed.entries()) {
      if (at > from && bytes + each.frame_bytes > partBytes) {
        sent &&= this.#sendFrame(packed.slice(from, at));
        from = at;
        bytes = emptyFrameBytes;
      }
      bytes += each.frame_bytes;
    }
    sent &&= this.#sendFrame(from === 0 ? packed : packed.slice(from));
    if (!sent) return this.#drop("link.closed", "The connection is closed");
    const waiting = this.#socket.buffered();
    if (waiting > bufferedMax) {
      this.#drop("link.slow", `The other side is slow: it does not read, ${waiting} bytes wait for it`);
    }
  }

  #sendFrame(packed: readonly Packed[]): boolean {
    for (const part of partsOf(joinFrame(packed))) {
      if (!this.#socket.send(part)) return false;
      this.#handed += part.byteLength;
    }
    return true;
  }

  /** Ends it without a word: the other side does not listen. */
  #drop(code: string, message: string): void {
    this.#finish(new GcError("unavailable", code, message));
    this.#socket.terminate();
  }

  #end(code: number, error: GcError): void {
    if (this.#over) return;
    if (code === closeCodes.silent) return this.#drop(error.code, error.message);
    this.#flush();
    if (this.#over) return;
    this.#finish(error);
    this.#stopTimer = this.#host.clock.after(closeTimeout_ms, () => this.#socket.terminate());
    this.#socket.close(code, reasonText(error.message));
  }

  #finish(error: GcError): void {
    this.#stopTimer();
    this.#stopTimer = () => {};
    if (this.#over) return;
    this.#over = true;
    this.#session.end();
    this.#packed = [];
    this.#packedBytes = 0;
    const link = this.#peer === undefined ? undefined : this;
    this.#host.log.debug("link.down", { ...this.#facts(), code: error.code, message: error.message });
    queueMicrotask(() => this.#events.down(link, error));
  }

  #arm(): void {
    this.#stopTimer();
    if (this.#over) return;
    this.#armed_ms = this.#session.due_ms;
    const delay_ms = Math.max(1, this.#armed_ms - this.#host.clock.monotonic());
    this.#stopTimer = this.#host.clock.after(delay_ms, () => {
      const now_ms = this.#host.clock.monotonic();
      const out: SessionEffect[] = [];
      if (this.#progressed()) this.#session.progress(now_ms);
      this.#session.tick(now_ms, out);
      this.#perform(out);
      this.#flush();
      this.#progressed();
      this.#arm();
    });
  }

  /** Whether the operating system took something of a backlog since the last call. */
  #progressed(): boolean {
    const waiting = this.#socket.buffered();
    const taken = this.#handed - waiting;
    const progressed = this.#hadBacklog && taken > this.#taken;
    this.#taken = taken;
    this.#hadBacklog = waiting > 0;
    return progressed;
  }

  #facts(): { role?: string; peer?: string; session?: string } {
    if (this.#peer === undefined) return {};
    return { role: this.#peer.role, peer: this.#peer.id, session: this.session };
  }
}

/** A close reason holds 123 bytes of UTF-8. */
function reasonText(text: string): string {
  let cut = text.slice(0, 123);
  while (Buffer.byteLength(cut) > 123) cut = cut.slice(0, -1);
  return cut;
}

function tooLarge(message: Frameable, bytes: number): GcError {
  return new GcError(
    "data",
    "wire.too_large",
    `The message "${message.t}" has ${bytes} bytes and does not fit a frame of ${frameBytesMax}`,
  );
}
