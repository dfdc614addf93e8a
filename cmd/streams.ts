/**
 * Descriptors as streams that wait: a slow reader of our output slows the task down instead of filling our memory, and
 * neither reading nor writing ever holds up signals or the connection. Works on the descriptors themselves, because
 * `process.stdin` and `process.stdout` cost 9 ms on first use (bun.md §1).
 */
import * as fs from "node:fs";
import { GcError, messageOf, systemCode } from "../core/errors.ts";
import { isTerminal } from "./descriptor.ts";
import { outputError } from "./output.ts";

const pieceBytes = 64 * 1024;

/**
 * Writes all of `bytes`; resolves when the operating system has them. Rejects with ReaderGone when nobody reads, with
 * GcError io `output.failed` for other trouble.
 */
export async function writeFully(fd: number, bytes: Uint8Array): Promise<void> {
  let done = 0;
  while (done < bytes.byteLength) {
    try {
      done += await writeSome(fd, bytes, done);
    } catch (error) {
      if (systemCode(error) !== "EAGAIN") throw outputError(fd, error);
      await new Promise((resolve) => setTimeout(resolve, 2));
    }
  }
}

function writeSome(fd: number, bytes: Uint8Array, done: number): Promise<number> {
  return new Promise((resolve, reject) => {
    fs.write(fd, bytes, done, bytes.byteLength - done, null, (error, count) =>
      error ? reject(error) : resolve(count),
    );
  });
}

/**
 * The next piece that `fd` has; undefined at its end, which is also when whoever wrote to it has gone.
 * @throws GcError io `input.failed` when it cannot be read, such as a directory: half an input is not an input.
 */
export async function readSome(fd: number): Promise<Uint8Array | undefined> {
  for (;;) {
    try {
      const bytes = new Uint8Array(pieceBytes);
      const count = await new Promise<number>((resolve, reject) => {
        fs.read(fd, bytes, 0, pieceBytes, null, (error, read) => (error ? reject(error) : resolve(read)));
      });
      return count === 0 ? undefined : bytes.subarray(0, count);
    } catch (error) {
      const code = systemCode(error);
      if (code === "EBADF" || code === "ECONNRESET" || (code === "EIO" && isTerminal(fd))) return undefined;
      if (code !== "EAGAIN") {
        throw new GcError("io", "input.failed", `Cannot read the input: ${messageOf(error)}`, { cause: error });
      }
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
  }
}
