/**
 * `worker.json`: what an endpoint writes into the directory of a worker before it starts it with `gc __worker DIR`. It
 * holds the secret of the link, so the file has mode 0600 and the secret is never in argv or environment.
 */

import { reachWays } from "./batch_engine.ts";
import { mpiSettingsSchema } from "./launcher.ts";
import { containerTypes, cpuAffinitySchema } from "./placement.ts";
import type { Schema, Static } from "./static.ts";
import { resourcesSchema } from "./task.ts";

export const workerFileSchema = {
  $id: "worker_file",
  type: "object",
  properties: {
    v: { const: 1 },
    id: { type: "string", minLength: 1, maxLength: 64 },
    endpoint_id: { type: "string", minLength: 1, maxLength: 64 },
    link: {
      type: "object",
      description: "unix: a socket of this machine. door: a file that tells where the endpoint listens (door.json).",
      properties: {
        kind: { enum: ["unix", "door"] },
        path: { type: "string", minLength: 1 },
        reach: { type: "array", items: { enum: reachWays }, minItems: 1, maxItems: 2 },
        mailbox: { type: "string", minLength: 1, description: "Folder for messages, where `reach` says shared." },
      },
      required: ["kind", "path"],
      additionalProperties: false,
    },
    secret: { type: "string", pattern: "^[A-Za-z0-9_-]{43}$", description: "32 bytes, base64url. Secret." },
    slots: { type: "integer", minimum: 1, maximum: 65536, description: "Tasks that may run at the same time." },
    cores_per_slot: {
      type: "number",
      minimum: 0,
      description:
        "For workers of blocks: a node has as many slots as it has such shares of cores, but at most `slots`.",
    },
    memory_mib_per_slot: {
      type: "integer",
      minimum: 1,
      description: "Memory of a task that names none; a node of a block has no more slots than such shares.",
    },
    accelerators: {
      type: "array",
      items: { type: "string", minLength: 1, maxLength: 128 },
      maxItems: 1024,
      description: "Names of the accelerators that are lent to tasks, each to one at a time.",
    },
    accelerator_each: {
      type: "boolean",
      default: false,
      description: "Every task gets one accelerator unless it says otherwise. Default: those that ask.",
    },
    cpu_affinity: { ...cpuAffinitySchema, default: "none" },
    container: {
      type: "object",
      description: "Tasks run inside this image.",
      properties: {
        type: { enum: containerTypes },
        image: { type: "string", minLength: 1, maxLength: 4096 },
        options: { type: "array", items: { type: "string" }, description: "Words for the container program." },
      },
      required: ["type", "options"],
      additionalProperties: false,
    },
    prefetch: { type: "integer", minimum: 0, description: "Tasks to hold beyond `slots`." },
    sandboxes: { type: "string", minLength: 1, description: "Directory for sandboxes, best on a local disk." },
    outputs: { type: "string", minLength: 1, description: "Directory for output that is larger than a result holds." },
    resources: resourcesSchema,
    env: {
      type: "object",
      additionalProperties: { type: "string" },
      description: "Added to every task's environment.",
    },
    mpi: mpiSettingsSchema,
    init: { type: "string", description: "Lines of shell that run once before the first task (worker_init)." },
    python: { type: "string", minLength: 1, maxLength: 4096, description: "Python for functions that name none." },
    keep_sandboxes: { type: "boolean", default: false, description: "Keep sandboxes of tasks that failed." },
    simulate: { type: "boolean", default: false, description: "For benchmarks: every task ends at once, none is run." },
  },
  required: [
    "v",
    "id",
    "endpoint_id",
    "link",
    "secret",
    "slots",
    "prefetch",
    "sandboxes",
    "outputs",
    "resources",
    "env",
  ],
  additionalProperties: false,
} as const satisfies Schema;

/** `door.json`: where workers on other machines find their endpoint, read before every attempt. */
export const doorSchema = {
  $id: "door",
  type: "object",
  properties: {
    v: { const: 1 },
    endpoint_id: { type: "string" },
    port: { type: "integer", minimum: 1, maximum: 65535 },
    addresses: { type: "array", items: { type: "string", minLength: 1 }, minItems: 1 },
    ca_pem: { type: "string", minLength: 1 },
  },
  required: ["v", "endpoint_id", "port", "addresses", "ca_pem"],
} as const satisfies Schema;

export type Door = Static<typeof doorSchema>;
export type WorkerFile = Static<typeof workerFileSchema>;
