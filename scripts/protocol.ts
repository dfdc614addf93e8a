/**
 * Writes the tables of messages in docs/PROTOCOL.md from the schemas and the comments above them. `--check` only says
 * whether the document is what the schemas say (exit code 1 when not).
 */

import * as live from "../core/schema/live_message.ts";
import * as relay from "../core/schema/relay_message.ts";
import { schemas } from "../core/schema/schemas.ts";
import * as session from "../core/schema/session_message.ts";
import type { Schema } from "../core/schema/static.ts";
import * as worker from "../core/schema/worker_message.ts";

const path = new URL("../docs/PROTOCOL.md", import.meta.url).pathname;
const begin = "<!-- messages: written by scripts/protocol.ts, do not edit -->";
const end = "<!-- end of messages -->";

/** A message: its schema, and the name under which the schema is exported. */
interface Message {
  readonly name: string;
  readonly t: string;
  readonly schema: Schema;
}

/** One link or layer, the file that holds its shapes, and those shapes. */
interface Chapter {
  readonly title: string;
  readonly file: string;
  readonly shapes: { readonly [name: string]: unknown };
}

const chapters: readonly Chapter[] = [
  { title: "Session (every link)", file: "session_message.ts", shapes: session },
  { title: "User, endpoint and relay", file: "relay_message.ts", shapes: relay },
  { title: "Endpoint and worker", file: "worker_message.ts", shapes: worker },
  { title: "Live, inside sealed envelopes", file: "live_message.ts", shapes: live },
];

/** The `t` of a message's schema, or undefined when it is no message. */
export function kindOf(schema: unknown): string | undefined {
  if (typeof schema !== "object" || schema === null) return undefined;
  const t = (schema as Schema).properties?.t?.const;
  return typeof t === "string" ? t : undefined;
}

/** Shapes with a `t` that are kept in files and never travel. */
const notOnTheWire = new Set(["parcel"]);

/** Kinds of all messages that can be validated. */
export function allKinds(): string[] {
  return schemas.flatMap((schema) => kindOf(schema) ?? []).filter((t) => !notOnTheWire.has(t));
}

/** The tables, as Markdown. */
export async function messageTables(): Promise<string> {
  const parts = await Promise.all(chapters.map(chapterText));
  return parts.join("\n");
}

async function chapterText({ title, file, shapes }: Chapter): Promise<string> {
  const source = await Bun.file(new URL(`../core/schema/${file}`, import.meta.url)).text();
  const messages = Object.entries(shapes).flatMap(([name, schema]): Message[] => {
    const t = kindOf(schema);
    return t === undefined ? [] : [{ name, t, schema: schema as Schema }];
  });
  messages.sort((a, b) => source.indexOf(`export const ${a.name} `) - source.indexOf(`export const ${b.name} `));
  const rows = messages.map(
    ({ name, t, schema }) => `| \`${t}\` | ${fieldsOf(schema)} | ${cell(commentOf(source, name))} |`,
  );
  const head = `### ${title}\n\nShapes: [core/schema/${file}](../core/schema/${file})`;
  return `${head}\n\n| \`t\` | fields | meaning |\n|---|---|---|\n${rows.join("\n")}\n`;
}

/** The comment right above an exported constant, as one line. */
function commentOf(source: string, name: string): string {
  const before = source.slice(0, source.indexOf(`export const ${name} `)).trimEnd();
  if (!before.endsWith("*/")) return "";
  return before
    .slice(before.lastIndexOf("/**") + 3, -2)
    .replaceAll(/^\s*\*\s?/gm, "")
    .replaceAll(/\s+/g, " ")
    .trim();
}

function fieldsOf(schema: Schema): string {
  const fields = Object.entries(schema.properties ?? {}).filter(([name]) => name !== "t");
  if (fields.length === 0) return "none";
  return fields
    .map(([name, field]) => cell(`\`${name}${optional(schema, name)}\`: ${typeOf(name, field)}`))
    .join("<br>");
}

function optional(schema: Schema, name: string): string {
  return schema.required?.includes(name) ? "" : "?";
}

function typeOf(name: string, schema: Schema): string {
  if (name === "bytes") return "blobs";
  if (schema.const !== undefined) return `\`${schema.const}\``;
  if (schema.enum !== undefined) return schema.enum.map((value) => `\`${value}\``).join(", ");
  if (schema.$id !== undefined) return `a ${schema.$id}`;
  if (schema.oneOf !== undefined) return "one of several shapes";
  if (schema.type === "array") return schema.items === undefined ? "list" : `list of ${typeOf("", schema.items)}`;
  if (schema.type === "object" && schema.properties !== undefined) {
    const names = Object.keys(schema.properties).map((key) => `${key}${optional(schema, key)}`);
    return `{${names.join(", ")}}`;
  }
  return schema.description === undefined ? (schema.type ?? "anything") : `${schema.type}. ${schema.description}`;
}

function cell(text: string): string {
  return text.replaceAll("|", "\\|").replaceAll("\n", " ");
}

/** `document` with its tables written anew. */
export async function withTables(document: string): Promise<string> {
  const [from, to] = [document.indexOf(begin), document.indexOf(end)];
  if (from < 0 || to < from) throw new Error("docs/PROTOCOL.md has lost the marks of its tables");
  return `${document.slice(0, from + begin.length)}\n\n${await messageTables()}\n${document.slice(to)}`;
}

if (import.meta.main) {
  const now = await Bun.file(path).text();
  const wanted = await withTables(now);
  if (process.argv.includes("--check")) {
    if (now === wanted) process.exit(0);
    console.error("docs/PROTOCOL.md is not what core/schema says; run: scripts/bun scripts/protocol.ts");
    process.exit(1);
  }
  await Bun.write(path, wanted);
}
