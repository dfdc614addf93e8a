/**
 * Ids. A task id is made by the client and looks like a UUID (version 8): 90 bits of
 * sha256("gc-task-v1" ‖ user id ‖ nonce) and a 32-bit index. All tasks of one envelope share the first 90 bits, and the
 * envelope has the id of its task 0; so a resend is the same task, nobody can take another user's ids, and going from a
 * task to its envelope is arithmetic instead of a look-up.
 */
import { hash } from "node:crypto";
import { GcError } from "../errors.ts";

declare const brand: unique symbol;
type Branded<B extends string> = string & { readonly [brand]: B };

/** One task. */
export type TaskId = Branded<"task">;
/** A batch of tasks that travel in one envelope; equal to the id of its task 0. */
export type EnvelopeId = Branded<"envelope">;
/** A user, an endpoint or a relay: the hash of its signing key. */
export type PrincipalId = Branded<"principal">;
/** Tasks submitted under one name, to be waited for, retried or cancelled together. */
export type GroupId = Branded<"group">;

/** 16 bytes → `8-4-4-4-12` lowercase hexadecimal. */
export function formatUuid(bytes: Uint8Array): string {
  const hex = Buffer.from(bytes.buffer, bytes.byteOffset, 16).toString("hex");
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`;
}

/** The first 122 bits of a hash as a version 8 UUID (RFC 9562 §5.8). */
export function hashUuid(domain: string, ...parts: (string | Uint8Array)[]): string {
  // In one call: the hash objects of node:crypto are streams, and a first stream costs a short command 0.1 ms.
  const text = [domain, "\0", ...parts].map((part) => (typeof part === "string" ? Buffer.from(part) : part));
  const bytes = hash("sha256", Buffer.concat(text), "buffer").subarray(0, 16);
  bytes[6] = ((bytes[6] ?? 0) & 0x0f) | 0x80;
  bytes[8] = ((bytes[8] ?? 0) & 0x3f) | 0x80;
  return formatUuid(bytes);
}

/** The id of the envelope that `from` makes with `nonce` (32 hexadecimal digits). */
export function envelopeId(from: PrincipalId, nonce: string): EnvelopeId {
  const id = hashUuid("gc-task-v1", from, "\0", nonce);
  return `${id.slice(0, 28)}00000000` as EnvelopeId;
}

/** The id of task `index` (0 to 9,999) of an envelope. */
export function taskId(envelope: EnvelopeId, index: number): TaskId {
  if (index === 0) return envelope as string as TaskId;
  const digits = index.toString(16);
  return (envelope.slice(0, 36 - digits.length) + digits) as TaskId;
}

/** How the ids of all tasks of an envelope begin. */
export function prefixOf(envelope: EnvelopeId): string {
  return envelope.slice(0, 28);
}

/** The envelope in which a task travelled. */
export function envelopeOf(task: TaskId): EnvelopeId {
  return `${task.slice(0, 28)}00000000` as EnvelopeId;
}

/** The place of a task in its envelope. */
export function indexOf(task: TaskId): number {
  return Number.parseInt(task.slice(28), 16);
}

const uuidPattern = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;

/** Whether `text` has the form of a full id. */
export function isId(text: string): boolean {
  return uuidPattern.test(text);
}

/**
 * Reads what a person typed for an id: a full id or the beginning of one, in either case.
 * @throws GcError `id.malformed` when it has other characters than an id has.
 */
export function parseIdPrefix(text: string): string {
  const lower = text.toLowerCase();
  if (/^[0-9a-f]{1,8}(-[0-9a-f-]{0,27})?$/.test(lower) && lower.length <= 36) return lower;
  throw new GcError("data", "id.malformed", `"${text}" is not a task id, nor the beginning of one`, {
    hint: "gc ps",
  });
}
