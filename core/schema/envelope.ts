/**
 * The readable part of everything that travels between a user and an endpoint. An envelope is
 * `header | sealed body | signature`; the relay reads the header and nothing else, so a header never carries argv,
 * environment, file names or error text. What is signed is the bytes that travel: `envelope/envelope.ts`.
 */
import type { Schema, Static } from "./static.ts";

const uuid = {
  type: "string",
  pattern: "^[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$",
} as const;
const anyUuid = { type: "string", pattern: "^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$" } as const;
const time_ms = { type: "integer", minimum: 0, maximum: 9007199254740991 } as const;

/**
 * The public half of a principal. `id` is the hash of `sign_pub` (see `access/principal.ts`), so a record proves
 * itself: nobody in between can put another key under an id.
 */
export const keyRecordSchema = {
  $id: "key_record",
  type: "object",
  properties: {
    kind: { enum: ["user", "endpoint", "relay"] },
    id: uuid,
    sign_pub: { type: "string", pattern: "^[A-Za-z0-9_-]{43}$", description: "Ed25519, base64url." },
    enc_pub: { type: "string", pattern: "^[A-Za-z0-9_-]{43}$", description: "X25519, base64url." },
    seq: { type: "integer", minimum: 0, description: "Counts up with every rotation of enc_pub." },
    sig: { type: "string", pattern: "^[A-Za-z0-9_-]{86}$", description: "Ed25519 by sign_pub over the other fields." },
  },
  required: ["kind", "id", "sign_pub", "enc_pub", "seq", "sig"],
  additionalProperties: false,
} as const satisfies Schema;

export type KeyRecord = Static<typeof keyRecordSchema>;

const common = {
  v: { const: 1 },
  from: uuid,
  to: uuid,
  created_ms: time_ms,
} as const;

/** A batch of 1–10,000 tasks from a user to an endpoint. Task `i` has the id `taskId(id, i)`. */
export const taskHeaderSchema = {
  $id: "task_header",
  type: "object",
  properties: {
    ...common,
    kind: { const: "task" },
    id: { ...uuid, description: "First task id of the batch: hash of `from` and `nonce`, index bits zero." },
    nonce: { type: "string", pattern: "^[0-9a-f]{32}$" },
    count: { type: "integer", minimum: 1, maximum: 10000 },
    group: anyUuid,
    priority: { type: "integer", minimum: -1000, maximum: 1000 },
    expires_ms: { ...time_ms, description: "The relay gives up offering it then (clock of the relay)." },
    on_lost: { enum: ["rerun", "fail"] },
    sender: keyRecordSchema,
  },
  required: [
    "v",
    "kind",
    "from",
    "to",
    "created_ms",
    "id",
    "nonce",
    "count",
    "group",
    "priority",
    "expires_ms",
    "on_lost",
    "sender",
  ],
  additionalProperties: false,
} as const satisfies Schema;

/** Endpoint → user: the task envelope `re` is in the endpoint's journal. `digest` is sha256 of its signed bytes,
 * hex. */
export const acceptHeaderSchema = {
  $id: "accept_header",
  type: "object",
  properties: {
    ...common,
    kind: { const: "accept" },
    id: anyUuid,
    re: uuid,
    digest: { type: "string", pattern: "^[0-9a-f]{64}$" },
  },
  required: ["v", "kind", "from", "to", "created_ms", "id", "re", "digest"],
  additionalProperties: false,
} as const satisfies Schema;

/** Endpoint → user: results of tasks `indices` of the envelope `re`; `classes[i]` is all the relay learns of each. */
export const resultHeaderSchema = {
  $id: "result_header",
  type: "object",
  properties: {
    ...common,
    kind: { const: "result" },
    id: anyUuid,
    re: uuid,
    group: anyUuid,
    indices: { type: "array", items: { type: "integer", minimum: 0, maximum: 9999 }, minItems: 1, maxItems: 10000 },
    classes: { type: "array", items: { enum: ["ok", "fail", "cancelled", "rejected", "lost", "poisoned"] } },
    sender: keyRecordSchema,
  },
  required: ["v", "kind", "from", "to", "created_ms", "id", "re", "group", "indices", "classes", "sender"],
  additionalProperties: false,
} as const satisfies Schema;

/** User → endpoint: the results of tasks `indices` of `re` are with the user; neither relay nor endpoint need them. */
export const receiptHeaderSchema = {
  $id: "receipt_header",
  type: "object",
  properties: {
    ...common,
    kind: { const: "receipt" },
    id: anyUuid,
    re: uuid,
    indices: { type: "array", items: { type: "integer", minimum: 0, maximum: 9999 }, minItems: 1, maxItems: 10000 },
    sender: keyRecordSchema,
  },
  required: ["v", "kind", "from", "to", "created_ms", "id", "re", "indices", "sender"],
  additionalProperties: false,
} as const satisfies Schema;

/** User → endpoint: end tasks `indices` of `re`, queued or running; an empty list means all of them. */
export const cancelHeaderSchema = {
  $id: "cancel_header",
  type: "object",
  properties: {
    ...common,
    kind: { const: "cancel" },
    id: anyUuid,
    re: uuid,
    indices: { type: "array", items: { type: "integer", minimum: 0, maximum: 9999 }, maxItems: 10000 },
    sender: keyRecordSchema,
  },
  required: ["v", "kind", "from", "to", "created_ms", "id", "re", "indices", "sender"],
  additionalProperties: false,
} as const satisfies Schema;

/**
 * Either way, never stored: what two connected ends say to each other (output that is followed, typed input, questions
 * about a task, orders of the owner). `session` names the connection of the user that asked.
 */
export const liveHeaderSchema = {
  $id: "live_header",
  type: "object",
  properties: {
    ...common,
    kind: { const: "live" },
    id: anyUuid,
    session: { type: "string", maxLength: 64, description: "Of the user's connection; answers go back to it alone." },
    sender: keyRecordSchema,
  },
  required: ["v", "kind", "from", "to", "created_ms", "id", "session", "sender"],
  additionalProperties: false,
} as const satisfies Schema;

export const headerSchema = {
  $id: "header",
  type: "object",
  discriminator: { propertyName: "kind" },
  oneOf: [
    taskHeaderSchema,
    acceptHeaderSchema,
    resultHeaderSchema,
    receiptHeaderSchema,
    cancelHeaderSchema,
    liveHeaderSchema,
  ],
} as const satisfies Schema;

export type TaskHeader = Static<typeof taskHeaderSchema>;
export type AcceptHeader = Static<typeof acceptHeaderSchema>;
export type ResultHeader = Static<typeof resultHeaderSchema>;
export type ReceiptHeader = Static<typeof receiptHeaderSchema>;
export type CancelHeader = Static<typeof cancelHeaderSchema>;
export type LiveHeader = Static<typeof liveHeaderSchema>;
export type Header = TaskHeader | AcceptHeader | ResultHeader | ReceiptHeader | CancelHeader | LiveHeader;

/** The classes a result can have; the only word about a task that the relay may read. */
export type ResultClass = ResultHeader["classes"][number];
