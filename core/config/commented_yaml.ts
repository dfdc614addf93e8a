/**
 * A value of a schema as YAML that explains itself: every key that could be there, with the schema's description above
 * it; what was not chosen stands commented out with its default or an example. Pure text.
 */
import type { Schema } from "../schema/static.ts";
import { yamlText } from "./document.ts";

/** Columns of comments. */
const width = 100;

/** The text of a configuration file. `heading` is one paragraph for its top. */
export function commentedYaml(schema: Schema, value: { readonly [key: string]: unknown }, heading: string): string {
  return `${[...comment(heading, ""), "", ...mapLines(schema, value, "", true)].join("\n").trimEnd()}\n`;
}

function mapLines(
  schema: Schema,
  value: { readonly [key: string]: unknown },
  indent: string,
  spaced: boolean,
): string[] {
  const lines: string[] = [];
  for (const [key, inner] of Object.entries(schema.properties ?? {})) {
    lines.push(...comment(inner.description ?? "", indent), ...entryLines(key, inner, value[key], indent));
    if (spaced) lines.push("");
  }
  return lines;
}

function entryLines(key: string, schema: Schema, value: unknown, indent: string): string[] {
  const chosen = branchFor(schema, value);
  if (value === undefined) {
    const example = exampleOf(schema);
    return example === undefined ? [] : entryText(key, example, "").map((line) => `${indent}# ${line}`);
  }
  if (chosen.properties === undefined || typeof value !== "object" || value === null)
    return entryText(key, value, indent);
  const inside = mapLines(chosen, value as { [key: string]: unknown }, `${indent}  `, false);
  const about = chosen !== schema ? comment(chosen.description ?? "", `${indent}  `) : [];
  return [`${indent}${key}:`, ...about, ...inside];
}

/** The schema of a map: where a key decides between several, the one that `value` chose. */
function branchFor(schema: Schema, value: unknown): Schema {
  const tag = schema.discriminator?.propertyName;
  if (tag === undefined || typeof value !== "object" || value === null) return schema;
  const chosen = (value as { [key: string]: unknown })[tag];
  return schema.oneOf?.find((one) => one.properties?.[tag]?.const === chosen) ?? schema;
}

/** What stands in the file for a key that was not chosen. */
function exampleOf(schema: Schema): unknown {
  if (schema.default !== undefined) return schema.default;
  if (schema.examples?.[0] !== undefined) return schema.examples[0];
  if (schema.properties === undefined) return undefined;
  const inner = Object.entries(schema.properties).map(([key, one]) => [key, exampleOf(one)] as const);
  return Object.fromEntries(inner.filter(([, value]) => value !== undefined));
}

function entryText(key: string, value: unknown, indent: string): string[] {
  return yamlText({ [key]: value })
    .trimEnd()
    .split("\n")
    .map((line) => indent + line);
}

/** Text as comment lines, broken between words. */
function comment(text: string, indent: string): string[] {
  if (text === "") return [];
  const lines: string[] = [];
  let line = "";
  for (const word of text.split(/\s+/)) {
    if (line !== "" && indent.length + 2 + line.length + 1 + word.length > width) {
      lines.push(line);
      line = "";
    }
    line = line === "" ? word : `${line} ${word}`;
  }
  lines.push(line);
  return lines.map((one) => `${indent}# ${one}`);
}
