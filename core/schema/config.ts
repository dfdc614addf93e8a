/**
 * What people write down: the configuration of an endpoint, and which relays this machine knows. The descriptions here
 * are the comments in a new `config.yaml` (`config/commented_yaml.ts`), so they are written for whoever edits that
 * file.
 */
import { acceleratorsSchema, batchEngineSchema } from "./batch_engine.ts";
import { keyRecordSchema } from "./envelope.ts";
import {
  globusComputeEngineSchema,
  globusMpiEngineSchema,
  processPoolEngineSchema,
  threadPoolEngineSchema,
} from "./globus_engine.ts";
import { containerSchema, cpuAffinitySchema } from "./placement.ts";
import { scheduleSchema } from "./schedule.ts";
import type { Schema, Static } from "./static.ts";

const userIds = { type: "array", items: keyRecordSchema.properties.id, maxItems: 10000 } as const;

export const localEngineSchema = {
  type: "object",
  description: "Runs tasks on this very machine.",
  properties: {
    type: { const: "local" },
    slots: {
      type: "integer",
      minimum: 1,
      maximum: 65536,
      description: "Tasks of one core that run at the same time. Default: as many as the machine has cores.",
      examples: [4],
    },
    workers: {
      type: "integer",
      minimum: 1,
      maximum: 64,
      default: 1,
      description: "Worker processes that share the slots.",
    },
    memory_mib: {
      type: "integer",
      minimum: 1,
      description: "Memory that tasks may ask for altogether, in MiB. Default: what the machine has.",
      examples: [8192],
    },
    available_accelerators: {
      ...acceleratorsSchema,
      description: "GPUs to share out, one to each task: how many, or their names. Default: to those that ask.",
      examples: [4],
    },
    cpu_affinity: { ...cpuAffinitySchema, default: "none" },
    container: containerSchema,
  },
  required: ["type"],
  additionalProperties: false,
} as const satisfies Schema;

export const accessSchema = {
  type: "object",
  description: "Who may submit tasks. The owner always may; everybody else only when it says so here.",
  properties: {
    users: { ...userIds, default: [], description: "Ids of users who may (each finds theirs with: gc whoami)." },
    public: { type: "boolean", default: false, description: "Whether every user of the relay may." },
    deny: { ...userIds, default: [], description: "Ids of users who may not, whatever else is said." },
  },
  required: [],
  additionalProperties: false,
} as const satisfies Schema;

export const allowedCommandSchema = {
  type: "object",
  description: "One command that may run: `argv`, word for word, or the SHA-256 of a script.",
  properties: {
    argv: { type: "array", items: { type: "string" }, minItems: 1, maxItems: 1000 },
    script_sha256: { type: "string", pattern: "^[0-9a-f]{64}$" },
  },
  required: [],
  additionalProperties: false,
} as const satisfies Schema;

/** `endpoints/NAME/config.yaml`. */
export const endpointConfigSchema = {
  $id: "endpoint_config",
  type: "object",
  properties: {
    display_name: {
      type: "string",
      minLength: 1,
      maxLength: 64,
      description: "How listings call this endpoint. Default: its name.",
      examples: ["My workstation"],
    },
    relay: {
      type: "string",
      minLength: 1,
      maxLength: 64,
      description: "The relay that this endpoint works for, by the name that gc context list shows.",
      examples: ["local"],
    },
    engine: {
      type: "object",
      description: "What runs the tasks.",
      oneOf: [
        localEngineSchema,
        batchEngineSchema,
        globusComputeEngineSchema,
        globusMpiEngineSchema,
        threadPoolEngineSchema,
        processPoolEngineSchema,
      ],
      discriminator: { propertyName: "type" },
    },
    schedule: scheduleSchema,
    allow: accessSchema,
    commands: {
      type: "array",
      items: allowedCommandSchema,
      maxItems: 10000,
      description: "The only commands that may run, exactly as written. Default: any command.",
      examples: [[{ argv: ["hostname"] }]],
    },
    allowed_functions: {
      type: "array",
      items: {
        type: "string",
        pattern: "^(sha256:)?[0-9a-f]{64}$|^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$",
      },
      maxItems: 10000,
      description:
        "The only Python functions that may run, by SHA-256 or id (gc function list). Default: any, and none where " +
        "commands are listed.",
      examples: [["sha256:0f343b0931126a20f133d67c2b018a3b1e0c2f0a6f3c5f1d3b0c6b7c9b6f0b5e"]],
    },
    env: {
      type: "object",
      additionalProperties: { type: "string" },
      description: "Variables that every task finds in its environment.",
      examples: [{ OMP_NUM_THREADS: "1" }],
    },
    worker_init: {
      type: "string",
      maxLength: 65536,
      description: "Lines of shell that run once when a worker starts, such as module load or conda activate.",
      examples: ["module load gcc"],
    },
    python: {
      type: "string",
      minLength: 1,
      maxLength: 4096,
      description:
        "What runs Python functions: a path, a name in PATH, venv:DIR, conda:NAME or uv:VERSION. Default: python3.",
      examples: ["venv:~/my-venv"],
    },
    log_level: {
      enum: ["debug", "info", "warn", "error"],
      default: "info",
      description: "How much goes into endpoint.log: debug, info, warn or error.",
    },
  },
  required: ["engine"],
  additionalProperties: false,
} as const satisfies Schema;

/** The configuration of an endpoint, as written. Defaults are filled in by `config/endpoint_config.ts`. */
export type EndpointConfigFile = Static<typeof endpointConfigSchema>;

export const addressSchema = {
  type: "object",
  oneOf: [
    {
      type: "object",
      properties: { kind: { const: "unix" }, path: { type: "string", minLength: 1 } },
      required: ["kind", "path"],
      additionalProperties: false,
    },
    {
      type: "object",
      properties: {
        kind: { const: "url" },
        url: { type: "string", pattern: "^wss?://", maxLength: 2048 },
        ca_pem: { type: "string", description: "The relay's own certificate, which its invite pinned." },
        relay_id: { ...keyRecordSchema.properties.id, description: "The relay must prove that it is this one." },
      },
      required: ["kind", "url"],
      additionalProperties: false,
    },
  ],
  discriminator: { propertyName: "kind" },
} as const satisfies Schema;

/** `contexts.json`: the relays that this machine knows, by name, and the one to talk to. */
export const contextsSchema = {
  $id: "contexts",
  type: "object",
  properties: {
    v: { const: 1 },
    current: { type: "string", minLength: 1, maxLength: 64 },
    contexts: { type: "object", additionalProperties: addressSchema },
  },
  required: ["v", "current", "contexts"],
  additionalProperties: false,
} as const satisfies Schema;

export type ContextsFile = Static<typeof contextsSchema>;

/** `known.json`: endpoints that this machine has seen, so that a name can be used without asking a relay. */
export const knownSchema = {
  $id: "known",
  type: "object",
  properties: {
    v: { const: 1 },
    endpoints: {
      type: "array",
      maxItems: 10000,
      items: {
        type: "object",
        properties: {
          name: { type: "string", maxLength: 64 },
          context: { type: "string", maxLength: 64, description: "The relay at which it was seen." },
          record: keyRecordSchema,
        },
        required: ["name", "context", "record"],
        additionalProperties: false,
      },
    },
  },
  required: ["v", "endpoints"],
  additionalProperties: false,
} as const satisfies Schema;

export type KnownFile = Static<typeof knownSchema>;
