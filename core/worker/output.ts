/**
 * What a task writes: one file per stream, never a pipe, so that a task may write as fast as the disk takes it, reopen
 * /dev/stdout, and leave children that keep it open without anybody hanging. The end of it goes into the result. The
 * file is used again for the next task when the result holds all of it; otherwise it stays, under the attempt's name.
 */
import { isUtf8 } from "node:buffer";
import * as fs from "node:fs";
import { removeIfThere, writeAll } from "../host/files.ts";
import { snippetBytesMax } from "../limits.ts";
import type { Output } from "../schema/result.ts";

/** What was written by a task that wrote nothing, or whose output nobody wants. */
export const nothing: Output = Object.freeze({ total: 0, kept: 0 });
const snippetLinesDefault = 1000;
/** Most output is small: one read tells its size and brings all of it. */
const scratch = Buffer.alloc(16 * 1024);

/** The file of one stream. */
export class Capture {
  readonly #path: string;
  #fd: number;

  constructor(path: string) {
    this.#path = path;
    this.#fd = openCapture(path);
  }

  /** Where it is, for a process that opens it itself, also appending. */
  get path(): string {
    return this.#path;
  }

  /** For the child: appending, so that two writers and a reopened /dev/stdout do not overwrite each other. */
  get fd(): number {
    return this.#fd;
  }

  size(): number {
    return fs.fstatSync(this.#fd).size;
  }

  /** For output that comes to us instead of going to the file: that of a terminal. */
  write(bytes: Uint8Array): void {
    writeAll(this.#fd, bytes);
  }

  /** At most `bytes` bytes from `offset` on; fewer where the file ends. */
  read(offset: number, bytes: number): Uint8Array {
    return readFrom(this.#fd, offset, bytes);
  }

  /** The end of the output: the last `lines` lines, at most 1 MiB. */
  harvest(lines = snippetLinesDefault): Output {
    const small = fs.readSync(this.#fd, scratch, 0, scratch.byteLength, 0);
    if (small === 0) return nothing;
    if (small < scratch.byteLength) return outputOf(lastLines(scratch.subarray(0, small), lines, false), small);
    const total = this.size();
    const tail = readFrom(this.#fd, Math.max(total - snippetBytesMax, 0), Math.min(total, snippetBytesMax));
    return outputOf(lastLines(tail, lines, tail.byteLength < total), total);
  }

  /** Empties the file for the next task. Only when nobody has it open any more. */
  recycle(): void {
    fs.ftruncateSync(this.#fd, 0);
  }

  /** Leaves the file under another name, and goes on with a new one. */
  keepAs(path: string): void {
    fs.renameSync(this.#path, path);
    this.#renew();
  }

  /** Leaves the file to whoever still has it open, and goes on with a new one. */
  abandon(): void {
    removeIfThere(this.#path);
    this.#renew();
  }

  close(): void {
    fs.closeSync(this.#fd);
    removeIfThere(this.#path);
  }

  #renew(): void {
    fs.closeSync(this.#fd);
    this.#fd = openCapture(this.#path);
  }
}

/** Bytes of a file that a worker left under an attempt's name; none when it is not there. */
export function readOutputFile(path: string, offset: number, bytes: number): Uint8Array {
  let fd: number;
  try {
    fd = fs.openSync(path, "r");
  } catch {
    return new Uint8Array(0);
  }
  try {
    return readFrom(fd, offset, bytes);
  } finally {
    fs.closeSync(fd);
  }
}

/** The bytes that an output holds. */
export function bytesOf(output: Output): Uint8Array {
  if (output.text !== undefined) return Buffer.from(output.text);
  return Buffer.from(output.base64 ?? "", "base64");
}

/** Bytes as they travel in a result: as text if they are text, so that a person can read the JSON. */
export function outputOf(kept: Uint8Array, total: number): Output {
  const bytes = Buffer.from(kept.buffer, kept.byteOffset, kept.byteLength);
  if (bytes.byteLength === 0) return { total, kept: 0 };
  if (isUtf8(bytes) && !mostlyControls(bytes)) return { total, kept: bytes.byteLength, text: bytes.toString() };
  return { total, kept: bytes.byteLength, base64: bytes.toString("base64") };
}

/**
 * The last `lines` lines of `bytes`. `cut`: something came before them; then a character that was cut in two is left
 * out.
 */
export function lastLines(bytes: Uint8Array, lines: number, cut: boolean): Uint8Array {
  if (lines <= 0) return bytes.subarray(bytes.byteLength);
  let at = bytes.byteLength;
  if (bytes[at - 1] === newline) at--;
  for (let left = lines; left > 0 && at >= 0; left--) at = at === 0 ? -1 : bytes.lastIndexOf(newline, at - 1);
  if (at >= 0) return bytes.subarray(at + 1);
  let start = 0;
  if (cut) while (start < 3 && ((bytes[start] ?? 0) & 0xc0) === 0x80) start++;
  return bytes.subarray(start);
}

const newline = 10;

/** JSON writes six characters for a control character: beyond some, base64 is shorter and the body's limit holds. */
function mostlyControls(bytes: Uint8Array): boolean {
  let controls = 0;
  for (const byte of bytes) if (byte < 32 && byte !== newline && byte !== 9 && byte !== 13) controls++;
  return controls * 8 > bytes.byteLength;
}

function openCapture(path: string): number {
  const { O_RDWR, O_CREAT, O_APPEND, O_TRUNC } = fs.constants;
  return fs.openSync(path, O_RDWR | O_CREAT | O_APPEND | O_TRUNC, 0o600);
}

function readFrom(fd: number, offset: number, count: number): Uint8Array {
  const bytes = Buffer.allocUnsafe(count);
  let done = 0;
  while (done < count) {
    const read = fs.readSync(fd, bytes, done, count - done, offset + done);
    if (read === 0) break;
    done += read;
  }
  return bytes.subarray(0, done);
}
