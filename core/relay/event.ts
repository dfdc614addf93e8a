/**
 * The words of the relay room: what can happen to it and what it then does. `state.ts` decides over them; `server.ts`
 * turns sockets and timers into events and performs the effects, and so does the simulation.
 */
import type { Decision } from "../host/turn.ts";
import type { ToEndpoint, ToUser } from "../schema/relay_message.ts";
import type { WireError } from "../schema/session_message.ts";
import type { Frameable } from "../wire/codec.ts";
import type { Link } from "../wire/link.ts";
import type { Change } from "./mailbox.ts";

/** When something happened: wall clock for retention, monotonic clock for every shorter wait. */
export interface Moment {
  readonly now_ms: number;
  readonly mono_ms: number;
}

export type RelayEvent = { readonly at: Moment } & (
  | { readonly kind: "up"; readonly link: Link }
  | { readonly kind: "messages"; readonly link: Link; readonly messages: readonly Frameable[] }
  | { readonly kind: "down"; readonly link: Link }
  | { readonly kind: "tick" }
  /** How much room the disk has. */
  | { readonly kind: "space"; readonly free_bytes: number }
  /** The operator took this principal off the list. */
  | { readonly kind: "removed"; readonly id: string }
);

export type RelayEffect =
  | { readonly kind: "send"; readonly link: Link; readonly message: ToUser | ToEndpoint | WireError }
  | { readonly kind: "close"; readonly link: Link; readonly reason: string }
  | { readonly kind: "log"; readonly event: string; readonly fields: { [name: string]: string | number } };

export type Out = Decision<Change, RelayEffect>;
