/**
 * Two linked ends in one process, for tests and for the simulation: no socket, no session, but the same bytes. Every
 * batch goes through the codec, so that what works here works on the wire. Who carries it decides when it arrives.
 */
import { GcError } from "../errors.ts";
import { decodeFrame, encodeFrame, type Frameable } from "./codec.ts";
import type { Link, LinkEvents, Peer } from "./link.ts";

/** One end. `self` is what the other end sees as its `peer`. */
export interface MemoryEnd {
  self: Peer;
  events: LinkEvents;
}

/** Which way a frame goes. */
export type Direction = "to_acceptor" | "to_opener";

export interface MemoryOptions {
  session: string;
  epoch: string;
  /**
   * Carries a frame, or the news that the link is up or down: calls `arrive` once, later, in order within a direction.
   * Never calling it is a link that swallows; a real one breaks then, so follow it with `cut`. Default: next microtask.
   */
  carry?(direction: Direction, bytes: number, arrive: () => void): void;
}

/** The pair, and the scissors. */
export interface MemoryPair {
  opener: Link;
  acceptor: Link;
  /** Breaks the link: both ends hear of it through `carry`, frames under way may still arrive before. */
  cut(reason?: string): void;
}

/** Links two ends; `up` reaches both through `carry`, the acceptor first. */
export function memoryLink(opener: MemoryEnd, acceptor: MemoryEnd, options: MemoryOptions): MemoryPair {
  const carry = options.carry ?? ((_direction, _bytes, arrive) => queueMicrotask(arrive));
  const a = new MemorySide(opener, acceptor.self, "to_acceptor", options, carry);
  const b = new MemorySide(acceptor, opener.self, "to_opener", options, carry);
  a.other = b;
  b.other = a;
  carry("to_acceptor", 0, () => b.begin());
  carry("to_opener", 0, () => a.begin());
  return {
    opener: a,
    acceptor: b,
    cut(reason = "cut") {
      a.end(reason);
      b.end(reason);
    },
  };
}

class MemorySide implements Link {
  other!: MemorySide;
  readonly peer: Peer;
  readonly session: string;
  readonly epoch: string;
  readonly #events: LinkEvents;
  readonly #direction: Direction;
  readonly #carry: NonNullable<MemoryOptions["carry"]>;
  #state: "new" | "up" | "ending" | "over" = "new";
  #buffered = 0;

  constructor(
    own: MemoryEnd,
    peer: Peer,
    direction: Direction,
    options: MemoryOptions,
    carry: NonNullable<MemoryOptions["carry"]>,
  ) {
    this.peer = peer;
    this.session = options.session;
    this.epoch = options.epoch;
    this.#events = own.events;
    this.#direction = direction;
    this.#carry = carry;
  }

  begin(): void {
    if (this.#state !== "new") return;
    this.#state = "up";
    this.#events.up(this);
  }

  send(messages: readonly Frameable[]): void {
    if (this.#state !== "up" || messages.length === 0) return;
    const frame = encodeFrame(messages);
    this.#buffered += frame.byteLength;
    this.#carry(this.#direction, frame.byteLength, () => {
      this.#buffered -= frame.byteLength;
      this.other.receive(frame);
    });
  }

  buffered(): number {
    return this.#state === "up" ? this.#buffered : 0;
  }

  close(reason = "closed here"): void {
    this.end(reason);
    this.#carry(this.#direction, 0, () => this.other.end(reason));
  }

  receive(frame: Uint8Array): void {
    if (this.#state === "up") this.#events.messages(this, decodeFrame(frame));
  }

  end(reason: string): void {
    if (this.#state === "ending" || this.#state === "over") return;
    const wasUp = this.#state === "up";
    this.#state = "ending";
    const back: Direction = this.#direction === "to_acceptor" ? "to_opener" : "to_acceptor";
    this.#carry(back, 0, () => {
      this.#state = "over";
      const error = new GcError("unavailable", "link.closed", `The link was closed: ${reason}`);
      this.#events.down(wasUp ? this : undefined, error);
    });
  }
}
