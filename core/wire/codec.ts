/**
 * Messages ↔ bytes. A frame is `u32 length of JSON | JSON array of messages | blobs`: text where text is fast
 * (bun.md §5: JSON beats every binary codec in this runtime), raw bytes where bytes are. A message that carries blobs
 * has them in `bytes`; in the JSON their lengths stand instead.
 */
import { GcError } from "../errors.ts";

/** Anything that travels in a frame: `t` names its kind. */
export interface Frameable {
  t: string;
  bytes?: Uint8Array[];
}

/** A message without blobs whose JSON is there already, because the same text was kept. */
export class Prepared implements Frameable {
  readonly t: string;
  readonly json: string;

  constructor(t: string, json: string) {
    this.t = t;
    this.json = json;
  }
}

const encoder = new TextEncoder();
const noBlobs: readonly Uint8Array[] = [];
const decoder = new TextDecoder("utf-8", { fatal: true });

/** One message, packed as far as it can be alone: what it costs in a frame is known before the frame is made. */
export interface Packed {
  readonly json: string;
  readonly blobs: readonly Uint8Array[];
  /** Bytes that it adds to a frame, at most. */
  readonly frame_bytes: number;
}

/** Bytes of a frame without messages: its length field and the brackets. */
export const emptyFrameBytes = 6;

/** Packs one message. Later changes to it do not reach the frame; changes to its blobs do, until `joinFrame`. */
export function packMessage(message: Frameable): Packed {
  if (message instanceof Prepared) {
    return { json: message.json, blobs: noBlobs, frame_bytes: Buffer.byteLength(message.json) + 1 };
  }
  const blobs = message.bytes ?? noBlobs;
  let blobBytes = 0;
  for (const blob of blobs) blobBytes += blob.byteLength;
  const plain =
    message.bytes === undefined ? message : { ...message, bytes: message.bytes.map((blob) => blob.byteLength) };
  const json = JSON.stringify(plain);
  return { json, blobs, frame_bytes: Buffer.byteLength(json) + 1 + blobBytes };
}

/** Joins packed messages, in order, into one frame. */
export function joinFrame(packed: readonly Packed[]): Uint8Array<ArrayBuffer> {
  const text = packed.length === 1 ? `[${packed[0]?.json}]` : `[${packed.map((each) => each.json).join(",")}]`;
  const json = encoder.encode(text);
  let bytes = 4 + json.byteLength;
  for (const each of packed) for (const blob of each.blobs) bytes += blob.byteLength;
  const frame = new Uint8Array(bytes);
  new DataView(frame.buffer).setUint32(0, json.byteLength, true);
  frame.set(json, 4);
  let at = 4 + json.byteLength;
  for (const each of packed) {
    for (const blob of each.blobs) {
      frame.set(blob, at);
      at += blob.byteLength;
    }
  }
  return frame;
}

/** Packs messages, in order, into one frame. */
export function encodeFrame(messages: readonly Frameable[]): Uint8Array<ArrayBuffer> {
  return joinFrame(messages.map(packMessage));
}

/**
 * Unpacks a frame. Blobs are views of `frame`, not copies. The messages are still untrusted: only `t` is known to be a
 * string and `bytes` to be blobs.
 * @throws GcError `wire.malformed` for anything that `encodeFrame` cannot have made.
 */
export function decodeFrame(frame: Uint8Array): Frameable[] {
  if (frame.byteLength < 4) throw malformed("shorter than its length field");
  const jsonBytes = new DataView(frame.buffer, frame.byteOffset, 4).getUint32(0, true);
  if (4 + jsonBytes > frame.byteLength) throw malformed("cut short");
  let messages: unknown;
  try {
    messages = JSON.parse(decoder.decode(frame.subarray(4, 4 + jsonBytes)));
  } catch (cause) {
    throw malformed("not JSON", cause);
  }
  if (!Array.isArray(messages)) throw malformed("not a list of messages");
  let at = 4 + jsonBytes;
  for (const message of messages) {
    if (typeof message !== "object" || message === null || typeof message.t !== "string") {
      throw malformed("a message without a kind");
    }
    if (message.bytes === undefined) continue;
    if (!Array.isArray(message.bytes)) throw malformed("blob lengths are not a list");
    message.bytes = message.bytes.map((length: unknown) => {
      if (typeof length !== "number" || !Number.isInteger(length) || length < 0 || at + length > frame.byteLength) {
        throw malformed("a blob outside the frame");
      }
      at += length;
      return frame.subarray(at - length, at);
    });
  }
  if (at !== frame.byteLength) throw malformed("bytes left over");
  return messages as Frameable[];
}

function malformed(what: string, cause?: unknown): GcError {
  return new GcError("protocol", "wire.malformed", `The frame is malformed: ${what}`, { cause });
}
