/**
 * The opening of every connection, and its heartbeat. The same on all links: client → relay, endpoint → relay,
 * worker → endpoint. The side that accepted the connection speaks first.
 *
 *     acceptor                                  opener
 *     hello {proto, nonce, self}        ──────►
 *                                       ◄────── auth {proto, role, id, proof}
 *     welcome {proto, epoch, limits}    ──────►            or refuse {code, message} and close
 *     ping / pong                       ◄─────►            after 20 s without a word (Unix socket: 40 s); dead after 60
 * s
 *
 * Version diary (`proto`): 1, 2026-11: first version.
 */
import { keyRecordSchema } from "./envelope.ts";
import type { Schema, Static } from "./static.ts";

/** Lowest and highest protocol version this program speaks. */
export const protocolRange = [1, 1] as const;

/** Acceptor → opener, at once: who I am, what I speak, and the challenge. */
export const helloSchema = {
  $id: "hello",
  type: "object",
  properties: {
    t: { const: "hello" },
    proto: { type: "array", items: { type: "integer" }, minItems: 2, maxItems: 2 },
    nonce: { type: "string", pattern: "^[0-9a-f]{64}$" },
    id: { type: "string", description: "Who accepted: relay id, or the id of the block for worker links." },
    record: keyRecordSchema,
    sig: { type: "string", description: "Relay: its signature over nonce and id, so that a swapped relay is noticed." },
    software: { type: "string", maxLength: 64 },
  },
  required: ["t", "proto", "nonce", "id", "software"],
} as const satisfies Schema;

/** Opener → acceptor: who I am, with the proof. */
export const authSchema = {
  $id: "auth",
  type: "object",
  properties: {
    t: { const: "auth" },
    proto: { type: "integer" },
    role: { enum: ["user", "endpoint", "worker"] },
    id: { type: "string", maxLength: 64, description: "Principal id; for workers the worker id." },
    record: keyRecordSchema,
    proof: {
      type: "string",
      maxLength: 128,
      description: "Ed25519 (users, endpoints) or HMAC-SHA256 under the block's secret (workers), base64url.",
    },
    instance: { type: "string", maxLength: 64, description: "Random per process: two processes with one key differ." },
    invite: { type: "string", maxLength: 128, description: "Secret of a single-use invite, to be enrolled." },
    name: { type: "string", maxLength: 64, description: "How people call this endpoint." },
    software: { type: "string", maxLength: 64 },
  },
  required: ["t", "proto", "role", "id", "proof", "instance", "software"],
} as const satisfies Schema;

/** Acceptor → opener: the session is up. */
export const welcomeSchema = {
  $id: "welcome",
  type: "object",
  properties: {
    t: { const: "welcome" },
    proto: { type: "integer" },
    epoch: { type: "string", description: "Changes when the acceptor lost or restored its store: announce again." },
    session: { type: "string", description: "Name of this connection, for live messages." },
    time_ms: { type: "integer", description: "Wall clock of the acceptor." },
    features: { type: "array", items: { type: "string" } },
    limits: { type: "object", additionalProperties: { type: "number" } },
  },
  required: ["t", "proto", "epoch", "session", "time_ms", "features", "limits"],
} as const satisfies Schema;

/** Acceptor → opener, instead of `welcome`; then the connection ends. */
export const refuseSchema = {
  $id: "refuse",
  type: "object",
  properties: {
    t: { const: "refuse" },
    kind: { type: "string", description: "Kind of the error (`core/errors.ts`); `permission` when it is absent." },
    code: { type: "string" },
    message: { type: "string" },
    hint: { type: "string" },
    retry_after_ms: { type: "integer" },
  },
  required: ["t", "code", "message"],
} as const satisfies Schema;

/** An answer to any request that could not be done, or to a frame nobody knows (`re` is then absent). */
export const errorSchema = {
  $id: "error",
  type: "object",
  properties: {
    t: { const: "error" },
    re: { type: "integer", description: "`rid` of the request." },
    kind: { type: "string" },
    code: { type: "string" },
    message: { type: "string" },
    hint: { type: "string" },
    retry_after_ms: { type: "integer" },
  },
  required: ["t", "code", "message"],
} as const satisfies Schema;

/** Is anybody there? Sent when nothing came for a while. Answer: `pong`. */
export const pingSchema = {
  $id: "ping",
  type: "object",
  properties: { t: { const: "ping" } },
  required: ["t"],
} as const satisfies Schema;

/** Yes. */
export const pongSchema = {
  $id: "pong",
  type: "object",
  properties: { t: { const: "pong" } },
  required: ["t"],
} as const satisfies Schema;

export type Hello = Static<typeof helloSchema>;
export type Auth = Static<typeof authSchema>;
export type Welcome = Static<typeof welcomeSchema>;
export type Refuse = Static<typeof refuseSchema>;
export type WireError = Static<typeof errorSchema>;
