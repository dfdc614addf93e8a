/**
 * Lines of JSON in and out. Both sides may be slow: nothing more is read while what was read waits, and whoever writes
 * can wait until the other side has taken it. Knows nothing of what the lines say.
 */
import { QuietEnd } from "../quiet_end.ts";
import { readSome, writeFully } from "../streams.ts";

/** A line that is longer is no message of an SDK: a submit holds 10 MiB of tasks at most. */
const lineCharsMax = 64 * 1024 * 1024;

/** Lines of a descriptor, without their ends. @throws Error when one is longer than any message. */
export async function* linesOf(fd: number): AsyncGenerator<string> {
  const decoder = new TextDecoder();
  // Pieces are joined once per line: a long one would be copied again with every piece.
  let begun: string[] = [];
  let size = 0;
  for (let piece = await readSome(fd); piece !== undefined; piece = await readSome(fd)) {
    const parts = decoder.decode(piece, { stream: true }).split("\n");
    const last = parts.pop() ?? "";
    for (const part of parts) {
      yield begun.length === 0 ? part : begun.join("") + part;
      begun = [];
      size = 0;
    }
    if (last === "") continue;
    begun.push(last);
    size += last.length;
    if (size > lineCharsMax) throw new Error("A line is longer than any message");
  }
  if (begun.length > 0) yield begun.join("");
}

/** Lines to a descriptor, in order; what is said at once is written at once. */
export class LineOut {
  private waiting: string[] = [];
  private writing: Promise<void> | undefined;
  private readonly fd: number;
  /** Nobody reads any more; what is said is lost. */
  closed = false;
  /** Told once when the reader has gone. */
  onClosed = (): void => {};

  constructor(fd: number) {
    this.fd = fd;
  }

  send(message: object): void {
    if (this.closed) return;
    this.waiting.push(JSON.stringify(message));
    this.writing ??= this.pump();
  }

  /** Resolves when everything that was said is written, or the reader has gone. */
  async drained(): Promise<void> {
    while (this.writing !== undefined) await this.writing;
  }

  private async pump(): Promise<void> {
    // Whatever else this turn says goes out in the same write.
    await Promise.resolve();
    try {
      while (this.waiting.length > 0) {
        const bytes = Buffer.from(`${this.waiting.join("\n")}\n`);
        this.waiting = [];
        await writeFully(this.fd, bytes);
      }
    } catch (error) {
      this.closed = true;
      this.waiting = [];
      this.onClosed();
      if (!(error instanceof QuietEnd)) throw error;
    } finally {
      this.writing = undefined;
    }
  }
}
