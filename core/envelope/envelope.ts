/**
 * Envelopes as bytes: what travels between a user and an endpoint, and what a relay keeps.
 *
 *     u8 version = 1 | u32le length | header, JSON | u32le length | body, sealed | Ed25519 signature, 64 bytes
 *
 * The signature is over "gc-envelope-v1" ‖ 0x00 ‖ sha256(header) ‖ sha256(body): over bytes that travel, never over an
 * object written again. Whoever takes an envelope in reads it, and then verifies it; the relay does the same, and can
 * do no more.
 */
import { hash } from "node:crypto";
import { checkRecord, type Identity, type KeyRecord, verifySignature } from "../access/principal.ts";
import { GcError } from "../errors.ts";
import { headerBytesMax } from "../limits.ts";
import type { Header } from "../schema/envelope.ts";
import { problems, type SchemaName } from "../schema/validate.ts";
import { envelopeId, type PrincipalId } from "../task/id.ts";
import { sealedBytesMax, sealOverheadBytes } from "./sealed_body.ts";

/** An envelope taken apart; the parts are views of `bytes`. */
export interface Envelope<H extends Header = Header> {
  readonly header: H;
  readonly header_bytes: Uint8Array;
  readonly body: Uint8Array;
  readonly signature: Uint8Array;
  readonly bytes: Uint8Array;
}

const version = 1;
const signatureBytes = 64;
const fixedBytes = 1 + 4 + 4 + signatureBytes;
const signedPrefix = Buffer.from("gc-envelope-v1\0");
const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** Kinds of envelope: which schema their header has, who may send them, and whether they have a body. */
const kinds: { readonly [K in Header["kind"]]: { schema: SchemaName; from: readonly string[]; sealed: boolean } } = {
  task: { schema: "task_header", from: ["user"], sealed: true },
  accept: { schema: "accept_header", from: ["endpoint"], sealed: false },
  result: { schema: "result_header", from: ["endpoint"], sealed: true },
  receipt: { schema: "receipt_header", from: ["user"], sealed: false },
  cancel: { schema: "cancel_header", from: ["user"], sealed: false },
  live: { schema: "live_header", from: ["user", "endpoint"], sealed: true },
};

/** Hexadecimal sha256 of bytes; of a whole envelope, its digest. */
export function digestOf(bytes: Uint8Array): string {
  return hash("sha256", bytes, "hex");
}

/** sha256 of a header, which its body is bound to when it is sealed. */
export function headerHash(header_bytes: Uint8Array): Uint8Array {
  return hash("sha256", header_bytes, "buffer");
}

/** Puts an envelope together and signs it. `header_hash` is that of `header_bytes`. */
export function packEnvelope<H extends Header>(
  from: Identity,
  header: H,
  header_bytes: Uint8Array,
  header_hash: Uint8Array,
  body: Uint8Array,
): Envelope<H> {
  const bytes = new Uint8Array(fixedBytes + header_bytes.byteLength + body.byteLength);
  const view = new DataView(bytes.buffer);
  const bodyAt = 1 + 4 + header_bytes.byteLength + 4;
  view.setUint8(0, version);
  view.setUint32(1, header_bytes.byteLength, true);
  bytes.set(header_bytes, 5);
  view.setUint32(bodyAt - 4, body.byteLength, true);
  bytes.set(body, bodyAt);
  bytes.set(from.sign(signedBytes(header_hash, body)), bodyAt + body.byteLength);
  return {
    header,
    header_bytes: bytes.subarray(5, bodyAt - 4),
    body: bytes.subarray(bodyAt, bodyAt + body.byteLength),
    signature: bytes.subarray(bodyAt + body.byteLength),
    bytes,
  };
}

/**
 * Takes an envelope apart. Copies nothing. Checked are the shape, the header's schema and what a header says of itself;
 * nothing is known yet about who made it.
 * @throws GcError data `envelope.malformed`, `envelope.version` or `envelope.header`.
 */
export function readEnvelope(bytes: Uint8Array): Envelope {
  if (bytes.byteLength < fixedBytes) throw malformed("shorter than any envelope");
  if (bytes[0] !== version) {
    throw new GcError("data", "envelope.version", `The envelope has version ${bytes[0]}, this gc reads ${version}`);
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const headerBytes = view.getUint32(1, true);
  if (headerBytes > headerBytesMax) throw malformed(`a header of ${headerBytes} bytes, the limit is ${headerBytesMax}`);
  if (fixedBytes + headerBytes > bytes.byteLength) throw malformed("cut short in its header");
  const bodyAt = 1 + 4 + headerBytes + 4;
  const bodyBytes = view.getUint32(bodyAt - 4, true);
  if (bodyBytes > sealedBytesMax) throw malformed(`a body of ${bodyBytes} bytes, the limit is ${sealedBytesMax}`);
  if (bodyAt + bodyBytes + signatureBytes !== bytes.byteLength) throw malformed("its length is not what it says");
  const header_bytes = bytes.subarray(5, bodyAt - 4);
  const header = readHeader(header_bytes);
  if (kinds[header.kind].sealed ? bodyBytes < sealOverheadBytes : bodyBytes > 0) {
    throw malformed(`a body of ${bodyBytes} bytes in an envelope of kind "${header.kind}"`);
  }
  return {
    header,
    header_bytes,
    body: bytes.subarray(bodyAt, bodyAt + bodyBytes),
    signature: bytes.subarray(bodyAt + bodyBytes),
    bytes,
  };
}

/**
 * Returns when the envelope is meant for this principal. Whoever acts on an envelope asks this first: a body can be
 * opened by its addressee alone, but accepts, receipts and cancels have none.
 * @throws GcError permission `envelope.wrong_addressee`.
 */
export function requireAddressee(envelope: Envelope, id: string): void {
  const { header } = envelope;
  if (header.to === id) return;
  throw refused("envelope.wrong_addressee", `The ${header.kind} ${header.id} is for ${header.to}, not for ${id}`);
}

/**
 * Proves that the principal of `record` made this envelope. Says nothing of whether it may: that is `access_list.ts`.
 * @throws GcError permission `envelope.wrong_sender`, `envelope.bad_signature`, or `key.*` for a bad record.
 */
export function verifyEnvelope(envelope: Envelope, record: KeyRecord): void {
  const { header } = envelope;
  const sender = checkRecord(record);
  if (sender.id !== header.from) {
    throw refused("envelope.wrong_sender", `The envelope says it is from ${header.from}, not from ${sender.id}`);
  }
  if (!kinds[header.kind].from.includes(sender.kind)) {
    throw refused("envelope.wrong_sender", `The ${sender.kind} ${sender.id} cannot send a ${header.kind}`);
  }
  if ("sender" in header && checkRecord(header.sender).id !== header.from) {
    throw refused("envelope.wrong_sender", `The envelope from ${header.from} carries another key`);
  }
  const signed = signedBytes(headerHash(envelope.header_bytes), envelope.body);
  if (!verifySignature(sender, signed, envelope.signature)) {
    throw refused("envelope.bad_signature", `The ${header.kind} ${header.id} is not signed by ${header.from}`);
  }
}

function signedBytes(header_hash: Uint8Array, body: Uint8Array): Buffer {
  return Buffer.concat([signedPrefix, header_hash, hash("sha256", body, "buffer")]);
}

function readHeader(bytes: Uint8Array): Header {
  let header: Header;
  try {
    header = JSON.parse(decoder.decode(bytes));
  } catch (cause) {
    throw malformed("its header is not JSON", cause);
  }
  const kind = Object.hasOwn(kinds, header?.kind) ? kinds[header.kind] : undefined;
  if (kind === undefined) throw wrongHeader("it has no known kind");
  const problem = problems(kind.schema, header)[0];
  if (problem !== undefined) throw wrongHeader(`${problem.path || "it"} ${problem.message}`);
  const broken = contradiction(header);
  if (broken !== undefined) throw wrongHeader(broken);
  return header;
}

/** What a schema cannot say. */
function contradiction(header: Header): string | undefined {
  if ("sender" in header && header.sender.id !== header.from) return "its sender is not who it is from";
  switch (header.kind) {
    case "task":
      return header.id === envelopeId(header.from as PrincipalId, header.nonce)
        ? undefined
        : "its id is not that of its sender and nonce";
    case "result":
      if (header.classes.length !== header.indices.length) return "it has not one class for each index";
      return distinct(header.indices) ? undefined : "it has an index twice";
    case "receipt":
    case "cancel":
      return distinct(header.indices) ? undefined : "it has an index twice";
    default:
      return undefined;
  }
}

function distinct(indices: readonly number[]): boolean {
  return indices.length < 2 || new Set(indices).size === indices.length;
}

function malformed(what: string, cause?: unknown): GcError {
  return new GcError("data", "envelope.malformed", `The envelope is malformed: ${what}`, { cause });
}

function wrongHeader(what: string): GcError {
  return new GcError("data", "envelope.header", `The header of the envelope is not valid: ${what}`);
}

function refused(code: string, message: string): GcError {
  return new GcError("permission", code, message);
}
