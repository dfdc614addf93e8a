/**
 * The one door for data from outside: schema name → parsed value or a list of problems. The validators are generated
 * from the schemas at build time (`scripts/generate.ts` writes `validators.js`), because compiling them at start costs
 * 25–35 ms and needs code generation, which the executable forbids (bun.md §0, §1).
 */
import { GcError } from "../errors.ts";
import type { schemas } from "./schemas.ts";
import type { Static } from "./static.ts";
import * as validators from "./validators.js";

/** Names of the shapes that cross a boundary: the `$id`s of the schemas in `schemas.ts`. Settings have their own
 * door. */
export type SchemaName = (typeof schemas)[number]["$id"];

/** The type that goes with a schema's name. */
export type ValueOf<N extends SchemaName> = Static<Extract<(typeof schemas)[number], { $id: N }>>;

/** One thing that is wrong with a value: where (JSON pointer) and what. */
export interface Problem {
  path: string;
  message: string;
  /** Facts of the failed rule, such as the unknown property's name. */
  params: { [key: string]: unknown };
}

/** A generated function: whether a value is right, and else, as a property of itself, why not. */
export interface Validator {
  (value: unknown): boolean;
  errors?: readonly { instancePath: string; message?: string; params?: { [key: string]: unknown } }[] | null;
}

/** All that is wrong with `value` by schema `name`; empty when it is right. */
export function problems(name: SchemaName, value: unknown): Problem[] {
  const validator = (validators as unknown as { [name: string]: Validator })[name];
  if (validator === undefined) throw new Error(`No validator for schema "${name}"; run sh scripts/setup`);
  return problemsBy(validator, value);
}

/** All that is wrong with `value` by this validator. */
export function problemsBy(validator: Validator, value: unknown): Problem[] {
  if (validator(value)) return [];
  return (validator.errors ?? []).map((error) => ({
    path: error.instancePath,
    message: error.message ?? "is not allowed",
    params: error.params ?? {},
  }));
}

/** Whether `value` is right by schema `name`. */
export function fits<N extends SchemaName>(name: N, value: unknown): value is ValueOf<N> {
  const validator = (validators as unknown as { [name: string]: Validator })[name];
  return validator?.(value) === true;
}

/**
 * `value` as the type of schema `name`.
 * @param what names the thing in the error, such as "task header".
 * @throws GcError `data.invalid` with the first problem and its place.
 */
export function parse<N extends SchemaName>(name: N, value: unknown, what: string): ValueOf<N> {
  if (fits(name, value)) return value;
  const first = problems(name, value)[0];
  const place = first?.path ? ` at ${first.path}` : "";
  throw new GcError("data", "data.invalid", `The ${what} is not valid${place}: it ${first?.message ?? "is malformed"}`);
}
