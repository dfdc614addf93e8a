/**
 * A call of a Python function as it is asked for, and what came of it. The tags of values that JSON lacks are described
 * in docs/PYTHON.md; the program that makes and reads them on the worker is `core/python/runner.py`.
 */
import type { Schema, Static } from "./static.ts";

const version = {
  type: "string",
  pattern: "^[0-9]{1,4}[.][0-9]{1,4}([.][0-9A-Za-z+]{1,32})?$",
  description: "The Python that made it, such as 3.12.1.",
} as const satisfies Schema;

const jsonText = {
  type: "object",
  properties: {
    kind: { const: "json" },
    text: { type: "string", minLength: 1, description: "JSON in which what JSON lacks is tagged by `$gc`." },
  },
  required: ["kind", "text"],
  additionalProperties: false,
} as const satisfies Schema;

const serializer = { enum: ["pickle", "cloudpickle", "dill"], default: "pickle" } as const satisfies Schema;

const pickledInput = {
  type: "object",
  description: "Only read by the same minor version of Python, and of the serializer where that is a package.",
  properties: {
    kind: { const: "pickle" },
    base64: { type: "string", minLength: 1 },
    version,
    serializer,
    serializer_version: { type: "string", minLength: 1, maxLength: 64, description: "Of cloudpickle or dill." },
  },
  required: ["kind", "base64", "version"],
  additionalProperties: false,
} as const satisfies Schema;

const entry = {
  type: "string",
  pattern: "^[^\\s.]{1,200}([.][^\\s.]{1,200}){0,9}$",
  description: "Name of the function; dots lead into classes.",
} as const satisfies Schema;

export const sourceCodeSchema = {
  type: "object",
  description: "Text of a module that defines it.",
  properties: { kind: { const: "source" }, source: { type: "string", minLength: 1 }, entry },
  required: ["kind", "source", "entry"],
  additionalProperties: false,
} as const satisfies Schema;

export const importedCodeSchema = {
  type: "object",
  description: "A module that the worker's Python can import.",
  properties: { kind: { const: "import" }, module: { type: "string", minLength: 1, maxLength: 1000 }, entry },
  required: ["kind", "module", "entry"],
  additionalProperties: false,
} as const satisfies Schema;

export { pickledInput as pickledCodeSchema };

export const pythonCodeSchema = {
  type: "object",
  description: "The function.",
  oneOf: [sourceCodeSchema, importedCodeSchema, pickledInput],
  discriminator: { propertyName: "kind" },
} as const satisfies Schema;

export const pythonCallSchema = {
  type: "object",
  description: "A call of a Python function.",
  properties: {
    code: pythonCodeSchema,
    function: {
      type: "string",
      pattern: "^([0-9a-f]{64}|[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12})$",
      description: "The registered function that this is: its id or SHA-256. Refused when the code is another one.",
    },
    arguments: {
      type: "object",
      description: 'What it is called with: {"args": [...], "kwargs": {...}} as JSON, or a pickle of that pair.',
      oneOf: [jsonText, pickledInput],
      discriminator: { propertyName: "kind" },
    },
    interpreter: {
      type: "string",
      minLength: 1,
      maxLength: 4096,
      description: "Python to run it: a path, or a name in PATH. Default: what the endpoint's configuration says.",
    },
    result: {
      enum: ["json", "pickle"],
      default: "json",
      description: "How the value comes back. A pickle is only read by the same minor version of Python.",
    },
  },
  required: ["code", "arguments"],
  additionalProperties: false,
} as const satisfies Schema;

/** A whole program in Python, with what PEP 723 says at its head. */
export const pythonScriptSchema = {
  type: "object",
  description:
    "A Python script that travels with the task; the endpoint's Python runs it, or uv when it needs packages.",
  properties: {
    name: { type: "string", minLength: 1, maxLength: 200, pattern: "^[^/\\0]+$", description: "Its file's name." },
    source: { type: "string", description: "Its text." },
    args: { type: "array", items: { type: "string" }, maxItems: 100000, description: "`sys.argv[1:]`." },
    interpreter: {
      type: "string",
      minLength: 1,
      maxLength: 4096,
      description: "Python that runs it and has what it needs. Default: what the endpoint's configuration says.",
    },
    dependencies: {
      type: "array",
      items: { type: "string", maxLength: 1000 },
      maxItems: 1000,
      description: "Packages that its metadata names; uv installs them.",
    },
    requires_python: { type: "string", maxLength: 200, description: 'Such as ">=3.11".' },
  },
  required: ["name", "source", "args"],
  additionalProperties: false,
} as const satisfies Schema;

export const pythonValueSchema = {
  type: "object",
  description: "What the function returned.",
  oneOf: [
    jsonText,
    {
      type: "object",
      properties: {
        kind: { const: "pickle" },
        base64: { type: "string", minLength: 1 },
        version,
        serializer: { enum: ["cloudpickle", "dill"], description: "Where pickle could not." },
        serializer_version: { type: "string", minLength: 1, maxLength: 64 },
      },
      required: ["kind", "base64", "version"],
      additionalProperties: false,
    },
  ],
  discriminator: { propertyName: "kind" },
} as const satisfies Schema;

export const pythonExceptionSchema = {
  type: "object",
  description: "What the function raised instead of returning.",
  properties: {
    type: { type: "string", description: "Name of its class, as far as it has dots: of its `__qualname__`." },
    module: { type: "string", description: "Module of its class, such as builtins." },
    message: { type: "string", description: "`str` of it." },
    traceback: { type: "string", description: "As Python prints it, with what caused it." },
    args: { type: "string", description: "Its `args`, as JSON in which what JSON lacks is tagged; if they can be." },
  },
  required: ["type", "module", "message", "traceback"],
  additionalProperties: false,
} as const satisfies Schema;

/** What the program on the worker answers to a call; `left`: why that process should not be used again. */
export const pythonReplySchema = {
  $id: "python_reply",
  type: "object",
  properties: {
    version: { type: "string" },
    value: pythonValueSchema,
    exception: pythonExceptionSchema,
    cpu_ms: { type: "number", minimum: 0 },
    left: { type: "string" },
    again: { type: "boolean", description: "Nothing was run: the module has changed since it was imported." },
  },
  required: [],
  additionalProperties: false,
} as const satisfies Schema;

export type PythonScript = Static<typeof pythonScriptSchema>;
export type PythonCall = Static<typeof pythonCallSchema>;
export type PythonReply = Static<typeof pythonReplySchema>;
export type PythonCode = Static<typeof pythonCodeSchema>;
export type PythonValue = Static<typeof pythonValueSchema>;
export type PythonException = Static<typeof pythonExceptionSchema>;
