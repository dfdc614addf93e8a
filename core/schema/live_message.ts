/**
 * What a connected user and an endpoint say to each other inside live envelopes: followed output, typed input,
 * questions and the owner's orders. Sealed and signed like everything else; never stored; every message may be lost, so
 * all of them are repeatable: output and input go by offset, questions and orders by `rid`.
 */
import { resultSchema } from "./result.ts";
import type { Schema, Static } from "./static.ts";
import {
  chunkSchema,
  followSchema,
  inputAckSchema,
  inputSchema,
  resizeSchema,
  workerSignalSchema,
} from "./worker_message.ts";

const tid = { type: "string", minLength: 36, maxLength: 36 } as const;
const rid = { type: "integer", minimum: 0 } as const;

/** User → endpoint: where do these tasks stand, and why? */
export const askTasksSchema = {
  $id: "ask_tasks",
  type: "object",
  properties: { t: { const: "ask_tasks" }, rid, tids: { type: "array", items: tid, maxItems: 1000 } },
  required: ["t", "rid", "tids"],
} as const satisfies Schema;

export const taskStandingSchema = {
  type: "object",
  properties: {
    tid,
    phase: { enum: ["unknown", "waiting", "sent", "running", "suspect", "finished"] },
    attempt: { type: "integer" },
    reason: { type: "string", description: "What it waits for, or how it ended; a sentence." },
    hint: { type: "string", description: "A command to type; NAME stands for the endpoint." },
    stalled: { type: "boolean", description: "It will not go on before somebody does something." },
    host: { type: "string" },
    result: resultSchema,
  },
  required: ["tid", "phase", "attempt", "reason"],
} as const satisfies Schema;

/** Endpoint → user, in the order asked. */
export const tasksAnswerSchema = {
  $id: "answer_tasks",
  type: "object",
  properties: { t: { const: "answer_tasks" }, re: rid, tasks: { type: "array", items: taskStandingSchema } },
  required: ["t", "re", "tasks"],
} as const satisfies Schema;

/** User → endpoint: how are you? Answer: `answer_status`. */
export const askStatusSchema = {
  $id: "ask_status",
  type: "object",
  properties: { t: { const: "ask_status" }, rid },
  required: ["t", "rid"],
} as const satisfies Schema;

export const blockInfoSchema = {
  type: "object",
  description: "A pilot job of the endpoint, living or lately ended.",
  properties: {
    id: { type: "string" },
    name: { type: "string", description: "What the scheduler calls it." },
    job: { type: "string", description: "Its id at the scheduler, once known." },
    state: {
      type: "string",
      description: "submitting, pending, held, running, completing, leaving, ending, over, unknown.",
    },
    reason: { type: "string", description: "Why it waits or how it ended, in the words of the scheduler." },
    nodes: { type: "integer" },
    walltime_s: { type: "integer" },
    planned_ms: { type: "integer" },
    started_ms: { type: "integer" },
    ended_ms: { type: "integer" },
    start_estimate_ms: { type: "integer", description: "When the scheduler expects it to start." },
    workers: { type: "integer" },
    running: { type: "integer", description: "Tasks that its workers have." },
    last_words: { type: "string", description: "The end of its standard error. For the owner only." },
  },
  required: ["id", "name", "state", "nodes", "walltime_s", "planned_ms", "workers", "running"],
} as const satisfies Schema;

export const statusAnswerSchema = {
  $id: "answer_status",
  type: "object",
  properties: {
    t: { const: "answer_status" },
    re: rid,
    boot: { type: "string", description: "Random per start of the endpoint; an order must name it." },
    host: { type: "string" },
    pid: { type: "integer" },
    since_ms: { type: "integer" },
    software: { type: "string" },
    state: { enum: ["running", "draining", "paused"] },
    reason: { type: "string" },
    waiting: { type: "integer" },
    running: { type: "integer" },
    unreported: { type: "integer", description: "Finished tasks whose result the relay does not have yet." },
    workers: {
      type: "array",
      items: {
        type: "object",
        properties: {
          id: { type: "string" },
          host: { type: "string" },
          pid: { type: "integer" },
          slots: { type: "integer" },
          running: { type: "integer" },
          connected: { type: "boolean" },
        },
        required: ["id", "host", "pid", "slots", "running", "connected"],
      },
    },
    blocks: { type: "array", items: blockInfoSchema, description: "Only where the engine runs blocks." },
    blocks_kept: { type: "integer", description: "Blocks that are kept when there is nothing to do." },
    blocks_max: { type: "integer" },
  },
  required: [
    "t",
    "re",
    "boot",
    "host",
    "pid",
    "since_ms",
    "software",
    "state",
    "waiting",
    "running",
    "unreported",
    "workers",
  ],
} as const satisfies Schema;

/** Owner → endpoint: do this. `boot` from a status answer, so that an old order cannot be played again. Answer:
 * `done`. */
export const orderSchema = {
  $id: "order",
  type: "object",
  properties: {
    t: { const: "order" },
    rid,
    boot: { type: "string" },
    what: { enum: ["stop", "drain", "pause", "resume", "scale"] },
    blocks: {
      type: "integer",
      minimum: 0,
      maximum: 100000,
      description: "With scale: blocks to keep from now on; without it, as many as the configuration says.",
    },
  },
  required: ["t", "rid", "boot", "what"],
} as const satisfies Schema;

export const doneSchema = {
  $id: "done",
  type: "object",
  properties: {
    t: { const: "done" },
    re: rid,
    ok: { type: "boolean" },
    message: { type: "string" },
    interrupted: { type: "integer", description: "Running tasks that were ended and will run again." },
  },
  required: ["t", "re", "ok", "message"],
} as const satisfies Schema;

/** User → endpoint: the log of the endpoint itself, last `lines`. Owner only. Answer: `answer_log`. */
export const askLogSchema = {
  $id: "ask_log",
  type: "object",
  properties: { t: { const: "ask_log" }, rid, lines: { type: "integer", minimum: 1, maximum: 10000 } },
  required: ["t", "rid", "lines"],
} as const satisfies Schema;

export const logAnswerSchema = {
  $id: "answer_log",
  type: "object",
  properties: { t: { const: "answer_log" }, re: rid, text: { type: "string" } },
  required: ["t", "re", "text"],
} as const satisfies Schema;

/** Schemas of what a user may say live. */
export const fromUserLive = [
  followSchema,
  inputSchema,
  workerSignalSchema,
  resizeSchema,
  askTasksSchema,
  askStatusSchema,
  askLogSchema,
  orderSchema,
] as const;

/** Schemas of what an endpoint may say live. */
export const fromEndpointLive = [
  chunkSchema,
  inputAckSchema,
  tasksAnswerSchema,
  statusAnswerSchema,
  logAnswerSchema,
  doneSchema,
] as const;

export type AskTasks = Static<typeof askTasksSchema>;
export type TaskStanding = Static<typeof taskStandingSchema>;
export type TasksAnswer = Static<typeof tasksAnswerSchema>;
export type AskStatus = Static<typeof askStatusSchema>;
export type BlockInfo = Static<typeof blockInfoSchema>;
export type StatusAnswer = Static<typeof statusAnswerSchema>;
export type Order = Static<typeof orderSchema>;
export type Done = Static<typeof doneSchema>;
export type AskLog = Static<typeof askLogSchema>;
export type LogAnswer = Static<typeof logAnswerSchema>;
