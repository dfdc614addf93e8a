/**
 * Makes envelopes of every kind, and opens the sealed ones again. All of it is synchronous, so it can happen inside a
 * turn. What is inside repeats who, to whom and what of the header, and is compared after opening.
 */
import type { Identity, KeyRecord } from "../access/principal.ts";
import { GcError } from "../errors.ts";
import { bodyBytesMax, headerBytesMax } from "../limits.ts";
import type {
  AcceptHeader,
  CancelHeader,
  Header,
  LiveHeader,
  ReceiptHeader,
  ResultHeader,
  TaskHeader,
} from "../schema/envelope.ts";
import type { Result, ResultBody } from "../schema/result.ts";
import type { TaskBody, TaskSpec } from "../schema/task.ts";
import { parse } from "../schema/validate.ts";
import { envelopeId } from "../task/id.ts";
import { decodeFrame, encodeFrame, type Frameable } from "../wire/codec.ts";
import { type Envelope, headerHash, packEnvelope } from "./envelope.ts";
import type { Opener, Sealer } from "./sealer.ts";

/** What a batch of tasks is to be. Times in milliseconds since 1970. */
export interface TasksAsked {
  /** 32 hexadecimal digits, random; makes the id. The same nonce is the same envelope id. */
  nonce: string;
  group: string;
  priority: number;
  created_ms: number;
  expires_ms: number;
  on_lost: "rerun" | "fail";
  /** What all tasks have in common. */
  base: TaskSpec;
  tasks: TaskSpec[];
}

type Seals = Pick<Sealer, "seal">;
type Opens = Pick<Opener, "open">;

const encoder = new TextEncoder();
const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
const nothing = new Uint8Array(0);

/**
 * A batch of tasks for an endpoint; `plain` is what was sealed: JSON of a TaskBody.
 * @throws GcError data `task.too_large` when it does not fit into one envelope.
 */
export function composeTasks(
  from: Identity,
  to: KeyRecord,
  sealer: Seals,
  ask: TasksAsked,
): Envelope<TaskHeader> & { readonly plain: Uint8Array } {
  const { base, tasks, ...rest } = ask;
  const id = envelopeId(from.id, ask.nonce);
  const body: TaskBody = { id, from: from.id, to: to.id, base, tasks };
  const plain = encoder.encode(JSON.stringify(body));
  if (plain.byteLength > bodyBytesMax) throw tooLarge("task", tasks.length, plain.byteLength);
  const header: TaskHeader = {
    v: 1,
    kind: "task",
    from: from.id,
    to: to.id,
    id,
    count: tasks.length,
    nonce: rest.nonce,
    group: rest.group,
    priority: rest.priority,
    created_ms: rest.created_ms,
    expires_ms: rest.expires_ms,
    on_lost: rest.on_lost,
    sender: from.record,
  };
  return { ...sealed(from, to, sealer, header, plain), plain };
}

/** An endpoint's word that it holds the task envelope `re` whose bytes have this digest. */
export function composeAccept(
  from: Identity,
  to_id: string,
  said: Pick<AcceptHeader, "re" | "digest" | "id" | "created_ms">,
): Envelope<AcceptHeader> {
  const { re, digest, id, created_ms } = said;
  return bare(from, { v: 1, kind: "accept", from: from.id, to: to_id, created_ms, id, re, digest });
}

/**
 * Results of tasks of one envelope; `results[i]` belongs to task `indices[i]`.
 * @throws GcError data `result.too_large`: fewer results to an envelope, or shorter ones.
 */
export function composeResult(
  from: Identity,
  to: KeyRecord,
  sealer: Seals,
  said: Pick<ResultHeader, "id" | "re" | "group" | "created_ms" | "indices"> & { results: Result[] },
): Envelope<ResultHeader> {
  const { id, re, group, created_ms, indices, results } = said;
  const body: ResultBody = { re, from: from.id, to: to.id, indices, results };
  const plain = encoder.encode(JSON.stringify(body));
  if (plain.byteLength > bodyBytesMax) throw tooLarge("result", results.length, plain.byteLength);
  const classes = results.map((result) => result.outcome.class);
  const header: ResultHeader = {
    v: 1,
    kind: "result",
    from: from.id,
    to: to.id,
    created_ms,
    id,
    re,
    group,
    indices,
    classes,
    sender: from.record,
  };
  return sealed(from, to, sealer, header, plain);
}

/** A user's word that the results of tasks `indices` of `re` are safe with it. */
export function composeReceipt(
  from: Identity,
  to_id: string,
  said: Pick<ReceiptHeader, "id" | "re" | "indices" | "created_ms">,
): Envelope<ReceiptHeader> {
  const { id, re, indices, created_ms } = said;
  const sender = from.record;
  return bare(from, { v: 1, kind: "receipt", from: from.id, to: to_id, created_ms, id, re, indices, sender });
}

/** A user's wish that tasks `indices` of `re` end; none named: all of them. */
export function composeCancel(
  from: Identity,
  to_id: string,
  said: Pick<CancelHeader, "id" | "re" | "indices" | "created_ms">,
): Envelope<CancelHeader> {
  const { id, re, indices, created_ms } = said;
  const sender = from.record;
  return bare(from, { v: 1, kind: "cancel", from: from.id, to: to_id, created_ms, id, re, indices, sender });
}

/** Live messages to the other end. */
export function composeLive(
  from: Identity,
  to: KeyRecord,
  sealer: Seals,
  said: Pick<LiveHeader, "id" | "session" | "created_ms"> & { messages: readonly Frameable[] },
): Envelope<LiveHeader> {
  const { id, session, created_ms, messages } = said;
  const plain = encodeFrame(messages);
  if (plain.byteLength > bodyBytesMax) throw tooLarge("message", messages.length, plain.byteLength);
  const sender = from.record;
  const header: LiveHeader = { v: 1, kind: "live", from: from.id, to: to.id, created_ms, id, session, sender };
  return sealed(from, to, sealer, header, plain);
}

/**
 * Opens a verified task envelope.
 * @throws GcError data `envelope.unreadable` or `envelope.contradiction`.
 */
export function openTasks(envelope: Envelope, opener: Opens): TaskBody {
  const header = ofKind(envelope, "task");
  const body = parse("task_body", json(opened(envelope, opener)), "task envelope");
  const same = body.id === header.id && body.from === header.from && body.to === header.to;
  if (!same || body.tasks.length !== header.count) throw contradicts(header);
  return body;
}

/**
 * Opens a verified result envelope.
 * @throws GcError data `envelope.unreadable` or `envelope.contradiction`.
 */
export function openResults(envelope: Envelope, opener: Opens): ResultBody {
  const header = ofKind(envelope, "result");
  const body = parse("result_body", json(opened(envelope, opener)), "result envelope");
  const same = body.re === header.re && body.from === header.from && body.to === header.to;
  if (!same || body.results.length !== header.indices.length) throw contradicts(header);
  if (body.indices.length !== header.indices.length) throw contradicts(header);
  for (const [i, result] of body.results.entries()) {
    if (body.indices[i] !== header.indices[i] || result.outcome.class !== header.classes[i]) throw contradicts(header);
  }
  return body;
}

/**
 * Opens a verified live envelope. Its body repeats nothing: it is bound to the header by the seal itself. The messages
 * are still to be checked, one by one.
 * @throws GcError data `envelope.unreadable` or protocol `wire.malformed`.
 */
export function openLive(envelope: Envelope, opener: Opens): Frameable[] {
  ofKind(envelope, "live");
  return decodeFrame(opened(envelope, opener));
}

function sealed<H extends Header>(
  from: Identity,
  to: KeyRecord,
  sealer: Seals,
  header: H,
  plain: Uint8Array,
): Envelope<H> {
  const header_bytes = encodeHeader(header);
  const header_hash = headerHash(header_bytes);
  return packEnvelope(from, header, header_bytes, header_hash, sealer.seal(to, header_hash, plain));
}

function bare<H extends Header>(from: Identity, header: H): Envelope<H> {
  const header_bytes = encodeHeader(header);
  return packEnvelope(from, header, header_bytes, headerHash(header_bytes), nothing);
}

/** A header that its reader would refuse is refused here, while there is still somebody to tell. */
function encodeHeader(header: Header): Uint8Array {
  parse(`${header.kind}_header`, header, `header of the ${header.kind} envelope`);
  const bytes = encoder.encode(JSON.stringify(header));
  if (bytes.byteLength > headerBytesMax) {
    const sizes = `${bytes.byteLength} bytes, the limit is ${headerBytesMax}`;
    throw new GcError("data", "envelope.header", `The header of the ${header.kind} envelope has ${sizes}`);
  }
  return bytes;
}

function opened(envelope: Envelope, opener: Opens): Uint8Array {
  return opener.open(headerHash(envelope.header_bytes), envelope.body);
}

function ofKind<K extends Header["kind"]>(envelope: Envelope, kind: K): Extract<Header, { kind: K }> {
  const { header } = envelope;
  if (header.kind === kind) return header as Extract<Header, { kind: K }>;
  throw new GcError("data", "envelope.kind", `The envelope is a ${header.kind}, not a ${kind}`);
}

function json(plain: Uint8Array): unknown {
  try {
    return JSON.parse(decoder.decode(plain));
  } catch (cause) {
    throw new GcError("data", "envelope.unreadable", "The opened body of the envelope is not JSON", { cause });
  }
}

function contradicts(header: Header): GcError {
  const message = `The opened body of ${header.kind} ${header.id} is not the one its header speaks of`;
  return new GcError("data", "envelope.contradiction", message);
}

function tooLarge(what: "task" | "result" | "message", count: number, bytes: number): GcError {
  const subject = count === 1 ? `The ${what} is` : `The ${count} ${what}s of one envelope are`;
  const message = `${subject} ${bytes} bytes; an envelope holds ${bodyBytesMax} bytes (10 MiB)`;
  return new GcError("data", `${what}.too_large`, message);
}
