/**
 * What an SDK in another language says to `gc sdk serve`, a JSON line each (docs/SDK_PROTOCOL.md). Answers are made by
 * gc itself and need no check here. `ref` is the SDK's own number for a request; the answer repeats it.
 */
import { functionBodySchema } from "./function.ts";
import type { Schema, Static } from "./static.ts";
import { taskSpecSchema } from "./task.ts";

/** Version of the protocol; an SDK that wants another one is refused. */
export const sdkProtocol = 1;

const ref = { type: "integer", minimum: 0 } as const;
const id = { type: "string", minLength: 36, maxLength: 36 } as const;
const ids = { type: "array", items: id, maxItems: 10000 } as const;
const group = { type: "string", minLength: 1, maxLength: 200, description: "Id or name of a task group." } as const;
const endpoint = {
  type: "string",
  minLength: 1,
  maxLength: 200,
  description: "Name, id or beginning of one.",
} as const;

export const sdkHelloSchema = {
  type: "object",
  description: "The first line.",
  properties: {
    t: { const: "hello" },
    v: { type: "integer", minimum: 1 },
    sdk: { type: "string", maxLength: 200, description: "Who speaks, for the log." },
  },
  required: ["t", "v"],
} as const satisfies Schema;

export const sdkSubmitSchema = {
  type: "object",
  description: "Hands tasks over. Task `i` is `{...base, ...tasks[i]}`.",
  properties: {
    t: { const: "submit" },
    ref,
    key: {
      type: "string",
      minLength: 8,
      maxLength: 64,
      description: "Made once per batch by the SDK; the same key is the same batch.",
    },
    again: { type: "boolean", description: "A gc that ended may have taken this batch: look for it first." },
    endpoint,
    group,
    priority: { type: "integer", minimum: -1000, maximum: 1000 },
    base: taskSpecSchema,
    tasks: { type: "array", items: taskSpecSchema, minItems: 1, maxItems: 10000 },
  },
  required: ["t", "ref", "key", "base", "tasks"],
} as const satisfies Schema;

export const sdkWatchSchema = {
  type: "object",
  description: "Wants the results of these tasks of a group, those that are there already too.",
  properties: { t: { const: "watch" }, ref, group, ids },
  required: ["t", "ref", "group", "ids"],
} as const satisfies Schema;

export const sdkReloadSchema = {
  type: "object",
  description: "Which tasks are in this group? Their results follow as with `watch`.",
  properties: { t: { const: "reload" }, ref, group },
  required: ["t", "ref", "group"],
} as const satisfies Schema;

export const sdkCancelSchema = {
  type: "object",
  properties: { t: { const: "cancel" }, ref, ids },
  required: ["t", "ref", "ids"],
} as const satisfies Schema;

export const sdkStatusSchema = {
  type: "object",
  description: "Where do these tasks stand? With `results`, those that have ended bring their result.",
  properties: { t: { const: "status" }, ref, ids, results: { type: "boolean" } },
  required: ["t", "ref", "ids"],
} as const satisfies Schema;

export const sdkEndpointsSchema = {
  type: "object",
  properties: { t: { const: "endpoints" }, ref },
  required: ["t", "ref"],
} as const satisfies Schema;

export const sdkEndpointSchema = {
  type: "object",
  description: "How is this endpoint? Without a name: the default one.",
  properties: { t: { const: "endpoint" }, ref, endpoint },
  required: ["t", "ref"],
} as const satisfies Schema;

export const sdkWhoamiSchema = {
  type: "object",
  properties: { t: { const: "whoami" }, ref },
  required: ["t", "ref"],
} as const satisfies Schema;

const said = {
  type: "string",
  minLength: 1,
  maxLength: 200,
  description: "Id, SHA-256 or name of a function.",
} as const;

export const sdkRegisterSchema = {
  type: "object",
  description: "Keeps a function under its id, signed by this user.",
  properties: {
    t: { const: "register" },
    ref,
    name: { type: "string", minLength: 1, maxLength: 200 },
    description: { type: "string", maxLength: 2000 },
    body: functionBodySchema,
  },
  required: ["t", "ref", "name", "body"],
} as const satisfies Schema;

export const sdkFunctionSchema = {
  type: "object",
  description: "What is this registered function?",
  properties: { t: { const: "function" }, ref, function: said },
  required: ["t", "ref", "function"],
} as const satisfies Schema;

export const sdkForgetSchema = {
  type: "object",
  description: "Deletes a registered function here.",
  properties: { t: { const: "forget" }, ref, function: said },
  required: ["t", "ref", "function"],
} as const satisfies Schema;

/** Any line of an SDK. */
export const sdkRequestSchema = {
  $id: "sdk_request",
  type: "object",
  oneOf: [
    sdkHelloSchema,
    sdkSubmitSchema,
    sdkWatchSchema,
    sdkReloadSchema,
    sdkCancelSchema,
    sdkStatusSchema,
    sdkEndpointsSchema,
    sdkEndpointSchema,
    sdkWhoamiSchema,
    sdkRegisterSchema,
    sdkFunctionSchema,
    sdkForgetSchema,
  ],
  discriminator: { propertyName: "t" },
} as const satisfies Schema;

export type SdkRequest = Static<typeof sdkRequestSchema>;
export type SdkSubmit = Static<typeof sdkSubmitSchema>;
export type SdkAsk = Exclude<SdkRequest, { t: "hello" } | { t: "submit" }>;
