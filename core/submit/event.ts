/**
 * The words of the client room: what can happen to a submitting process, what it must keep, and what it then does.
 * `state.ts` decides over them; `client.ts` turns sockets, files and callers into events and performs the effects.
 * Every event comes from inside: signatures are verified and bodies opened before it is made (`intake.ts`).
 */
import type { ResultClass } from "../schema/envelope.ts";
import type { EndpointsAnswer, EndpointsAsk, Envelopes, List, Taken, Unwatch, Watch } from "../schema/relay_message.ts";
import type { Result } from "../schema/result.ts";
import type { WireError } from "../schema/session_message.ts";
import type { EnvelopeId, GroupId, PrincipalId } from "../task/id.ts";
import type { FromEndpointLive, FromUserLive } from "./live.ts";
import type { Parcel } from "./parcel.ts";

/** What is known of one task envelope without reading it. */
export interface Entry {
  readonly id: EnvelopeId;
  readonly endpoint: PrincipalId;
  readonly group: GroupId;
  /** Tasks in it. */
  readonly count: number;
  /** sha256 of the signed bytes, hexadecimal: what an accept must name. */
  readonly digest: string;
  readonly created_ms: number;
  readonly expires_ms: number;
  /** Size of the signed bytes. */
  readonly size: number;
}

/** Which task envelopes a watch is about. */
export type Watched = { envelopes: EnvelopeId[] } | { group: GroupId };

/** A verified accept: `from` signed that `digest` is in its journal. */
export interface AcceptNews {
  id: EnvelopeId;
  from: PrincipalId;
  digest: string;
}

/** A verified result envelope. `results` is absent where the watch only wants classes. */
export interface ResultNews {
  id: EnvelopeId;
  from: PrincipalId;
  group: GroupId;
  indices: number[];
  classes: ResultClass[];
  results?: Result[];
}

/** A question to the relay that needs no durability; the caller's `rid` is put in by the state. */
export type PlainRequest = Omit<List, "rid"> | Omit<EndpointsAsk, "rid">;
export type PlainAnswer = Envelopes | EndpointsAnswer;

/** A live question to an endpoint, by `rid`. */
export type LiveAsk = Extract<FromUserLive, { rid: number }>;
export type LiveAnswer = Extract<FromEndpointLive, { re: number }>;

/** A question without the number that `ask` gives it. */
export type AskWithoutRid = LiveAsk extends infer A ? (A extends { rid: number } ? Omit<A, "rid"> : never) : never;

/** Why a live question got no answer. */
export type NoAnswer = "offline" | "slow" | "forbidden" | "timeout";

export type ClientEvent =
  /** `promised`: somebody is to be told of it, see `ClientRecord`. */
  | { kind: "submit"; parcel: Parcel; promised: boolean; now_ms: number }
  /** Somebody is to be told of an envelope that was not promised before. */
  | { kind: "promise"; id: EnvelopeId }
  /** An entry an earlier process left in the outbox; `epoch`: of the relay that confirmed to have it. */
  | { kind: "adopt"; entry: Entry; epoch?: string; now_ms: number }
  /** An envelope that this machine sent earlier: results of it count only from this endpoint. */
  | { kind: "know"; id: EnvelopeId; endpoint: PrincipalId; count: number }
  | { kind: "up"; epoch: string; now_ms: number }
  | { kind: "down" }
  | { kind: "submitted"; re: number; ids: string[]; now_ms: number }
  | { kind: "ok"; re: number }
  | { kind: "answer"; re: number; answer: PlainAnswer }
  | { kind: "error"; re: number; error: WireError; now_ms: number }
  | { kind: "watch"; watch: number; watched: Watched; after?: number; now_ms: number }
  | { kind: "unwatch"; watch: number; now_ms: number }
  | { kind: "news"; watch: number; seq: number; accepts: AcceptNews[]; results: ResultNews[]; expired: EnvelopeId[] }
  /** The reader of `watch` has dealt with everything up to `seq`. */
  | { kind: "taken"; watch: number; seq: number }
  /** The person has these results: on a flushed stream or in a synced file. */
  | { kind: "flushed"; id: EnvelopeId; endpoint: PrincipalId; indices: number[]; ticket: number; now_ms: number }
  | { kind: "cancel"; id: EnvelopeId; endpoint: PrincipalId; indices: number[]; ticket: number; now_ms: number }
  /** Takes back an entry that was never sent. */
  | { kind: "withdraw"; id: EnvelopeId }
  | { kind: "request"; ticket: number; message: PlainRequest; now_ms: number }
  | { kind: "ask"; ask: LiveAsk; to: PrincipalId; deadline_ms: number; now_ms: number }
  | { kind: "answered"; from: PrincipalId; answer: LiveAnswer }
  | { kind: "undelivered"; to: PrincipalId; why: "offline" | "slow" | "forbidden" }
  | { kind: "tick"; now_ms: number };

/**
 * What the outbox keeps. A promised `entry`, and `promised`, must survive a power cut; losing one of the others costs a
 * resend, or a task that nobody was told of.
 */
export type ClientRecord =
  | { kind: "entry"; parcel: Parcel; promised: boolean }
  | { kind: "promised"; id: EnvelopeId }
  | { kind: "stored"; id: EnvelopeId; epoch: string }
  | { kind: "accepted"; id: EnvelopeId }
  | { kind: "refused"; id: EnvelopeId; error: WireError }
  | { kind: "withdrawn"; id: EnvelopeId };

/** What is done once records are kept. `submit`, `receipt`, `cancel` and `live` are composed by whoever performs
 * them. */
export type ClientEffect =
  | { kind: "submit"; rid: number; ids: EnvelopeId[] }
  | { kind: "receipt"; rid: number; id: EnvelopeId; to: PrincipalId; indices: number[] }
  | { kind: "cancel"; rid: number; id: EnvelopeId; to: PrincipalId; indices: number[] }
  | { kind: "live"; to: PrincipalId; ask: LiveAsk }
  | { kind: "send"; message: Watch | Unwatch | Taken | List | EndpointsAsk }
  | { kind: "wake"; at_ms: number }
  | ClientNews;

/** What callers are told. */
export type ClientNews =
  | { kind: "stored"; id: EnvelopeId }
  | { kind: "accepted"; id: EnvelopeId }
  | { kind: "refused"; id: EnvelopeId; error: WireError }
  /** The relay takes no tasks now; they are offered again when it said. */
  | { kind: "put_off"; error: WireError }
  | { kind: "withdrawn"; id: EnvelopeId; done: boolean }
  | { kind: "results"; watch: number; seq: number; batches: FreshResults[]; expired: EnvelopeId[] }
  | { kind: "posted"; ticket: number; error?: WireError }
  | { kind: "answer"; ticket: number; answer: PlainAnswer | WireError }
  | { kind: "live_answer"; rid: number; answer: LiveAnswer | NoAnswer };

/** Results that this watch had not seen before. `pinned`: we sent the envelope to this very endpoint ourselves. */
export interface FreshResults extends ResultNews {
  pinned: boolean;
}
