/**
 * What a person asks for: one task, as it travels inside a sealed body. Only the two ends of the conversation ever see
 * it; the relay sees the header of the envelope around it (`envelope.ts`).
 */
import { pythonCallSchema, pythonScriptSchema } from "./python.ts";
import type { Schema, Static } from "./static.ts";

/** Where the standard input of a task comes from. */
export const stdinSchema = {
  oneOf: [
    {
      type: "object",
      description: "No input: the task reads end of file at once.",
      properties: { kind: { const: "none" } },
      required: ["kind"],
      additionalProperties: false,
    },
    {
      type: "object",
      description: "The whole input, sent with the task.",
      properties: { kind: { const: "inline" }, base64: { type: "string" } },
      required: ["kind", "base64"],
      additionalProperties: false,
    },
    {
      type: "object",
      description: "Sent by the attached client while the task runs.",
      properties: { kind: { const: "stream" } },
      required: ["kind"],
      additionalProperties: false,
    },
  ],
  discriminator: { propertyName: "kind" },
  type: "object",
} as const satisfies Schema;

export const resourcesSchema = {
  type: "object",
  description: "What the task needs for itself.",
  properties: {
    cores: { type: "integer", minimum: 1, maximum: 65536, default: 1, description: "CPU cores." },
    memory_mib: { type: "integer", minimum: 1, description: "Memory in MiB." },
    gpus: { type: "integer", minimum: 0, default: 0, description: "GPUs." },
    nodes: { type: "integer", minimum: 1, default: 1, description: "Whole nodes." },
    ranks: { type: "integer", minimum: 1, maximum: 10000000, description: "Processes of an MPI program." },
    ranks_per_node: { type: "integer", minimum: 1, maximum: 65536, description: "The same, on each of its nodes." },
    launcher_options: { type: "string", maxLength: 4096, description: "More options for what starts the ranks." },
    exclusive: { type: "boolean", default: false, description: "Nothing else runs beside it on its node." },
  },
  required: [],
  additionalProperties: false,
} as const satisfies Schema;

export const ttySchema = {
  type: "object",
  description: "Run under a pseudo-terminal of this size.",
  properties: {
    columns: { type: "integer", minimum: 1, maximum: 10000 },
    rows: { type: "integer", minimum: 1, maximum: 10000 },
    term: { type: "string", maxLength: 64 },
  },
  required: ["columns", "rows", "term"],
  additionalProperties: false,
} as const satisfies Schema;

export const taskSpecSchema = {
  $id: "task_spec",
  type: "object",
  description: "One task: a command, or a call of a Python function, with its limits.",
  properties: {
    argv: {
      type: "array",
      items: { type: "string" },
      minItems: 1,
      maxItems: 100000,
      description: "Program and arguments; never read by a shell. Either this or one of the next three.",
    },
    script: { type: "string", minLength: 1, description: "Text for `sh -c`." },
    python: pythonCallSchema,
    python_script: pythonScriptSchema,
    env: {
      type: "object",
      additionalProperties: { type: "string" },
      description: "Variables added to the environment.",
    },
    cwd: { type: "string", minLength: 1, description: "Directory to run in; default: the sandbox of the attempt." },
    stdin: stdinSchema,
    tty: ttySchema,
    walltime_s: { type: "number", minimum: 0, description: "Seconds after which the task is ended (result 124)." },
    grace_s: { type: "number", minimum: 0, default: 10, description: "Seconds between TERM and KILL." },
    resources: resourcesSchema,
    on_lost: {
      enum: ["rerun", "fail"],
      default: "rerun",
      description: "What happens when the worker that ran the task is proved dead: run again, or end as lost.",
    },
    retries: { type: "integer", minimum: 0, maximum: 1000, default: 0, description: "Reruns after a failure." },
    sandbox: { type: "boolean", default: true, description: "Give every attempt a directory of its own." },
    output: {
      enum: ["keep", "discard"],
      default: "keep",
      description: "Capture standard output and error, or send them to /dev/null.",
    },
    snippet_lines: {
      type: "integer",
      minimum: 0,
      maximum: 1000000,
      default: 1000,
      description: "Last lines of each stream that come back in the result.",
    },
    label_ranks: { type: "boolean", default: false, description: "Begin each line of output with its rank." },
    attach: { type: "boolean", default: false, description: "The client follows the output from the start." },
    label: { type: "string", maxLength: 200, description: "A name for people." },
    user_endpoint_config: {
      type: "object",
      description: "Values for the template of an endpoint's configuration. An endpoint without one refuses the task.",
    },
  },
  required: [],
  additionalProperties: false,
} as const satisfies Schema;

/** The keys of a task that say what to run; it has exactly one of them. */
export const taskKinds = ["argv", "script", "python", "python_script"] as const;

/** One task as asked for. Units are in the names: seconds, MiB. */
export type TaskSpec = Static<typeof taskSpecSchema>;
export type Stdin = Static<typeof stdinSchema>;
export type Resources = Static<typeof resourcesSchema>;

/**
 * The plaintext of a task envelope. Task `i` is `{...base, ...tasks[i]}`: what all have in common travels once.
 * `from`, `to` and `id` repeat the header and are compared with it after opening.
 */
export const taskBodySchema = {
  $id: "task_body",
  type: "object",
  properties: {
    id: { type: "string" },
    from: { type: "string" },
    to: { type: "string" },
    base: taskSpecSchema,
    tasks: { type: "array", items: taskSpecSchema, minItems: 1, maxItems: 10000 },
  },
  required: ["id", "from", "to", "base", "tasks"],
  additionalProperties: false,
} as const satisfies Schema;

export type TaskBody = Static<typeof taskBodySchema>;
