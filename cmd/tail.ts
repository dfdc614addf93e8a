/** The end of a file that grows, and what is added to it. A file that was replaced or cut is read from its
 * beginning. */
import * as fs from "node:fs";
import { fileError, isAbsent } from "../core/host/files.ts";
import type { Clock } from "../core/host/host.ts";

/** Where reading goes on: which file it was, and how far. */
export interface TailPosition {
  inode: number;
  offset: number;
}

const lookEvery_ms = 250;
const chunkBytes = 64 * 1024;

/** The last `count` lines of the file at `path`; none when there is no such file. Reads from the end. */
export function lastLines(path: string, count: number): { lines: string[]; next: TailPosition } {
  const fd = open(path);
  if (fd === undefined) return { lines: [], next: { inode: 0, offset: 0 } };
  try {
    const { size, ino } = fs.fstatSync(fd);
    let start = size;
    let tail = Buffer.alloc(0);
    while (start > 0 && newlinesIn(tail) <= count) {
      const length = Math.min(chunkBytes, start);
      start -= length;
      tail = Buffer.concat([readAt(fd, start, length), tail]);
    }
    const text = tail.toString();
    const lines = text.split("\n");
    if (lines.at(-1) === "") lines.pop();
    return { lines: count === 0 ? [] : lines.slice(-count), next: { inode: ino, offset: size } };
  } finally {
    fs.closeSync(fd);
  }
}

/** Calls `print` for every line that is added after `from`. Resolves never; ends by an error of `print`. */
export async function followLines(
  path: string,
  from: TailPosition,
  print: (line: string) => void,
  clock: Clock,
): Promise<never> {
  let at = from;
  let rest = "";
  for (;;) {
    const fd = open(path);
    if (fd !== undefined) {
      try {
        const { size, ino } = fs.fstatSync(fd);
        if (ino !== at.inode || size < at.offset) at = { inode: ino, offset: 0 };
        while (at.offset < size) {
          const chunk = readAt(fd, at.offset, Math.min(chunkBytes, size - at.offset));
          if (chunk.byteLength === 0) break;
          at = { inode: ino, offset: at.offset + chunk.byteLength };
          const lines = (rest + chunk.toString("latin1")).split("\n");
          rest = lines.pop() ?? "";
          for (const line of lines) print(Buffer.from(line, "latin1").toString());
        }
      } finally {
        fs.closeSync(fd);
      }
    }
    await new Promise<void>((resolve) => clock.after(lookEvery_ms, resolve));
  }
}

function open(path: string): number | undefined {
  try {
    return fs.openSync(path, "r");
  } catch (cause) {
    if (isAbsent(cause)) return undefined;
    throw fileError("read", path, cause);
  }
}

function readAt(fd: number, position: number, length: number): Buffer {
  const bytes = Buffer.alloc(length);
  const count = fs.readSync(fd, bytes, 0, length, position);
  return bytes.subarray(0, count);
}

function newlinesIn(bytes: Buffer): number {
  let count = 0;
  for (const byte of bytes) if (byte === 10) count += 1;
  return count;
}
