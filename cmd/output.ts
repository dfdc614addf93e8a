/**
 * Bytes to standard output and standard error. Written directly: `process.stdout` costs 9 ms on first use (bun.md §1),
 * and its errors come too late to be told from success. A reader who left (`gc ps | head -1`) is not an error of ours.
 */
import { writeSync } from "node:fs";
import { GcError, messageOf, systemCode } from "../core/errors.ts";
import { isTerminal } from "./descriptor.ts";
import { QuietEnd } from "./quiet_end.ts";

/** Whoever read this descriptor has gone. Ends a command quietly, with the code a shell knows from SIGPIPE. */
export class ReaderGone extends QuietEnd {
  override name = "ReaderGone";

  constructor(cause: unknown) {
    super(141, "The reader of the output has gone", cause);
  }
}

/** Output that could not be written, as what it is: nobody reads it any more, or there is no room where it goes. */
export function outputError(fd: number, cause: unknown): ReaderGone | GcError {
  const code = systemCode(cause);
  // A terminal that has gone says EIO, and so does a disk that breaks.
  if (code === "EPIPE" || (code === "EIO" && isTerminal(fd))) return new ReaderGone(cause);
  return new GcError("io", "output.failed", `Cannot write the output: ${messageOf(cause)}`, { cause });
}

/**
 * Writes everything, waiting while the reader is slow.
 * @throws ReaderGone when nobody reads any more; GcError io `output.failed` for a full disk and the like.
 */
export function writeOut(fd: number, content: string | Uint8Array): void {
  const bytes = typeof content === "string" ? Buffer.from(content) : content;
  let done = 0;
  while (done < bytes.byteLength) {
    try {
      done += writeSync(fd, bytes, done, bytes.byteLength - done);
    } catch (error) {
      if (systemCode(error) !== "EAGAIN") throw outputError(fd, error);
      // A pipe that someone else made non-blocking is full: look again in a moment.
      Bun.sleepSync(2);
    }
  }
}
