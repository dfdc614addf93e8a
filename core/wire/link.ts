/**
 * A link is what two living parts hold while they can talk: messages go in at one end and come out at the other, in
 * order, none twice; when it breaks, what was not acknowledged by a message of its own may or may not have arrived.
 * This file is the door of the room: the shapes that everybody uses, and the functions that make links.
 *
 *     openLink / keepLink ──► Connection ◄── listen          (acting)
 *                              │     │
 *                      Session (pure) └─ host/websocket.ts, host/dial.ts
 */
import type { GcError } from "../errors.ts";
import type { KeyRecord } from "../schema/envelope.ts";
import type { Auth, Hello } from "../schema/session_message.ts";
import type { Frameable } from "./codec.ts";

/** Who is at the other end, as far as the session proved it. */
export interface Peer {
  role: "user" | "endpoint" | "worker" | "relay";
  /** Principal id; for workers the worker id. */
  id: string;
  record?: KeyRecord;
  /** Random per process of the peer: two processes with one key differ. */
  instance: string;
  name?: string;
  /** It came over a Unix socket, so it runs as the same user on the same machine. */
  local: boolean;
}

/** One end of an established session. */
export interface Link {
  readonly peer: Peer;
  /** Name of this connection, made by the acceptor; both ends see the same. */
  readonly session: string;
  /** Epoch of the acceptor's store. */
  readonly epoch: string;
  /** What the acceptor said in `welcome`. */
  readonly limits?: { readonly [name: string]: number };
  readonly features?: readonly string[];
  /**
   * Sends messages in order. Never waits and never fails for the state of the connection: on a link that is down they
   * are dropped. What is sent within one turn of the event loop may travel as one frame.
   * @throws GcError `wire.too_large` when one message alone exceeds `frameBytesMax`; nothing of the call is sent then.
   */
  send(messages: readonly Frameable[]): void;
  /**
   * Bytes that were sent but that the operating system has not taken yet. Beyond `4 * windowBytes` the link is closed
   * as "slow", so a reader that does not read cannot make this process grow.
   */
  buffered(): number;
  /** Sends what was queued, then ends the link; `down` is called once. A second call does nothing. */
  close(reason?: string): void;
}

/** What happens on links. Called from the event loop, one at a time, never from within `send` or `close`. */
export interface LinkEvents {
  up(link: Link): void;
  /** Untrusted content: `parse` or `fits` before use, and `unknownMessage` for a `t` that is not known. */
  messages(link: Link, messages: Frameable[]): void;
  /** `link` was up and is over; or, when undefined, a connection ended before it was up. */
  down(link: Link | undefined, reason: GcError): void;
  /** keepLink only: the next attempt comes after `delay_ms`, because of `reason`. */
  waiting?(delay_ms: number, reason: GcError): void;
}

/**
 * Where an acceptor is. `ca_pem`: the one certificate to trust, for the name "gc-relay" (self-signed, pinned). Without
 * it the ordinary roots and the URL's host name count. `relay_id`: whose key must answer.
 */
export type Address = { kind: "unix"; path: string } | { kind: "url"; url: string; ca_pem?: string; relay_id?: string };

/** Where a worker finds its endpoint: an address, or a folder that both share, for nodes without a network to it. */
export type WorkerAddress = Address | { kind: "mailbox"; path: string };

/** Who we are when we open a link. `principalSelf` and `workerSelf` make one. */
export interface Self {
  role: "user" | "endpoint" | "worker";
  id: string;
  record?: KeyRecord;
  instance: string;
  name?: string;
  invite?: string;
  /** The proof of `auth`, base64url, for this challenge and the version that was picked from it. */
  prove(hello: Hello, proto: number): string;
}

/** Who accepts, and its say in who comes in. */
export interface Acceptor {
  /** Relay id; for worker links the endpoint's id. */
  id: string;
  record?: KeyRecord;
  /** Signs the challenge, so that the opener notices a swapped relay. */
  sign?(bytes: Uint8Array): Uint8Array;
  epoch: string;
  limits: { [name: string]: number };
  features: string[];
  /**
   * Checks the proof (`proof.ts`) and decides who this is.
   * @throws GcError to refuse; it travels to the opener as it is.
   */
  admit(auth: Auth, hello: Hello, from: Origin): Peer;
}

/** Where a connection came from. `local`: a Unix socket; loopback TCP is not local, other users reach it too. */
export interface Origin {
  local: boolean;
  /** Address of the other side, "unix" for a Unix socket. */
  remote: string;
}

export { type KeptLink, keepLink } from "./keep_link.ts";
export { type Listening, listen, listenToMailboxes, type Where } from "./listen.ts";
export { openLink } from "./open_link.ts";
export { checkPrincipalProof, checkWorkerProof, principalSelf, workerSelf } from "./proof.ts";
export { fromWireError, toWireError, unknownMessage } from "./wire_error.ts";
