/**
 * One task envelope as the client keeps it: a head for people and programs, the signed bytes for the relay, the plain
 * specs for `gc retry`. On disk: `u32le length of head | head JSON | u32le length of envelope | envelope | specs JSON`.
 */
import { GcError } from "../errors.ts";
import type { KeyRecord } from "../schema/envelope.ts";
import type { ParcelHead } from "../schema/outbox.ts";
import type { TaskSpec } from "../schema/task.ts";
import { fits } from "../schema/validate.ts";
import type { EnvelopeId, GroupId, PrincipalId } from "../task/id.ts";
import type { Entry } from "./event.ts";

/** A parcel: `head` repeats the entry, `endpoint` is the whole record so that it can be sealed to again. */
export interface Parcel {
  readonly head: ParcelHead;
  readonly envelope: Uint8Array;
  readonly base: TaskSpec;
  readonly tasks: readonly TaskSpec[];
  /** JSON of an object that has both, where it was made already. */
  readonly plain?: Uint8Array;
}

const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** The part of a head that `state.ts` works with. */
export function entryOf(head: ParcelHead): Entry {
  return {
    id: head.id as EnvelopeId,
    endpoint: head.endpoint.id as PrincipalId,
    group: head.group as GroupId,
    count: head.count,
    digest: head.digest,
    created_ms: head.created_ms,
    expires_ms: head.expires_ms,
    size: head.size,
  };
}

/** The record of the endpoint a parcel is for. */
export function endpointOf(head: ParcelHead): KeyRecord {
  return head.endpoint;
}

/** What a task is called in lists: its label, else its command or function, on one line and not too long. */
export function titleOf(spec: TaskSpec): string {
  const text = spec.label ?? spec.script ?? functionOf(spec) ?? (spec.argv ?? []).map(quoted).join(" ");
  const line = text.replace(/\s+/g, " ").trim();
  return line.length > 120 ? `${line.slice(0, 119)}…` : line;
}

function functionOf({ python }: TaskSpec): string | undefined {
  if (python === undefined) return undefined;
  const { code } = python;
  if (code.kind === "pickle") return "a Python function";
  return code.kind === "import" ? `${code.module}:${code.entry}()` : `${code.entry}()`;
}

function quoted(word: string): string {
  return /^[A-Za-z0-9_@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;
}

/** Up to here a file is written in one piece. */
const pieceBytes = 64 * 1024;

/** Parcel → bytes of its file, to be written one after the other. */
export function packParcel({ head, envelope, base, tasks, plain }: Parcel): Uint8Array[] {
  const headJson = encoder.encode(JSON.stringify(head));
  const specs = plain ?? encoder.encode(JSON.stringify({ base, tasks }));
  const pieces = [lengthField(headJson.byteLength), headJson, lengthField(envelope.byteLength), envelope, specs];
  return envelope.byteLength + specs.byteLength > pieceBytes ? pieces : [Buffer.concat(pieces)];
}

function lengthField(length: number): Uint8Array {
  const field = new Uint8Array(4);
  new DataView(field.buffer).setUint32(0, length, true);
  return field;
}

/** Bytes at the beginning of a file in which the head surely lies. */
export const headBytesMax = 16 * 1024;

/**
 * The head at the beginning of a parcel's file.
 * @throws GcError `outbox.damaged`.
 */
export function unpackHead(bytes: Uint8Array, path: string): ParcelHead {
  const length = lengthAt(bytes, 0, path);
  let head: unknown;
  try {
    head = JSON.parse(decoder.decode(bytes.subarray(4, 4 + length)));
  } catch (cause) {
    throw damaged(path, cause);
  }
  if (!fits("parcel_head", head)) throw damaged(path);
  return head;
}

/**
 * A parcel from the bytes of its file.
 * @throws GcError `outbox.damaged`.
 */
export function unpackParcel(bytes: Uint8Array, path: string): Parcel {
  const head = unpackHead(bytes, path);
  const start = 4 + lengthAt(bytes, 0, path);
  const length = lengthAt(bytes, start, path);
  const end = start + 4 + length;
  try {
    const specs = JSON.parse(decoder.decode(bytes.subarray(end)));
    return { head, envelope: bytes.subarray(start + 4, end), base: specs.base, tasks: specs.tasks };
  } catch (cause) {
    throw damaged(path, cause);
  }
}

function lengthAt(bytes: Uint8Array, at: number, path: string): number {
  if (bytes.byteLength < at + 4) throw damaged(path);
  const length = new DataView(bytes.buffer, bytes.byteOffset + at, 4).getUint32(0, true);
  if (bytes.byteLength < at + 4 + length) throw damaged(path);
  return length;
}

function damaged(path: string, cause?: unknown): GcError {
  return new GcError("io", "outbox.damaged", `The file "${path}" is damaged and cannot be sent`, {
    hint: `mv ${path} ${path}.damaged`,
    ...(cause === undefined ? {} : { cause }),
  });
}
