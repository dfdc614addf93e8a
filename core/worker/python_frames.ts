/** Frames between a worker and its interpreters: the length in four bytes, little endian, then JSON. */

/** A message as one frame. */
export function pythonFrame(message: object): Uint8Array {
  const body = JSON.stringify(message);
  const length = Buffer.byteLength(body);
  const frame = Buffer.allocUnsafe(4 + length);
  frame.writeUInt32LE(length, 0);
  frame.write(body, 4);
  return frame;
}

/** Puts frames together again from the pieces in which they come. */
export class PythonFrames {
  #held: Buffer[] = [];
  #bytes = 0;

  /** The messages that `piece` completes. @throws SyntaxError when one is not JSON. */
  take(piece: Uint8Array): unknown[] {
    this.#held.push(Buffer.from(piece.buffer, piece.byteOffset, piece.byteLength));
    this.#bytes += piece.byteLength;
    if (this.#bytes < 4) return [];
    const first = this.#held[0] as Buffer;
    if (first.byteLength >= 4 && this.#bytes < 4 + first.readUInt32LE(0)) return [];
    let all = this.#held.length === 1 ? first : Buffer.concat(this.#held);
    const found: unknown[] = [];
    while (all.byteLength >= 4) {
      const end = 4 + all.readUInt32LE(0);
      if (all.byteLength < end) break;
      found.push(JSON.parse(all.toString("utf8", 4, end)));
      all = all.subarray(end);
    }
    this.#held = all.byteLength === 0 ? [] : [all];
    this.#bytes = all.byteLength;
    return found;
  }
}
