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

const encoder = new TextEncoder();
const decoder = new TextDecoder("utf-8", { fatal: true });

/** Packs messages, in order, into one frame. */
export function encodeFrame(messages: readonly Frameable[]): Uint8Array<ArrayBuffer> {
  const blobs: Uint8Array[] = [];
  let blobBytes = 0;
  const plain = messages.map((message) => {
    if (message.bytes === undefined) return message;
    for (const blob of message.bytes) {
      blobs.push(blob);
      blobBytes += blob.byteLength;
    }
    return { ...message, bytes: message.bytes.map((blob) => blob.byteLength) };
  });
  const json = encoder.encode(JSON.stringify(plain));
  const frame = new Uint8Array(4 + json.byteLength + blobBytes);
  new DataView(frame.buffer).setUint32(0, json.byteLength, true);
  frame.set(json, 4);
  let at = 4 + json.byteLength;
  for (const blob of blobs) {
    frame.set(blob, at);
    at += blob.byteLength;
  }
  return frame;
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
