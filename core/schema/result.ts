/** What a task came back with, as it travels from worker to endpoint and, sealed, from endpoint to user. */
import { pythonExceptionSchema, pythonValueSchema } from "./python.ts";
import type { Schema, Static } from "./static.ts";

export const outcomeSchema = {
  type: "object",
  description: "How the task ended. The first cause wins: a task ended for its walltime is never `signal`.",
  properties: {
    class: {
      enum: ["ok", "fail", "cancelled", "rejected", "lost", "poisoned"],
      description: "`ok`: exit 0. `fail`: the command itself failed. The others: it was not allowed to finish.",
    },
    cause: {
      enum: [
        "exit",
        "exception",
        "signal",
        "walltime",
        "cancel",
        "memory",
        "spawn",
        "sandbox",
        "storage",
        "refused",
        "lost",
        "crashes",
      ],
    },
    exit_code: {
      type: "integer",
      minimum: 0,
      maximum: 255,
      description: "Own code; 128+N for signal N; 124 walltime; 125 gc; 126 cannot execute; 127 not found.",
    },
    signal: { type: "string", description: "Name of the signal that ended it, such as SIGSEGV." },
    reason: { type: "string", description: "A sentence for a person, and what to do next." },
  },
  required: ["class", "cause", "exit_code"],
  additionalProperties: false,
} as const satisfies Schema;

export type Outcome = Static<typeof outcomeSchema>;

export const outputSchema = {
  type: "object",
  description: "One captured stream. Exactly one of `text` (valid UTF-8) and `base64` is there when `kept` > 0.",
  properties: {
    total: { type: "integer", minimum: 0, description: "Bytes that the task wrote." },
    kept: { type: "integer", minimum: 0, description: "Bytes of it here: the end of the stream." },
    text: { type: "string" },
    base64: { type: "string" },
  },
  required: ["total", "kept"],
  additionalProperties: false,
} as const satisfies Schema;

export type Output = Static<typeof outputSchema>;

export const resultSchema = {
  $id: "result",
  type: "object",
  properties: {
    outcome: outcomeSchema,
    stdout: outputSchema,
    stderr: outputSchema,
    value: pythonValueSchema,
    exception: pythonExceptionSchema,
    attempt: { type: "integer", minimum: 0, description: "Which attempt this is; 0 when it never started." },
    started_ms: { type: "integer", description: "Wall clock of the worker, milliseconds since 1970." },
    ended_ms: { type: "integer", description: "Wall clock of the worker, milliseconds since 1970." },
    host: { type: "string" },
    cpu_ms: { type: "number", description: "CPU time of the process, milliseconds." },
    rss_max_kib: { type: "integer", description: "Largest resident size, KiB." },
  },
  required: ["outcome", "stdout", "stderr", "attempt", "started_ms", "ended_ms", "host"],
  additionalProperties: false,
} as const satisfies Schema;

export type Result = Static<typeof resultSchema>;

/** The plaintext of a result envelope; `results[i]` belongs to task `indices[i]` of envelope `re`. */
export const resultBodySchema = {
  $id: "result_body",
  type: "object",
  properties: {
    re: { type: "string" },
    from: { type: "string" },
    to: { type: "string" },
    indices: { type: "array", items: { type: "integer", minimum: 0 } },
    results: { type: "array", items: resultSchema },
  },
  required: ["re", "from", "to", "indices", "results"],
  additionalProperties: false,
} as const satisfies Schema;

export type ResultBody = Static<typeof resultBodySchema>;
