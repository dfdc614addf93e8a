/**
 * What the client keeps on disk of every task envelope it made, in `outbox/` and `sent/`. Files of gc's own: read again
 * by `gc ps`, `gc retry` and the next command that sends what is left. Bytes and specs follow as blobs
 * (`submit/parcel.ts`).
 */
import { keyRecordSchema } from "./envelope.ts";
import type { Schema, Static } from "./static.ts";

const id = keyRecordSchema.properties.id;
const time_ms = { type: "integer", minimum: 0 } as const;

export const parcelHeadSchema = {
  $id: "parcel_head",
  type: "object",
  properties: {
    t: { const: "parcel" },
    v: { const: 1 },
    id,
    endpoint: keyRecordSchema,
    endpoint_name: { type: "string", description: "What the person called it." },
    context: { type: "string", description: "The relay it goes to, as the person calls it." },
    group: { type: "string", minLength: 36, maxLength: 36 },
    group_name: { type: "string" },
    count: { type: "integer", minimum: 1, maximum: 10000 },
    digest: { type: "string", pattern: "^[0-9a-f]{64}$" },
    created_ms: time_ms,
    expires_ms: time_ms,
    size: { type: "integer", minimum: 1 },
    title: { type: "string", description: "The label or command of the first task, for people." },
    key: { type: "string", maxLength: 64, description: "By which the program that made it finds it again." },
  },
  required: [
    "t",
    "v",
    "id",
    "endpoint",
    "context",
    "group",
    "count",
    "digest",
    "created_ms",
    "expires_ms",
    "size",
    "title",
  ],
} as const satisfies Schema;

/** What can be said of a task envelope without opening its blobs. */
export type ParcelHead = Static<typeof parcelHeadSchema>;
