/**
 * A registered function: what it is, who made it, and its owner's signature. Lies in `GC_HOME/functions`, and goes from
 * person to person as it is. Its id is a hash of `body`, so the same function has the same id everywhere.
 */
import { keyRecordSchema } from "./envelope.ts";
import { importedCodeSchema, pickledCodeSchema, sourceCodeSchema } from "./python.ts";
import type { Schema, Static } from "./static.ts";

export const functionBodySchema = {
  type: "object",
  description: "What it is: code as a task carries it, or a command that an SDK fills in.",
  oneOf: [
    sourceCodeSchema,
    importedCodeSchema,
    pickledCodeSchema,
    {
      type: "object",
      properties: {
        kind: { const: "shell" },
        fields: {
          type: "object",
          description: "What a ShellFunction was made with, in the words of the SDK.",
          properties: { cmd: { type: "string" } },
          required: ["cmd"],
        },
      },
      required: ["kind", "fields"],
      additionalProperties: false,
    },
  ],
  discriminator: { propertyName: "kind" },
} as const satisfies Schema;

/** What the owner signs, as text. */
export const functionStatementSchema = {
  $id: "function_statement",
  type: "object",
  properties: {
    v: { const: 1 },
    name: { type: "string", minLength: 1, maxLength: 200, description: "What people call it." },
    description: { type: "string", maxLength: 2000 },
    owner: { ...keyRecordSchema.properties.id, description: "Who registered it." },
    created_ms: { type: "integer", minimum: 0 },
    body: functionBodySchema,
  },
  required: ["v", "name", "owner", "created_ms", "body"],
  additionalProperties: false,
} as const satisfies Schema;

/** The document: bytes are signed, never an object that is written anew. */
export const functionFileSchema = {
  $id: "function_file",
  type: "object",
  properties: {
    format: { const: "gc/function/v1" },
    id: { ...keyRecordSchema.properties.id, description: "For people; what counts is the hash of the body." },
    sha256: { type: "string", pattern: "^[0-9a-f]{64}$", description: "The same in full, for allow-lists." },
    statement: { type: "string", minLength: 2, description: "A function_statement, as it was signed." },
    owner: keyRecordSchema,
    sig: { type: "string", minLength: 1, maxLength: 100, description: "Ed25519, base64url." },
  },
  required: ["format", "id", "sha256", "statement", "owner", "sig"],
  additionalProperties: false,
} as const satisfies Schema;

export type FunctionBody = Static<typeof functionBodySchema>;
export type FunctionStatement = Static<typeof functionStatementSchema>;
export type FunctionFile = Static<typeof functionFileSchema>;
