/**
 * The output of one task as its client sees it: both streams by offset, so that after any number of lost messages and
 * reconnections every byte is passed on once and in order. What was passed on but not yet written is bounded by the
 * window, because the next `follow` names only what has been written. Pure; `attach.ts` acts.
 */
import { followWindowBytes } from "../limits.ts";
import type { Output, Result } from "../schema/result.ts";
import type { Chunk, Follow as FollowMessage } from "../schema/worker_message.ts";
import type { TaskId } from "../task/id.ts";

export type StreamName = "stdout" | "stderr";

interface Stream {
  /** Bytes passed on to the reader. */
  passed: number;
  /** Bytes that the reader has written. */
  written: number;
  /** Bytes that the last `follow` named. */
  named: number;
  ended: boolean;
}

const begun = (): Stream => ({ passed: 0, written: 0, named: 0, ended: false });

/** First pause before `follow` is repeated while nothing comes; it doubles. A `follow` may get lost, or come too
 * early. */
const againFirst_ms = 100;
const againMax_ms = 10_000;

export class Follow {
  readonly tid: TaskId;
  readonly sid: string;
  private readonly streams = { stdout: begun(), stderr: begun() };
  private pause_ms = againFirst_ms;
  private due_ms = 0;

  constructor(tid: TaskId, sid: string) {
    this.tid = tid;
    this.sid = sid;
  }

  /**
   * The messages that ask for output anew, from what was passed on: a sender that knows us takes a later offset for an
   * acknowledgement only, so it is told to stop first.
   */
  ask(now_ms: number): FollowMessage[] {
    this.due_ms = now_ms + this.pause_ms;
    this.pause_ms = Math.min(againMax_ms, this.pause_ms * 2);
    return [this.stop(), this.acknowledge()];
  }

  /** The message that says how far the output has been written, so that more comes. */
  acknowledge(): FollowMessage {
    const { stdout, stderr } = this.streams;
    stdout.named = stdout.written;
    stderr.named = stderr.written;
    return this.message(stdout.written, stderr.written);
  }

  /** The message that ends the sending. */
  stop(): FollowMessage {
    return { ...this.message(0, 0), stop: true };
  }

  /** When `ask` is due again if nothing comes. */
  get dueAt_ms(): number {
    return this.due_ms;
  }

  /** The link is new: whoever sent us output has forgotten it. */
  restart(): void {
    this.pause_ms = againFirst_ms;
    this.due_ms = 0;
  }

  /** The bytes of a chunk that are new; undefined when there are none, or some before it are missing. */
  take(chunk: Chunk, now_ms: number): Uint8Array | undefined {
    const stream = this.streams[chunk.stream];
    const bytes = chunk.bytes?.[0] ?? new Uint8Array(0);
    if (chunk.tid !== this.tid) return undefined;
    if (chunk.offset > stream.passed) {
      // Something before it got lost: ask anew soon.
      this.due_ms = Math.min(this.due_ms, now_ms + againFirst_ms);
      return undefined;
    }
    this.pause_ms = againFirst_ms * 20;
    this.due_ms = now_ms + this.pause_ms;
    const fresh = bytes.subarray(stream.passed - chunk.offset);
    const reaches = chunk.offset + bytes.byteLength >= stream.passed;
    stream.passed += fresh.byteLength;
    if (chunk.end && reaches) stream.ended = true;
    return fresh.byteLength === 0 ? undefined : fresh;
  }

  /** Notes that the reader has written `count` bytes; true when the sender should be told so that it sends more. */
  wrote(name: StreamName, count: number): boolean {
    const stream = this.streams[name];
    stream.written += count;
    return !stream.ended && stream.written - stream.named >= followWindowBytes / 2;
  }

  /** Bytes of a stream that were passed on. */
  passed(name: StreamName): number {
    return this.streams[name].passed;
  }

  /** Whether both streams have come to their end. */
  ended(): boolean {
    return this.streams.stdout.ended && this.streams.stderr.ended;
  }

  /**
   * What is missing of each stream once the task has ended, taken from its result. Undefined when the result does not
   * hold all of it, so that it has to be followed further.
   */
  rest(result: Result): { stdout: Uint8Array; stderr: Uint8Array } | undefined {
    const stdout = restOf(result.stdout, this.streams.stdout);
    const stderr = restOf(result.stderr, this.streams.stderr);
    return stdout === undefined || stderr === undefined ? undefined : { stdout, stderr };
  }

  /** Whether everything that the task wrote has been passed on. An early "end" of the sender does not count. */
  complete(result: Result): boolean {
    return this.streams.stdout.passed >= result.stdout.total && this.streams.stderr.passed >= result.stderr.total;
  }

  private message(stdout_from: number, stderr_from: number): FollowMessage {
    const { sid, tid } = this;
    return { t: "follow", sid, tid, stdout_from, stderr_from, window: followWindowBytes };
  }
}

const nothing = new Uint8Array(0);

function restOf(output: Output, stream: Stream): Uint8Array | undefined {
  if (stream.passed >= output.total) return nothing;
  const first = output.total - output.kept;
  if (first > stream.passed) return undefined;
  return bytesOf(output).subarray(stream.passed - first);
}

/** The captured bytes in a result. */
export function bytesOf(output: Output): Uint8Array {
  if (output.text !== undefined) return Buffer.from(output.text);
  return output.base64 === undefined ? nothing : Buffer.from(output.base64, "base64");
}
