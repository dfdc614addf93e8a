/**
 * What endpoint and worker say to each other once the session is up (`wire/session.ts`). The endpoint decides which
 * task runs where; the worker decides how it runs and keeps every result until the endpoint says it is in its journal.
 */

import { resultSchema } from "./result.ts";
import type { Schema, Static } from "./static.ts";
import { resourcesSchema, taskSpecSchema } from "./task.ts";

const tid = { type: "string", minLength: 36, maxLength: 36 } as const;
const attempt = { type: "integer", minimum: 1 } as const;
/** Of a task on several nodes; the lead, which runs it, is first. */
const workers = { type: "array", items: { type: "string", maxLength: 64 }, minItems: 1, maxItems: 65536 } as const;
const nodes = { type: "array", items: { type: "string", maxLength: 253 }, minItems: 1, maxItems: 65536 } as const;
const stream = { enum: ["stdout", "stderr"] } as const;

/**
 * Endpoint → worker: run these. Task spec = `{...base, ...over}`. The same (tid, attempt) twice is one run. A task on
 * several nodes goes to one of their workers, the lead, with the host names of all (`nodes`) and their ids (`workers`);
 * the endpoint keeps the others free.
 */
export const runSchema = {
  $id: "worker_run",
  type: "object",
  properties: {
    t: { const: "run" },
    lots: {
      type: "array",
      items: {
        type: "object",
        properties: {
          base: taskSpecSchema,
          tasks: {
            type: "array",
            items: {
              type: "object",
              properties: { tid, attempt, over: taskSpecSchema, nodes, workers },
              required: ["tid", "attempt"],
              additionalProperties: false,
            },
          },
        },
        required: ["base", "tasks"],
        additionalProperties: false,
      },
    },
  },
  required: ["t", "lots"],
  additionalProperties: false,
} as const satisfies Schema;

/** Endpoint → worker: these results are in my journal; forget them. */
export const resultAckSchema = {
  $id: "worker_result_ack",
  type: "object",
  properties: {
    t: { const: "result_ack" },
    done: {
      type: "array",
      items: {
        type: "object",
        properties: { tid, attempt },
        required: ["tid", "attempt"],
        additionalProperties: false,
      },
    },
  },
  required: ["t", "done"],
  additionalProperties: false,
} as const satisfies Schema;

/** Endpoint → worker: end the task (its outcome is `cancelled`), or do not start it. */
export const workerCancelSchema = {
  $id: "worker_cancel",
  type: "object",
  properties: {
    t: { const: "cancel" },
    tid,
    attempt,
    cause: {
      enum: ["cancel", "interrupt"],
      description: "`interrupt`: the endpoint stops; the attempt counts as lost.",
    },
    signal: {
      enum: ["SIGINT", "SIGTERM", "SIGKILL"],
      description: "First signal; KILL follows after the task's grace.",
    },
  },
  required: ["t", "tid", "attempt", "cause"],
  additionalProperties: false,
} as const satisfies Schema;

/** Endpoint → worker: deliver a signal to the task and let it go on (first Ctrl-C of an attached client). */
export const workerSignalSchema = {
  $id: "worker_signal",
  type: "object",
  properties: { t: { const: "signal" }, tid, signal: { enum: ["SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT", "SIGWINCH"] } },
  required: ["t", "tid", "signal"],
  additionalProperties: false,
} as const satisfies Schema;

/**
 * Endpoint → worker: send the output of a task from these offsets on, at most `window` bytes beyond what `follow`
 * last named; a later `follow` for the same `sid` moves the offsets (that is the acknowledgement). `stop` ends it.
 */
export const followSchema = {
  $id: "worker_follow",
  type: "object",
  properties: {
    t: { const: "follow" },
    sid: { type: "string", maxLength: 64, description: "Who follows; chunks carry it back." },
    tid,
    stdout_from: { type: "integer", minimum: 0 },
    stderr_from: { type: "integer", minimum: 0 },
    window: { type: "integer", minimum: 1 },
    stop: { type: "boolean" },
  },
  required: ["t", "sid", "tid", "stdout_from", "stderr_from", "window"],
  additionalProperties: false,
} as const satisfies Schema;

/** Endpoint → worker: typed or piped input, the blob in `bytes[0]`; `offset` is where it belongs; `end` closes it. */
export const inputSchema = {
  $id: "worker_input",
  type: "object",
  properties: {
    t: { const: "input" },
    tid,
    offset: { type: "integer", minimum: 0 },
    end: { type: "boolean" },
    bytes: { type: "array", maxItems: 1 },
  },
  required: ["t", "tid", "offset", "end"],
  additionalProperties: false,
} as const satisfies Schema;

/** Endpoint → worker: the terminal of the attached client has another size now. */
export const resizeSchema = {
  $id: "worker_resize",
  type: "object",
  properties: { t: { const: "resize" }, tid, columns: { type: "integer" }, rows: { type: "integer" } },
  required: ["t", "tid", "columns", "rows"],
  additionalProperties: false,
} as const satisfies Schema;

/** Endpoint → worker: finish what runs (`drain`), or interrupt it (`now`), then exit once results are acknowledged. */
export const workerStopSchema = {
  $id: "worker_stop",
  type: "object",
  properties: { t: { const: "stop" }, how: { enum: ["drain", "now"] } },
  required: ["t", "how"],
  additionalProperties: false,
} as const satisfies Schema;

/** Worker → endpoint, first message of every session: who I am, what I can hold, what I still have. */
export const readySchema = {
  $id: "worker_ready",
  type: "object",
  properties: {
    t: { const: "ready" },
    host: { type: "string" },
    pid: { type: "integer" },
    slots: { type: "integer", minimum: 1, description: "Tasks that may run at the same time." },
    prefetch: { type: "integer", minimum: 0, description: "Tasks it is willing to hold beyond `slots`." },
    resources: resourcesSchema,
    holding: {
      type: "array",
      description: "Every (tid, attempt) that is queued or running here, and every unacknowledged result.",
      items: {
        type: "object",
        properties: { tid, attempt, phase: { enum: ["queued", "running", "finished"] }, workers },
        required: ["tid", "attempt", "phase"],
        additionalProperties: false,
      },
    },
    leaving: { type: "boolean", description: "It starts nothing any more." },
  },
  required: ["t", "host", "pid", "slots", "prefetch", "resources", "holding"],
  additionalProperties: false,
} as const satisfies Schema;

/** Worker → endpoint: what happened. A task that is over before this is sent is only in `finished`. */
export const reportSchema = {
  $id: "worker_report",
  type: "object",
  properties: {
    t: { const: "report" },
    started: {
      type: "array",
      items: {
        type: "object",
        properties: { tid, attempt },
        required: ["tid", "attempt"],
        additionalProperties: false,
      },
    },
    finished: {
      type: "array",
      items: {
        type: "object",
        properties: { tid, attempt, result: resultSchema },
        required: ["tid", "attempt", "result"],
        additionalProperties: false,
      },
    },
  },
  required: ["t", "started", "finished"],
  additionalProperties: false,
} as const satisfies Schema;

/** Worker → endpoint: output that `sid` follows, the bytes in `bytes[0]`. `end`: nothing will come after it. */
export const chunkSchema = {
  $id: "worker_chunk",
  type: "object",
  properties: {
    t: { const: "chunk" },
    sid: { type: "string" },
    tid,
    stream,
    offset: { type: "integer", minimum: 0 },
    end: { type: "boolean" },
    bytes: { type: "array", maxItems: 1 },
  },
  required: ["t", "sid", "tid", "stream", "offset", "end"],
  additionalProperties: false,
} as const satisfies Schema;

/** Worker → endpoint: input up to `offset` has been taken by the task (or thrown away: `closed`, it reads no more). */
export const inputAckSchema = {
  $id: "worker_input_ack",
  type: "object",
  properties: { t: { const: "input_ack" }, tid, offset: { type: "integer" }, closed: { type: "boolean" } },
  required: ["t", "tid", "offset", "closed"],
  additionalProperties: false,
} as const satisfies Schema;

/** Worker → endpoint: whoever gave us this node wants it back, so send nothing more. What was running is reported. */
export const leavingSchema = {
  $id: "worker_leaving",
  type: "object",
  properties: { t: { const: "leaving" } },
  required: ["t"],
  additionalProperties: false,
} as const satisfies Schema;

type Blobs = { bytes?: Uint8Array[] };

export type Run = Static<typeof runSchema>;
export type ResultAck = Static<typeof resultAckSchema>;
export type WorkerCancel = Static<typeof workerCancelSchema>;
export type WorkerSignal = Static<typeof workerSignalSchema>;
export type Follow = Static<typeof followSchema>;
export type Input = Omit<Static<typeof inputSchema>, "bytes"> & Blobs;
export type Resize = Static<typeof resizeSchema>;
export type WorkerStop = Static<typeof workerStopSchema>;
export type Ready = Static<typeof readySchema>;
export type Report = Static<typeof reportSchema>;
export type Chunk = Omit<Static<typeof chunkSchema>, "bytes"> & Blobs;
export type InputAck = Static<typeof inputAckSchema>;

export type Leaving = Static<typeof leavingSchema>;

export type ToWorker = Run | ResultAck | WorkerCancel | WorkerSignal | Follow | Input | Resize | WorkerStop;
export type FromWorker = Ready | Report | Chunk | InputAck | Leaving;
