/**
 * Bytes into a running task. A real pipe wherever possible: with a socket, which is what the runtime offers, `cat
 * /dev/stdin` fails (bun.md §4). What the task does not take stays in a short queue, and what the queue cannot hold is
 * not acknowledged; a task that closes its input loses the rest and nobody waits.
 */
import * as fs from "node:fs";
import { systemCode } from "../errors.ts";
import type { Clock } from "../host/host.ts";
import { libc } from "../host/libc.ts";

/** The way into one task. */
export interface TaskInput {
  /** Queues bytes, and with `end` the end of input. */
  write(bytes: Uint8Array | undefined, end: boolean): void;
  /** The task is over: lets go of everything. */
  close(): void;
}

/** Told how much the task has taken in all, and whether it reads no more. */
export type Taken = (offset: number, closed: boolean) => void;

const pipeBytes = 1024 * 1024;
/** While the pipe is full it is looked at again after this time, longer each time. */
const lookAgain_ms = { first: 1, most: 50 };

/** A pipe: `read` is for the task and is closed by whoever gave it to the task. Undefined where there are no pipes. */
export function makePipeInput(clock: Clock, taken: Taken): { read: number; input: TaskInput } | undefined {
  const ends = libc()?.pipe();
  if (ends === undefined) return undefined;
  libc()?.growPipe(ends.write, pipeBytes);
  return { read: ends.read, input: new PipeInput(ends.write, clock, taken) };
}

class PipeInput implements TaskInput {
  readonly #clock: Clock;
  readonly #taken: Taken;
  #fd: number | undefined;
  #queue: Uint8Array[] = [];
  #offset = 0;
  #ended = false;
  #closed = false;
  #delay_ms = lookAgain_ms.first;
  #cancel: (() => void) | undefined;

  constructor(fd: number, clock: Clock, taken: Taken) {
    this.#fd = fd;
    this.#clock = clock;
    this.#taken = taken;
  }

  write(bytes: Uint8Array | undefined, end: boolean): void {
    if (this.#closed) {
      this.#offset += bytes?.byteLength ?? 0;
      return this.#taken(this.#offset, true);
    }
    if (bytes !== undefined) this.#queue.push(bytes);
    this.#ended ||= end;
    if (this.#cancel === undefined) this.#pump();
  }

  close(): void {
    this.#cancel?.();
    this.#cancel = undefined;
    this.#closed = true;
    this.#queue = [];
    if (this.#fd !== undefined) fs.closeSync(this.#fd);
    this.#fd = undefined;
  }

  #pump(): void {
    this.#cancel = undefined;
    const before = this.#offset;
    const full = !this.#drain();
    if (this.#offset > before) this.#delay_ms = lookAgain_ms.first;
    if (full) {
      this.#cancel = this.#clock.after(this.#delay_ms, () => this.#pump());
      this.#delay_ms = Math.min(this.#delay_ms * 2, lookAgain_ms.most);
    } else if (this.#ended) this.close();
    if (this.#offset > before || !full) this.#taken(this.#offset, this.#closed);
  }

  /** Writes what the pipe takes; false when it is full. A task that closed its end takes all, and forgets it. */
  #drain(): boolean {
    for (;;) {
      const next = this.#queue[0];
      if (next === undefined || this.#fd === undefined) return true;
      try {
        const wrote = fs.writeSync(this.#fd, next);
        this.#offset += wrote;
        if (wrote < next.byteLength) this.#queue[0] = next.subarray(wrote);
        else this.#queue.shift();
      } catch (error) {
        if (systemCode(error) === "EAGAIN") return false;
        for (const lost of this.#queue) this.#offset += lost.byteLength;
        this.close();
      }
    }
  }
}

/** Without pipes: the socket that the runtime makes. */
export class SocketInput implements TaskInput {
  readonly #sink: Bun.FileSink;
  readonly #taken: Taken;
  #offset = 0;
  #closed = false;

  constructor(sink: Bun.FileSink, taken: Taken) {
    this.#sink = sink;
    this.#taken = taken;
  }

  write(bytes: Uint8Array | undefined, end: boolean): void {
    this.#offset += bytes?.byteLength ?? 0;
    const until = this.#offset;
    if (this.#closed) return this.#taken(until, true);
    if (bytes !== undefined) this.#sink.write(bytes);
    const told = (): void => this.#taken(until, this.#closed);
    const flushed = Promise.resolve(this.#sink.flush()).then(told, () => this.close());
    if (end) flushed.finally(() => this.close()).catch(() => {});
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    Promise.resolve(this.#sink.end()).catch(() => {});
  }
}
