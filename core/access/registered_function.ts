/**
 * Registered functions: named by a hash of what they are, signed by who registered them. Whoever has the document can
 * check all of it; the relay is not needed for that and never sees one. Makes and proves; reads and writes no file.
 */
import { hash } from "node:crypto";
import { GcError, messageOf } from "../errors.ts";
import type { FunctionBody, FunctionFile, FunctionStatement } from "../schema/function.ts";
import type { PythonCode } from "../schema/python.ts";
import { parse } from "../schema/validate.ts";
import { formatUuid } from "../task/id.ts";
import { fromBase64url, toBase64url } from "./keys.ts";
import { checkRecord, type Identity, verifySignature } from "./principal.ts";

/** A function whose document was proved. */
export interface RegisteredFunction {
  readonly id: string;
  /** Of the canonical bytes of its body, hexadecimal. */
  readonly sha256: string;
  readonly statement: FunctionStatement;
}

/**
 * SHA-256, hexadecimal, of the canonical bytes of a function: its JSON in UTF-8 without blanks, keys sorted, and
 * without what is the default (the serializer "pickle").
 */
export function functionDigest(body: FunctionBody | PythonCode): string {
  const { serializer, ...rest } = body as { serializer?: string; kind: string };
  const whole = serializer === undefined || serializer === "pickle" ? rest : { ...rest, serializer };
  return hash("sha256", JSON.stringify(sorted(whole)), "hex");
}

/** The id of a function: the first 122 bits of its SHA-256 as a version 8 UUID (RFC 9562 §5.8). */
export function functionId(sha256: string): string {
  const bytes = Buffer.from(sha256.slice(0, 32), "hex");
  bytes[6] = ((bytes[6] ?? 0) & 0x0f) | 0x80;
  bytes[8] = ((bytes[8] ?? 0) & 0x3f) | 0x80;
  return formatUuid(bytes);
}

/** Whether `named`, an id or a SHA-256 with or without `sha256:`, names the function with this SHA-256. */
export function isNamed(named: string, sha256: string): boolean {
  return named.length === 36 ? named === functionId(sha256) : named.replace(/^sha256:/, "") === sha256;
}

/** Registers a function: the document, signed by its owner. `created_ms`: wall clock. */
export function signFunction(
  owner: Identity,
  said: { name: string; description?: string; created_ms: number; body: FunctionBody },
): FunctionFile {
  const statement = JSON.stringify({ v: 1, ...said, owner: owner.id });
  const sha256 = functionDigest(said.body);
  const sig = toBase64url(owner.sign(signedBytes(statement)));
  return { format: "gc/function/v1", id: functionId(sha256), sha256, statement, owner: owner.record, sig };
}

/**
 * Proves a document: signed by the owner it names, and the function is the one that its id names. `what` names it in
 * errors.
 * @throws GcError data when it is none; permission `function.bad_signature`, `function.changed` or `key.*`.
 */
export function openFunction(value: unknown, what: string): RegisteredFunction {
  const file = parse("function_file", value, what);
  const owner = checkRecord(file.owner);
  const sig = fromBase64url(file.sig, 64);
  if (sig === undefined || !verifySignature(owner, signedBytes(file.statement), sig)) {
    const message = `The ${what} is not signed by its owner ${owner.id}`;
    throw new GcError("permission", "function.bad_signature", message, {
      hint: "gc function share ID  (by its owner, once more)",
    });
  }
  const statement = parse("function_statement", statementIn(file, what), what);
  const sha256 = functionDigest(statement.body);
  if (statement.owner !== owner.id || file.sha256 !== sha256 || file.id !== functionId(sha256)) {
    const message = `The ${what} says that it is ${file.id} (sha256 ${file.sha256}), and its body has sha256 ${sha256}`;
    throw new GcError("permission", "function.changed", message);
  }
  return { id: file.id, sha256, statement };
}

function statementIn({ statement }: FunctionFile, what: string): unknown {
  try {
    return JSON.parse(statement);
  } catch (cause) {
    throw new GcError("data", "function.malformed", `The ${what} is damaged: ${messageOf(cause)}`, { cause });
  }
}

function signedBytes(statement: string): Buffer {
  return Buffer.from(`gc-function-v1\0${statement}`);
}

function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted);
  if (typeof value !== "object" || value === null) return value;
  const entries = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1));
  return Object.fromEntries(entries.map(([key, inner]) => [key, sorted(inner)]));
}
