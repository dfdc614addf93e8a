/**
 * What users and endpoints say to the relay, and it to them, once the session is up. Envelopes travel whole as blobs in
 * `bytes` (`envelope/envelope.ts` packs them); the relay reads their headers only.
 *
 * Requests carry `rid`, a number of the asker's choosing; the answer carries it back as `re`. Anything may be sent
 * twice: envelopes are known by their ids.
 */
import { keyRecordSchema } from "./envelope.ts";
import type { Schema, Static } from "./static.ts";

const rid = { type: "integer", minimum: 0 } as const;
const id = { type: "string", minLength: 36, maxLength: 36 } as const;
const blobs = { type: "array", maxItems: 10000 } as const;

/* ── user → relay ─────────────────────────────────────────────────────────────────────────────────────────────── */

/** Store these task envelopes for their endpoints. Answer: `submitted`, after they are on stable storage. */
export const submitSchema = {
  $id: "submit",
  type: "object",
  properties: { t: { const: "submit" }, rid, bytes: blobs },
  required: ["t", "rid", "bytes"],
} as const satisfies Schema;

/** Store this receipt or cancel envelope for its endpoint. Answer: `ok`, after it is on stable storage. */
export const postSchema = {
  $id: "post",
  type: "object",
  properties: { t: { const: "post" }, rid, bytes: blobs },
  required: ["t", "rid", "bytes"],
} as const satisfies Schema;

/**
 * Send accepts and results of these task envelopes or of this group, past ones first, as `news`, until `unwatch` or the
 * end of the session. `after` leaves out results up to that relay sequence number. Answer: `ok`.
 */
export const watchSchema = {
  $id: "watch",
  type: "object",
  properties: {
    t: { const: "watch" },
    rid,
    watch: { type: "integer", minimum: 0, description: "Name of this watch, chosen by the user's side." },
    envelopes: { type: "array", items: id, maxItems: 10000 },
    group: id,
    after: { type: "integer", minimum: 0 },
  },
  required: ["t", "rid", "watch"],
} as const satisfies Schema;

/** End this watch. Answer: `ok`. */
export const unwatchSchema = {
  $id: "unwatch",
  type: "object",
  properties: { t: { const: "unwatch" }, rid, watch: { type: "integer" } },
  required: ["t", "rid", "watch"],
} as const satisfies Schema;

/** Results up to this sequence number of this watch have been taken in: send more. */
export const takenSchema = {
  $id: "taken",
  type: "object",
  properties: { t: { const: "taken" }, watch: { type: "integer" }, seq: { type: "integer" } },
  required: ["t", "watch", "seq"],
} as const satisfies Schema;

/**
 * My task envelopes, newest first: at most `limit` (1–1,000) that are older than relay sequence `before`. `prefix`:
 * whose id begins so. Answer: `envelopes`.
 */
export const listSchema = {
  $id: "list",
  type: "object",
  properties: {
    t: { const: "list" },
    rid,
    limit: { type: "integer", minimum: 1, maximum: 1000 },
    before: { type: "integer", minimum: 0 },
    prefix: { type: "string", maxLength: 36 },
    group: id,
    envelopes: { type: "array", items: id, maxItems: 1000 },
    unfinished: { type: "boolean" },
  },
  required: ["t", "rid", "limit"],
} as const satisfies Schema;

/** Endpoints I may see. Answer: `endpoints`. */
export const endpointsSchema = {
  $id: "endpoints_ask",
  type: "object",
  properties: { t: { const: "endpoints_ask" }, rid, id, prefix: { type: "string", maxLength: 64 } },
  required: ["t", "rid"],
} as const satisfies Schema;

/* ── relay → user ─────────────────────────────────────────────────────────────────────────────────────────────── */

/** They are on stable storage. `known`: of those, which had been stored before. */
export const submittedSchema = {
  $id: "submitted",
  type: "object",
  properties: { t: { const: "submitted" }, re: rid, ids: { type: "array", items: id }, known: { type: "integer" } },
  required: ["t", "re", "ids", "known"],
} as const satisfies Schema;

/** Done; after it is on stable storage where something had to be stored. */
export const okSchema = {
  $id: "ok",
  type: "object",
  properties: { t: { const: "ok" }, re: rid },
  required: ["t", "re"],
} as const satisfies Schema;

/**
 * For a watch: accept envelopes and result envelopes, in `bytes`. `seq` is the relay's sequence number of the newest
 * result in it (0 when there are only accepts). `expired`: envelopes that the relay gave up for lack of a taker.
 */
export const newsSchema = {
  $id: "news",
  type: "object",
  properties: {
    t: { const: "news" },
    watch: { type: "integer" },
    seq: { type: "integer" },
    expired: { type: "array", items: id },
    bytes: blobs,
  },
  required: ["t", "watch", "seq"],
} as const satisfies Schema;

/** State of one task envelope as the relay knows it. */
export const envelopeRowSchema = {
  type: "object",
  properties: {
    seq: { type: "integer" },
    id,
    endpoint: id,
    group: id,
    count: { type: "integer" },
    created_ms: { type: "integer" },
    expires_ms: { type: "integer" },
    state: {
      enum: ["queued", "held", "expired"],
      description: "queued: no endpoint has it yet. held: its endpoint signed for it.",
    },
    done: { type: "integer", description: "Tasks of it that have a result here." },
    classes: {
      type: "object",
      additionalProperties: { type: "integer" },
      description: "Results by class.",
    },
  },
  required: ["seq", "id", "endpoint", "group", "count", "created_ms", "expires_ms", "state", "done", "classes"],
} as const satisfies Schema;

/** Answer to `list`. `more`: there are older ones. */
export const envelopesSchema = {
  $id: "envelopes",
  type: "object",
  properties: {
    t: { const: "envelopes" },
    re: rid,
    rows: { type: "array", items: envelopeRowSchema },
    more: { type: "boolean" },
  },
  required: ["t", "re", "rows", "more"],
} as const satisfies Schema;

export const endpointRowSchema = {
  type: "object",
  properties: {
    record: keyRecordSchema,
    name: { type: "string" },
    online: { type: "boolean" },
    seen_ms: { type: "integer", description: "Wall clock of the relay when it last heard from it." },
    queued: { type: "integer", description: "Task envelopes waiting for it here." },
    status: {
      type: "object",
      additionalProperties: true,
      description: "What the endpoint last said of itself (`status`).",
    },
  },
  required: ["record", "name", "online", "seen_ms", "queued"],
} as const satisfies Schema;

/** Answer to `endpoints_ask`. */
export const endpointsAnswerSchema = {
  $id: "endpoints",
  type: "object",
  properties: { t: { const: "endpoints" }, re: rid, rows: { type: "array", items: endpointRowSchema } },
  required: ["t", "re", "rows"],
} as const satisfies Schema;

/* ── endpoint → relay ─────────────────────────────────────────────────────────────────────────────────────────── */

/**
 * Credit: `room` more tasks may be sent to me than you have sent in mail that I have not acknowledged. Sent after
 * welcome and whenever it changes by much. `status` is shown to people: counts, host, state; never task content.
 */
export const creditSchema = {
  $id: "credit",
  type: "object",
  properties: {
    t: { const: "credit" },
    room: { type: "integer", minimum: 0 },
    name: { type: "string", maxLength: 64 },
    status: { type: "object", additionalProperties: true },
    allow: {
      type: "array",
      items: id,
      maxItems: 10000,
      description: "Users who may submit: a copy of the endpoint's own access list, for early refusal only.",
    },
    public: { type: "boolean", description: "Any user of the relay may submit." },
  },
  required: ["t", "room"],
} as const satisfies Schema;

/** Mail `seq`s are in my journal (per item, never cumulative). `bytes`: accept envelopes, one per task envelope
 * taken. */
export const mailAckSchema = {
  $id: "mail_ack",
  type: "object",
  properties: { t: { const: "mail_ack" }, seqs: { type: "array", items: { type: "integer" } }, bytes: blobs },
  required: ["t", "seqs"],
} as const satisfies Schema;

/** Result envelopes. Answer: `stored` with their ids, after they are on stable storage. */
export const depositSchema = {
  $id: "deposit",
  type: "object",
  properties: { t: { const: "deposit" }, rid, bytes: blobs },
  required: ["t", "rid", "bytes"],
} as const satisfies Schema;

/**
 * After a new relay epoch: task envelopes that I hold, `bytes` = [task envelope, accept envelope, …] in pairs, so that
 * the relay knows them again. Answer: `ok`.
 */
export const announceSchema = {
  $id: "announce",
  type: "object",
  properties: { t: { const: "announce" }, rid, bytes: blobs },
  required: ["t", "rid", "bytes"],
} as const satisfies Schema;

/* ── relay → endpoint ─────────────────────────────────────────────────────────────────────────────────────────── */

/** `bytes[i]` (task, cancel or receipt envelope) is mail number `seqs[i]`. Kept until acknowledged. */
export const mailSchema = {
  $id: "mail",
  type: "object",
  properties: { t: { const: "mail" }, seqs: { type: "array", items: { type: "integer" } }, bytes: blobs },
  required: ["t", "seqs", "bytes"],
} as const satisfies Schema;

/** Result envelopes with these ids are on stable storage. */
export const storedSchema = {
  $id: "stored",
  type: "object",
  properties: { t: { const: "stored" }, re: rid, ids: { type: "array", items: id } },
  required: ["t", "re", "ids"],
} as const satisfies Schema;

/* ── either way ───────────────────────────────────────────────────────────────────────────────────────────────── */

/**
 * A live envelope for a connected principal, `bytes[0]`; forwarded, never stored. `session` is the user's connection:
 * on the way to the endpoint the relay checks that it is the sender's own, on the way back it picks the connection.
 * Unreachable: the relay answers `undelivered`.
 */
export const liveSchema = {
  $id: "live",
  type: "object",
  properties: { t: { const: "live" }, to: id, session: { type: "string", maxLength: 64 }, bytes: blobs },
  required: ["t", "to", "session", "bytes"],
} as const satisfies Schema;

/** The live envelope went nowhere. */
export const undeliveredSchema = {
  $id: "undelivered",
  type: "object",
  properties: {
    t: { const: "undelivered" },
    to: id,
    session: { type: "string" },
    why: { enum: ["offline", "slow", "forbidden"] },
  },
  required: ["t", "to", "session", "why"],
} as const satisfies Schema;

type Blobs = { bytes: Uint8Array[] };
type WithBlobs<T> = Omit<T, "bytes"> & Blobs;

export type Submit = WithBlobs<Static<typeof submitSchema>>;
export type Post = WithBlobs<Static<typeof postSchema>>;
export type Watch = Static<typeof watchSchema>;
export type Unwatch = Static<typeof unwatchSchema>;
export type Taken = Static<typeof takenSchema>;
export type List = Static<typeof listSchema>;
export type EndpointsAsk = Static<typeof endpointsSchema>;
export type Submitted = Static<typeof submittedSchema>;
export type Ok = Static<typeof okSchema>;
export type News = Omit<Static<typeof newsSchema>, "bytes"> & { bytes?: Uint8Array[] };
export type EnvelopeRow = Static<typeof envelopeRowSchema>;
export type Envelopes = Static<typeof envelopesSchema>;
export type EndpointRow = Static<typeof endpointRowSchema>;
export type EndpointsAnswer = Static<typeof endpointsAnswerSchema>;
export type Credit = Static<typeof creditSchema>;
export type MailAck = Omit<Static<typeof mailAckSchema>, "bytes"> & { bytes?: Uint8Array[] };
export type Deposit = WithBlobs<Static<typeof depositSchema>>;
export type Announce = WithBlobs<Static<typeof announceSchema>>;
export type Mail = WithBlobs<Static<typeof mailSchema>>;
export type Stored = Static<typeof storedSchema>;
export type Live = WithBlobs<Static<typeof liveSchema>>;
export type Undelivered = Static<typeof undeliveredSchema>;

export type FromUser = Submit | Post | Watch | Unwatch | Taken | List | EndpointsAsk | Live;
export type ToUser = Submitted | Ok | News | Envelopes | EndpointsAnswer | Live | Undelivered;
export type FromEndpoint = Credit | MailAck | Deposit | Announce | Live;
export type ToEndpoint = Mail | Stored | Ok | Live;
