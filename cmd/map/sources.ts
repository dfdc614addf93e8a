/**
 * Where the inputs of `gc map` come from: lines of standard input or of files, lists on the command line (`:::`),
 * ranges, rows of CSV, objects of JSON lines. Several are combined as GNU parallel does: every one with every other,
 * or, with `:::+`, one beside the other. A single file is read as it grows, never as a whole.
 */
import * as fs from "node:fs";
import { GcError, messageOf } from "../../core/errors.ts";
import { fileError } from "../../core/host/files.ts";
import { readSome } from "../streams.ts";
import { CsvReader } from "./csv.ts";
import type { Input } from "./template.ts";

/** One source as it was named. `linked`: goes along with the one before it. */
export type Source = (
  | { readonly kind: "list"; readonly values: readonly string[] }
  | { readonly kind: "lines" | "csv" | "jsonl"; readonly path: string }
  | { readonly kind: "range"; readonly from: number; readonly to: number; readonly step: number }
) & { readonly linked: boolean };

/** Inputs that are handed on together when none is waited for. */
const chunkMax = 1000;
const separators: { readonly [word: string]: { readonly kind: "list" | "lines"; readonly linked: boolean } } = {
  ":::": { kind: "list", linked: false },
  ":::+": { kind: "list", linked: true },
  "::::": { kind: "lines", linked: false },
  "::::+": { kind: "lines", linked: true },
};

/** The words of the command, and the sources that follow it after `:::` and the like. */
export function splitWords(words: readonly string[]): { command: string[]; sources: Source[] } {
  const first = words.findIndex((word) => Object.hasOwn(separators, word));
  if (first === -1) return { command: [...words], sources: [] };
  const sources: Source[] = [];
  let values: string[] = [];
  let how = separators[words[first] ?? ""];
  const close = (): void => {
    if (how?.kind === "list") sources.push({ kind: "list", values, linked: how.linked });
    else for (const path of values) sources.push({ kind: "lines", path, linked: how?.linked ?? false });
    values = [];
  };
  for (const word of words.slice(first + 1)) {
    const next = Object.hasOwn(separators, word) ? separators[word] : undefined;
    if (next === undefined) values.push(word);
    else {
      close();
      how = next;
    }
  }
  close();
  return { command: words.slice(0, first), sources };
}

/** `1..10` or `0..100..5`. @throws GcError usage `map.range`. */
export function rangeOf(text: string): Source {
  const parts = /^(-?\d{1,12})\.\.(-?\d{1,12})(?:\.\.(-?\d{1,12}))?$/.exec(text);
  const [from, to] = [Number(parts?.[1]), Number(parts?.[2])];
  const step = Number(parts?.[3] ?? (from <= to ? 1 : -1));
  if (parts !== null && step !== 0) return { kind: "range", from, to, step, linked: false };
  throw new GcError("usage", "map.range", `"${text}" is no range, such as 1..10 or 0..100..5`, {
    hint: "gc map --range 1..10 -- echo {}",
  });
}

/** All inputs, in chunks. @throws GcError data, io. */
export async function* inputsOf(sources: readonly Source[], separator: RegExp | undefined): AsyncGenerator<Input[]> {
  const [only, ...others] = sources;
  if (only === undefined) return;
  if (others.length === 0) return yield* oneSource(only, separator);
  const lists: { values: readonly Input[]; linked: boolean }[] = [];
  for (const source of sources) {
    const values: Input[] = [];
    for await (const chunk of oneSource(source, separator)) values.push(...chunk);
    lists.push({ values, linked: source.linked });
  }
  yield* combined(lists);
}

async function* oneSource(source: Source, separator: RegExp | undefined): AsyncGenerator<Input[]> {
  switch (source.kind) {
    case "list":
      return yield* chunked(source.values.map((value) => lineInput(value, separator)));
    case "range":
      return yield* rangeInputs(source);
    case "lines":
      for await (const lines of lineChunks(source.path)) {
        const told = lines.filter((line) => line !== "");
        if (told.length > 0) yield told.map((line) => lineInput(line, separator));
      }
      return;
    case "csv":
      return yield* csvInputs(source.path);
    case "jsonl":
      return yield* jsonInputs(source.path);
  }
}

function lineInput(line: string, separator: RegExp | undefined): Input {
  return { columns: separator === undefined ? [line] : line.split(separator) };
}

function* rangeInputs({ from, to, step }: { from: number; to: number; step: number }): Generator<Input[]> {
  let chunk: Input[] = [];
  for (let value = from; step > 0 ? value <= to : value >= to; value += step) {
    chunk.push({ columns: [String(value)] });
    if (chunk.length < chunkMax) continue;
    yield chunk;
    chunk = [];
  }
  if (chunk.length > 0) yield chunk;
}

async function* csvInputs(path: string): AsyncGenerator<Input[]> {
  const reader = new CsvReader();
  let header: readonly string[] | undefined;
  const take = (rows: readonly (readonly string[])[]): Input[] =>
    rows.flatMap((columns) => {
      if (header === undefined) {
        header = columns;
        return [];
      }
      const names = Object.fromEntries(header.map((name, at) => [name, columns[at] ?? ""]));
      return [{ columns, names }];
    });
  for await (const text of textPieces(path)) {
    const inputs = take(reader.take(text));
    if (inputs.length > 0) yield inputs;
  }
  const rest = take(reader.end());
  if (rest.length > 0) yield rest;
}

async function* jsonInputs(path: string): AsyncGenerator<Input[]> {
  let number = 0;
  for await (const lines of lineChunks(path)) {
    const inputs: Input[] = [];
    for (const line of lines) {
      number += 1;
      if (line.trim() === "") continue;
      inputs.push(jsonInput(line, number));
    }
    if (inputs.length > 0) yield inputs;
  }
}

function jsonInput(line: string, number: number): Input {
  let json: unknown;
  try {
    json = JSON.parse(line);
  } catch (cause) {
    throw new GcError("data", "map.line", `Line ${number} is not JSON: ${messageOf(cause)}`);
  }
  if (Array.isArray(json)) return { columns: json.map(textOf), json };
  if (typeof json !== "object" || json === null) return { columns: [textOf(json)], json };
  return { columns: [line], names: Object.fromEntries(Object.entries(json).map(([k, v]) => [k, textOf(v)])), json };
}

function textOf(value: unknown): string {
  return typeof value === "string" ? value : JSON.stringify(value);
}

/** Each of the first with each of the second …; a linked one goes along with the one before it. */
function* combined(lists: readonly { values: readonly Input[]; linked: boolean }[]): Generator<Input[]> {
  const zipped: Input[][] = [];
  for (const { values, linked } of lists) {
    const before = linked ? zipped.at(-1) : undefined;
    if (before === undefined) zipped.push([...values]);
    else {
      const rows = Array.from({ length: Math.max(before.length, values.length) }, (_, at) => {
        return joined(before[at % before.length] ?? nothing, values[at % values.length] ?? nothing);
      });
      zipped[zipped.length - 1] = before.length === 0 || values.length === 0 ? [] : rows;
    }
  }
  yield* chunked(product(zipped));
}

const nothing: Input = { columns: [] };

function* product(lists: readonly (readonly Input[])[]): Generator<Input> {
  const [first, ...rest] = lists;
  if (first === undefined) {
    yield nothing;
    return;
  }
  for (const head of first) for (const tail of product(rest)) yield joined(head, tail);
}

function joined(a: Input, b: Input): Input {
  return { columns: [...a.columns, ...b.columns], names: { ...a.names, ...b.names } };
}

function* chunked(inputs: Iterable<Input>): Generator<Input[]> {
  let chunk: Input[] = [];
  for (const input of inputs) {
    chunk.push(input);
    if (chunk.length < chunkMax) continue;
    yield chunk;
    chunk = [];
  }
  if (chunk.length > 0) yield chunk;
}

async function* lineChunks(path: string): AsyncGenerator<string[]> {
  let rest = "";
  for await (const text of textPieces(path)) {
    const lines = (rest + text).split("\n");
    rest = lines.pop() ?? "";
    if (lines.length > 0) yield lines.map((line) => (line.endsWith("\r") ? line.slice(0, -1) : line));
  }
  if (rest !== "") yield [rest];
}

async function* textPieces(path: string): AsyncGenerator<string> {
  let fd = 0;
  if (path !== "-") {
    try {
      fd = fs.openSync(path, "r");
    } catch (cause) {
      throw fileError("read", path, cause);
    }
  }
  const decoder = new TextDecoder();
  try {
    for (let piece = await readSome(fd); piece !== undefined; piece = await readSome(fd)) {
      yield decoder.decode(piece, { stream: true });
    }
    const rest = decoder.decode();
    if (rest !== "") yield rest;
  } finally {
    if (path !== "-") fs.closeSync(fd);
  }
}
