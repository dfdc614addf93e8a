/**
 * YAML text → value, with the place of everything in it (the only importer of yaml). A configuration is small and
 * plain: what only serves to exhaust or to confuse the reader (size, depth, aliases, tags, several documents) is
 * refused.
 */
import { type Document, isMap, isNode, isPair, isScalar, LineCounter, type Node, parseDocument, stringify } from "yaml";
import { GcError, messageOf } from "../errors.ts";

/** Where something stands; both count from 1. */
export interface Place {
  readonly line: number;
  readonly column: number;
}

export interface YamlDocument {
  readonly value: unknown;
  /** The place of the value at `path`, or of the nearest thing around it. */
  placeOf(path: readonly string[]): Place;
  /** The place of the key `key` in the map at `path`. */
  placeOfKey(path: readonly string[], key: string): Place;
}

/** Largest configuration file, in bytes. A long access list of 5,000 users is below. */
const bytesMax = 256 * 1024;
/** Nesting of our deepest schema is 4. */
const depthMax = 32;
/** Aliases multiply what they stand for ("billion laughs"); a configuration needs a handful. */
const aliasesMax = 50;

/**
 * Reads one YAML document. `name` is its path, for errors.
 * @throws GcError config `config.*` with `path:line:column`.
 */
export function parseYaml(bytes: Uint8Array, name: string): YamlDocument {
  const text = checkText(bytes, name);
  const lines = new LineCounter();
  const place = (offset: number): Place => {
    const { line, col } = lines.linePos(offset);
    return { line: Math.max(line, 1), column: Math.max(col, 1) };
  };
  let document: Document.Parsed;
  try {
    document = parseDocument(text, { lineCounter: lines, version: "1.2", uniqueKeys: true, prettyErrors: false });
  } catch (cause) {
    throw configError("config.not_yaml", `The file is not YAML: ${messageOf(cause)}`, name, undefined, cause);
  }
  const wrong = document.errors[0] ?? document.warnings[0];
  if (wrong !== undefined) {
    throw configError("config.not_yaml", `The file is not plain YAML: ${wrong.message}`, name, place(wrong.pos[0]));
  }
  return {
    value: plainValue(document, name),
    placeOf: (path) => place(offsetOf(document, path)),
    placeOfKey: (path, key) => place(keyOffsetOf(document, path, key)),
  };
}

/** `value` as YAML text, ending in a line end. */
export function yamlText(value: unknown): string {
  return stringify(value, { lineWidth: 0 });
}

/**
 * The text of a map with `key` set at its top level; everything else, comments included, stays byte for byte as it is,
 * unless the whole map is written in braces.
 */
export function withTopLevelValue(bytes: Uint8Array, name: string, key: string, value: string): string {
  parseYaml(bytes, name);
  const text = Buffer.from(bytes).toString();
  const document = parseDocument(text, { version: "1.2" });
  const node = document.get(key, true);
  const written = yamlText(value).trimEnd();
  if (isScalar(node) && node.range && node.range[1] > node.range[0]) {
    return text.slice(0, node.range[0]) + written + text.slice(node.range[1]);
  }
  if (isMap(document.contents) && !document.contents.flow && !document.has(key)) {
    return `${text === "" || text.endsWith("\n") ? text : `${text}\n`}\n${key}: ${written}\n`;
  }
  document.set(key, value);
  return document.toString({ lineWidth: 0 });
}

/** An error that names file, line and column the way editors and terminals understand, and how to get there. */
export function configError(code: string, what: string, path: string, place?: Place, cause?: unknown): GcError {
  const where = place === undefined ? path : `${path}:${place.line}:${place.column}`;
  const line = place === undefined ? "" : `+${place.line} `;
  return new GcError("config", code, `${what} (${where})`, { hint: `\${EDITOR:-vi} ${line}${path}`, cause });
}

/**
 * The bytes as text that may be read as YAML.
 * @throws GcError config `config.too_large`, `config.not_text`, `config.too_deep`.
 */
export function checkText(bytes: Uint8Array, name: string): string {
  if (bytes.byteLength > bytesMax) {
    const what = `The file has ${bytes.byteLength} bytes, more than the ${bytesMax} that a configuration may have`;
    throw configError("config.too_large", what, name);
  }
  let text: string;
  try {
    text = new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch (cause) {
    throw configError("config.not_text", "The file is not UTF-8 text", name, undefined, cause);
  }
  const deep = firstTooDeep(text);
  if (deep !== undefined) {
    throw configError("config.too_deep", `The file nests deeper than ${depthMax} levels`, name, deep);
  }
  return text;
}

/**
 * Where the text nests too deeply, found without a parser, because a parser would recurse: flow brackets that are open,
 * block sequences within one line ("- - - -"), and indentation. Brackets in quotes count too; nobody writes 32 of them.
 */
function firstTooDeep(text: string): Place | undefined {
  const lines = text.split("\n");
  let open = 0;
  const indents: number[] = [];
  for (const [i, line] of lines.entries()) {
    const content = line.trimStart();
    if (content === "" || content.startsWith("#")) continue;
    const indent = line.length - content.length;
    while ((indents.at(-1) ?? -1) >= indent) indents.pop();
    indents.push(indent);
    const dashes = /^(?:[-?] +)*/.exec(content)?.[0].split(/ +/).length ?? 0;
    for (const character of content) {
      if (character === "[" || character === "{") open += 1;
      if ((character === "]" || character === "}") && open > 0) open -= 1;
      if (open > depthMax) return { line: i + 1, column: 1 };
    }
    if (indents.length + dashes > depthMax) return { line: i + 1, column: 1 };
  }
  return undefined;
}

function plainValue(document: Document.Parsed, name: string): unknown {
  try {
    return document.toJS({ maxAliasCount: aliasesMax });
  } catch (cause) {
    throw configError(
      "config.aliases",
      `The file has too many aliases, or one that leads nowhere`,
      name,
      undefined,
      cause,
    );
  }
}

function offsetOf(document: Document.Parsed, path: readonly string[]): number {
  for (let length = path.length; length >= 0; length -= 1) {
    const node = length === 0 ? document.contents : document.getIn(path.slice(0, length).map(stepOf), true);
    if (isNode(node)) return startOf(node);
  }
  return 0;
}

function keyOffsetOf(document: Document.Parsed, path: readonly string[], key: string): number {
  const map = path.length === 0 ? document.contents : document.getIn(path.map(stepOf), true);
  if (isMap(map)) {
    for (const pair of map.items) {
      if (isPair(pair) && isNode(pair.key) && String(pair.key) === key) return startOf(pair.key);
    }
  }
  return offsetOf(document, path);
}

function startOf(node: Node): number {
  return node.range?.[0] ?? 0;
}

/** A step of a JSON pointer: a number where it indexes a list. */
function stepOf(step: string): string | number {
  return /^\d+$/.test(step) ? Number(step) : step;
}
