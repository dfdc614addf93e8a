/**
 * The configuration of an endpoint: `config.yaml` → checked value with defaults. Everything that is wrong with the file
 * is told with line, column and what would be right, before anything starts.
 */
import { GcError } from "../errors.ts";
import { readIfThere } from "../host/files.ts";
import { spanPattern } from "../schema/batch_engine.ts";
import { type EndpointConfigFile, endpointConfigSchema } from "../schema/config.ts";
import { keyRecordSchema } from "../schema/envelope.ts";
import type { Schedule } from "../schema/schedule.ts";
import type { Schema } from "../schema/static.ts";
import type { Problem } from "../schema/validate.ts";
import { checkEndpointConfig } from "../schema/validate_settings.ts";
import { configError, parseYaml, type YamlDocument } from "./document.ts";
import { type EngineConfig, engineConfig } from "./engine_config.ts";
import { nearest } from "./nearest.ts";
import { checkedSchedule } from "./schedule.ts";

/** Tells where the keys of a configuration stand. */
export type Places = Pick<YamlDocument, "placeOf" | "placeOfKey">;

/** One command that an endpoint allows: exactly this argv, or the script with this hash. */
export type AllowedCommand = { readonly argv: readonly string[] } | { readonly script_sha256: string };

/** A configuration, with every default filled in that does not depend on the machine. */
export interface EndpointConfig {
  readonly display_name?: string;
  /** Name of the context to work for. */
  readonly relay?: string;
  readonly engine: EngineConfig;
  /** Undefined: blocks may be asked for at any time. */
  readonly schedule?: Schedule;
  readonly allow: { readonly users: readonly string[]; readonly public: boolean; readonly deny: readonly string[] };
  /** Undefined: any command. */
  readonly commands?: readonly AllowedCommand[];
  /** Ids, or SHA-256 with or without `sha256:`. Undefined: any Python function, and none where commands are listed. */
  readonly allowed_functions?: readonly string[];
  readonly env: { readonly [name: string]: string };
  readonly worker_init?: string;
  readonly python?: string;
  readonly log_level: "debug" | "info" | "warn" | "error";
}

/**
 * Reads and checks the configuration at `path`.
 * @throws GcError config `config.*` with the place; missing `config.missing` when there is no such file.
 */
export function loadEndpointConfig(path: string): EndpointConfig {
  const bytes = readIfThere(path);
  if (bytes === undefined) {
    throw new GcError("missing", "config.missing", `There is no configuration "${path}"`, {
      hint: "gc endpoint configure NAME",
    });
  }
  return parseEndpointConfig(bytes, path);
}

/** Checks the text of a configuration; `path` is for errors. */
export function parseEndpointConfig(bytes: Uint8Array, path: string): EndpointConfig {
  const document = parseYaml(bytes, path);
  return checkedConfig(document.value ?? {}, document, path);
}

/**
 * Checks a configuration whose keys stand in a document, not necessarily at the same places: `document` tells where.
 * @throws GcError config `config.*` with the place.
 */
export function checkedConfig(given: unknown, document: Places, path: string): EndpointConfig {
  const written = withoutEmpty(given);
  const checked = checkEndpointConfig(written);
  if ("wrong" in checked) throw problemError(checked.wrong, written, document, path);
  const value = checked.right;
  checkCommands(value, document, path);
  checkEnv(value, document, path);
  const complainOf = (top: string) => (keys: readonly string[], what: string) => {
    const steps = [top, ...keys];
    return configError("config.bad_value", `"${steps.join(".")}" ${what}`, path, document.placeOf(steps));
  };
  const engine = engineConfig(value.engine, complainOf("engine"));
  const { schedule: said } = value;
  const schedule = said === undefined ? undefined : checkedSchedule(said, complainOf("schedule"));
  if (schedule !== undefined && engine.type !== "batch") {
    throw complainOf("schedule")([], 'is for engines of blocks, and this one is of type "local"');
  }
  return withDefaults(value, engine, schedule);
}

/** A key below which everything is commented out counts as not there; in an engine, every key without a value. */
function withoutEmpty(value: unknown, deep = false): unknown {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return value;
  const filled = Object.entries(value).filter(([, inner]) => inner !== null);
  return Object.fromEntries(
    filled.map(([key, inner]) => [key, deep || key === "engine" ? withoutEmpty(inner, true) : inner]),
  );
}

function withDefaults(file: EndpointConfigFile, engine: EngineConfig, schedule: Schedule | undefined): EndpointConfig {
  const { allow, env, log_level, commands, engine: _, schedule: _said, ...rest } = file;
  return {
    ...rest,
    engine,
    ...(schedule === undefined ? {} : { schedule }),
    allow: { users: allow?.users ?? [], public: allow?.public ?? false, deny: allow?.deny ?? [] },
    ...(commands === undefined ? {} : { commands: commands as AllowedCommand[] }),
    env: env ?? {},
    ...ownInit(file.engine),
    log_level: log_level ?? "info",
  };
}

/** Globus Compute's form has these lines at the provider, which an engine of this machine does not keep. */
function ownInit(engine: EndpointConfigFile["engine"]): Pick<EndpointConfig, "worker_init"> {
  const { provider } = engine as { provider?: { type?: string; worker_init?: string } };
  if (provider?.type !== "LocalProvider" || provider.worker_init === undefined) return {};
  return { worker_init: provider.worker_init };
}

/** A failed rule as a sentence with its place and, for a mistyped word, what was probably meant. */
function problemError(problem: Problem, value: unknown, document: Places, path: string): GcError {
  const steps = problem.path
    .split("/")
    .slice(1)
    .map((step) => step.replaceAll("~1", "/").replaceAll("~0", "~"));
  const name = steps.length === 0 ? "The configuration" : `"${steps.join(".")}"`;
  const { additionalProperty: unknown, missingProperty: missing, allowedValues: allowed, tag } = problem.params;
  const found = steps.reduce<unknown>((at, step) => (at as { [key: string]: unknown } | undefined)?.[step], value);
  if (typeof unknown === "string") {
    const what = `Unknown key ${JSON.stringify(unknown)}${suggestion(unknown, steps, value)}`;
    return configError("config.unknown_key", what, path, document.placeOfKey(steps, unknown));
  }
  if (typeof missing === "string") {
    const mistyped = mistypedFor(missing, found, steps, value);
    if (mistyped !== undefined) {
      const what = `Unknown key ${JSON.stringify(mistyped)}; did you mean "${missing}"?`;
      return configError("config.unknown_key", what, path, document.placeOfKey(steps, mistyped));
    }
    return configError("config.missing_key", `${name} lacks the key "${missing}"`, path, document.placeOf(steps));
  }
  if (Array.isArray(allowed)) {
    const meant = nearest(String(found), allowed.map(String));
    const guess = meant === undefined ? "" : `; did you mean "${meant}"?`;
    const what = `${name} is ${shown(found)}, not one of ${allowed.map((word) => `"${word}"`).join(", ")}${guess}`;
    return configError("config.bad_value", what, path, document.placeOf(steps));
  }
  if (typeof tag === "string") {
    const [tagged, words] = [(found as { [key: string]: unknown } | undefined)?.[tag], tagValues(steps, value)];
    const known = words.map((word) => `"${word}"`).join(", ");
    const meant = typeof tagged === "string" ? nearest(tagged, words) : undefined;
    const guess = meant === undefined ? "" : `; did you mean "${meant}"?`;
    const what = `"${[...steps, tag].join(".")}" is ${shown(tagged)}, not one of ${known}${guess}`;
    return configError("config.bad_value", what, path, document.placeOf([...steps, tag]));
  }
  const rule = typeof problem.params.pattern === "string" ? formOf(problem.params.pattern) : `it ${problem.message}`;
  return configError("config.bad_value", `${name} is ${shown(found)}; ${rule}`, path, document.placeOf(steps));
}

/** The key of the file that was probably meant to be the missing one. */
function mistypedFor(missing: string, found: unknown, steps: readonly string[], value: unknown): string | undefined {
  if (typeof found !== "object" || found === null) return undefined;
  const known = keysAt(schemaAt(steps, value));
  return Object.keys(found).find((key) => !known.includes(key) && nearest(key, known) === missing);
}

/** What a pattern asks for, in words. */
function formOf(pattern: string): string {
  if (pattern === keyRecordSchema.properties.id.pattern) return "it must be a full id, as gc whoami prints it";
  if (pattern === spanPattern) return "it must be a span of time, such as 01:30:00 or 90m";
  return `it must match ${pattern}`;
}

/** What was meant by an unknown key: a similar one beside it, or the same one elsewhere. */
function suggestion(key: string, steps: readonly string[], value: unknown): string {
  const here = keysAt(schemaAt(steps, value));
  const meant = nearest(key, here);
  if (meant !== undefined) return `; did you mean "${meant}"?`;
  const elsewhere = placesOf(key, endpointConfigSchema, value, []);
  if (elsewhere !== undefined) {
    return elsewhere.length === 0 ? "; it belongs at the top level" : `; it belongs under "${elsewhere.join(".")}"`;
  }
  return here.length === 0 ? "" : `; known here: ${here.join(", ")}`;
}

function schemaAt(steps: readonly string[], value: unknown): Schema | undefined {
  let at: Schema | undefined = endpointConfigSchema;
  let found = value;
  for (const step of steps) {
    found = (found as { [key: string]: unknown } | undefined)?.[step];
    at = /^\d+$/.test(step) && at?.items !== undefined ? at.items : branch(at)?.properties?.[step];
    const name: string | undefined = at?.discriminator?.propertyName;
    if (name === undefined) continue;
    const tag = (found as { [key: string]: unknown } | undefined)?.[name];
    at = at?.oneOf?.find((one) => one.properties?.[name]?.const === tag) ?? at;
  }
  return at;
}

/** What of a schema has the keys: of several, the one that `value` chose by its tag. */
function branch(schema: Schema | undefined, value?: unknown): Schema | undefined {
  if (schema?.properties !== undefined) return schema;
  const tag = schema?.discriminator?.propertyName;
  const chosen = tag === undefined ? undefined : (value as { [key: string]: unknown } | undefined)?.[tag];
  return schema?.oneOf?.find((one) => one.properties?.[tag ?? ""]?.const === chosen) ?? schema?.oneOf?.[0] ?? schema;
}

function keysAt(schema: Schema | undefined): string[] {
  return Object.keys(branch(schema)?.properties ?? {});
}

/** Under which keys `key` would be right, or undefined when nowhere. */
function placesOf(
  key: string,
  schema: Schema,
  value: unknown,
  above: readonly string[],
): readonly string[] | undefined {
  const properties = branch(schema, value)?.properties ?? {};
  if (Object.hasOwn(properties, key)) return above;
  for (const [name, inner] of Object.entries(properties)) {
    const found = placesOf(key, inner, (value as { [key: string]: unknown } | undefined)?.[name], [...above, name]);
    if (found !== undefined) return found;
  }
  return undefined;
}

function tagValues(steps: readonly string[], value: unknown): string[] {
  const schema = schemaAt(steps, value);
  const tag = schema?.discriminator?.propertyName ?? "";
  return (schema?.oneOf ?? []).map((one) => String(one.properties?.[tag]?.const));
}

function shown(value: unknown): string {
  if (value === undefined) return "missing";
  const text = JSON.stringify(value) ?? String(value);
  return text.length > 80 ? `${text.slice(0, 77)}...` : text;
}

function checkCommands(file: EndpointConfigFile, document: Places, path: string): void {
  for (const [i, command] of (file.commands ?? []).entries()) {
    if ((command.argv === undefined) !== (command.script_sha256 === undefined)) continue;
    const what = `"commands.${i}" must have either "argv" or "script_sha256"`;
    throw configError("config.bad_value", what, path, document.placeOf(["commands", String(i)]));
  }
}

function checkEnv(file: EndpointConfigFile, document: Places, path: string): void {
  for (const [name, value] of Object.entries(file.env ?? {})) {
    const place = document.placeOfKey(["env"], name);
    if (!/^[A-Za-z_][A-Za-z0-9_]*$/.test(name)) {
      throw configError("config.bad_value", `${JSON.stringify(name)} cannot name a variable`, path, place);
    }
    if (value.includes("\0")) {
      throw configError("config.bad_value", `The variable "${name}" has a NUL character in it`, path, place);
    }
  }
}
