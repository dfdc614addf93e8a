/**
 * JSON Schema literal → TypeScript type, for the subset of JSON Schema that our shapes use. A shape is written once,
 * as data; its type, its validator, the documentation and the comments in configuration files come from it.
 */

/** The schemas we write: draft-07 as ajv reads it. */
export interface Schema {
  readonly $id?: string;
  readonly title?: string;
  readonly description?: string;
  readonly type?: "object" | "array" | "string" | "number" | "integer" | "boolean" | "null";
  readonly const?: string | number | boolean | null;
  readonly enum?: readonly (string | number | boolean | null)[];
  readonly properties?: { readonly [key: string]: Schema };
  readonly required?: readonly string[];
  readonly additionalProperties?: boolean | Schema;
  readonly items?: Schema;
  readonly oneOf?: readonly Schema[];
  readonly discriminator?: { readonly propertyName: string };
  readonly default?: unknown;
  readonly examples?: readonly unknown[];
  readonly pattern?: string;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly minLength?: number;
  readonly maxLength?: number;
  readonly minItems?: number;
  readonly maxItems?: number;
  readonly maxProperties?: number;
}

type Flatten<T> = { [K in keyof T]: T[K] } & {};

type ObjectOf<P extends { readonly [key: string]: Schema }, R extends string> = Flatten<
  { -readonly [K in keyof P as K extends R ? K : never]: Static<P[K]> } & {
    -readonly [K in keyof P as K extends R ? never : K]?: Static<P[K]>;
  }
>;

/** The TypeScript type of the values that `S` accepts. */
export type Static<S> = S extends { readonly const: infer C }
  ? C
  : S extends { readonly enum: readonly (infer E)[] }
    ? E
    : S extends { readonly oneOf: readonly (infer O)[] }
      ? Static<O>
      : S extends { readonly type: "string" }
        ? string
        : S extends { readonly type: "number" | "integer" }
          ? number
          : S extends { readonly type: "boolean" }
            ? boolean
            : S extends { readonly type: "null" }
              ? null
              : S extends { readonly type: "array"; readonly items: infer I }
                ? Static<I>[]
                : S extends {
                      readonly type: "object";
                      readonly properties: infer P extends { readonly [key: string]: Schema };
                    }
                  ? ObjectOf<P, S extends { readonly required: readonly (infer R extends string)[] } ? R : never>
                  : S extends { readonly type: "object"; readonly additionalProperties: infer V extends Schema }
                    ? { [key: string]: Static<V> }
                    : unknown;
