/**
 * Long frames in parts. One WebSocket message carries one frame, unless the frame is longer than `partBytes`: then a
 * head announces its length and the bytes follow in parts. So on a slow line something is heard every few seconds
 * while 10 MiB go by, and nobody can make an acceptor hold more than a part before he has proved who he is. Pure.
 *
 *     u32 0xffffffff | u32 length of the frame      then messages of at most `partBytes`, together `length` bytes
 */
import { GcError } from "../errors.ts";
import { frameBytesMax, partBytes } from "../limits.ts";

/** No frame begins so: it would be the length of its JSON. */
const headMark = 0xffffffff;
const headBytes = 8;

/** The WebSocket messages that carry `frame`; views of it, no copies. */
export function partsOf(frame: Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer>[] {
  if (frame.byteLength <= partBytes) return [frame];
  const head = new Uint8Array(headBytes);
  const view = new DataView(head.buffer);
  view.setUint32(0, headMark, true);
  view.setUint32(4, frame.byteLength, true);
  const parts = [head];
  for (let at = 0; at < frame.byteLength; at += partBytes) parts.push(frame.subarray(at, at + partBytes));
  return parts;
}

/** Puts the frames of one connection together again. */
export class Assembler {
  #frame: Uint8Array | undefined;
  #filled = 0;

  /**
   * The frame that is complete with this message, or undefined while parts are missing.
   * @throws GcError protocol `wire.too_large` or `wire.malformed`; the connection cannot be used any more then.
   */
  take(message: Uint8Array): Uint8Array | undefined {
    if (this.#frame === undefined) {
      if (!isHead(message)) return message;
      this.#frame = new Uint8Array(announced(message));
      this.#filled = 0;
      return undefined;
    }
    const frame = this.#frame;
    if (message.byteLength === 0 || this.#filled + message.byteLength > frame.byteLength) {
      throw malformed("a part that does not fit what was announced");
    }
    frame.set(message, this.#filled);
    this.#filled += message.byteLength;
    if (this.#filled < frame.byteLength) return undefined;
    this.#frame = undefined;
    return frame;
  }
}

/** Whether a message announces parts. */
export function isHead(message: Uint8Array): boolean {
  return message.byteLength === headBytes && viewOf(message).getUint32(0, true) === headMark;
}

function announced(head: Uint8Array): number {
  const length = viewOf(head).getUint32(4, true);
  if (length <= partBytes) throw malformed("parts for a frame that needs none");
  if (length > frameBytesMax) {
    throw new GcError(
      "protocol",
      "wire.too_large",
      `A frame of ${length} bytes was announced; the limit is ${frameBytesMax}`,
    );
  }
  return length;
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

function malformed(what: string): GcError {
  return new GcError("protocol", "wire.malformed", `The frame is malformed: ${what}`);
}
