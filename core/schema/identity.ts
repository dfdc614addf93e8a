/**
 * Secret halves of principals as they lie on disk, in files of mode 0600, and invites as they are handed to people.
 * Never sent over a link, never logged. Made and opened in `access/principal.ts` and `access/invite.ts`.
 */
import { keyRecordSchema } from "./envelope.ts";
import type { Schema, Static } from "./static.ts";

const key = { type: "string", pattern: "^[A-Za-z0-9_-]{43}$" } as const;
const uuid = keyRecordSchema.properties.id;

/** `GC_HOME/identity.json` of a user, `relay/key.json` of a relay. */
export const identityFileSchema = {
  $id: "identity_file",
  type: "object",
  properties: {
    v: { const: 1 },
    record: keyRecordSchema,
    sign_key: { ...key, description: "Ed25519 seed, base64url. Secret." },
    enc_key: { ...key, description: "X25519 private key, base64url. Secret." },
  },
  required: ["v", "record", "sign_key", "enc_key"],
  additionalProperties: false,
} as const satisfies Schema;

/** `endpoints/NAME/key.json`: who the endpoint is, and whose. */
export const endpointKeySchema = {
  $id: "endpoint_key",
  type: "object",
  properties: {
    v: { const: 1 },
    identity: identityFileSchema,
    owner: { ...keyRecordSchema, description: "The user that may order this endpoint about." },
  },
  required: ["v", "identity", "owner"],
  additionalProperties: false,
} as const satisfies Schema;

/** What is inside the text of an invite, `gcj1.<base64url of this as JSON>`. */
export const inviteSchema = {
  $id: "invite",
  type: "object",
  properties: {
    url: { type: "string", pattern: "^wss?://", maxLength: 2048, description: "Where the relay answers." },
    relay_id: { ...uuid, description: "Pins the relay: its key hashes to this." },
    cert_sha256: {
      type: "string",
      pattern: "^[0-9a-f]{64}$",
      description: "Fingerprint of the relay's own certificate; absent when a public authority vouches for it.",
    },
    id: { type: "string", pattern: "^[0-9a-f]{16}$", description: "Public name of the invite, to look it up by." },
    secret: { type: "string", pattern: "^[A-Za-z0-9_-]{22}$", description: "128 bits, base64url. Secret." },
    role: { enum: ["user", "endpoint"], description: "What it may be used for." },
  },
  required: ["url", "relay_id", "id", "secret", "role"],
  additionalProperties: false,
} as const satisfies Schema;

/** A principal with its private keys, as kept on disk. */
export type IdentityFile = Static<typeof identityFileSchema>;
export type EndpointKey = Static<typeof endpointKeySchema>;
export type Invite = Static<typeof inviteSchema>;
