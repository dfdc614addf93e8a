/**
 * The standard input of one attached task: bytes by offset, repeated until the task has taken them, never more than a
 * window ahead of it. The source is not read while the window is full. Pure; `attach.ts` acts.
 */
import { chunkBytesMax, followWindowBytes } from "../limits.ts";
import type { Input as InputMessage } from "../schema/worker_message.ts";
import type { TaskId } from "../task/id.ts";

/** First pause before unacknowledged input is sent again; it doubles. Early input may come before the task has
 * begun. */
const againFirst_ms = 50;
const againMax_ms = 5000;

export class Input {
  private readonly tid: TaskId;
  /** Bytes from `acked` on, in the pieces they came in. */
  private pieces: Uint8Array[] = [];
  private held = 0;
  private acked = 0;
  private sent = 0;
  private ended = false;
  private endSent = false;
  private closed = false;
  private pause_ms = againFirst_ms;
  private due_ms = Number.POSITIVE_INFINITY;

  constructor(tid: TaskId) {
    this.tid = tid;
  }

  /** Takes bytes from the source; an empty piece is nothing. */
  push(bytes: Uint8Array): void {
    if (this.closed || this.ended || bytes.byteLength === 0) return;
    this.pieces.push(bytes);
    this.held += bytes.byteLength;
  }

  /** The source has come to its end. */
  end(): void {
    this.ended = true;
  }

  /** Whether the source should be read: there is room, and the task still wants input. */
  get wanted(): boolean {
    return !this.closed && !this.ended && this.held < followWindowBytes;
  }

  /** Whether the task has it all, or wants no more. */
  get done(): boolean {
    return this.closed || (this.ended && this.endSent && this.held === 0);
  }

  get dueAt_ms(): number {
    return this.due_ms;
  }

  /** Messages with what was not sent yet; with `again`, from the last acknowledgement on. */
  send(now_ms: number, again = false): InputMessage[] {
    if (this.closed) return [];
    if (again) {
      this.sent = this.acked;
      this.endSent = false;
    }
    const messages: InputMessage[] = [];
    for (const bytes of this.unsent()) {
      const end = this.ended && this.sent + bytes.byteLength === this.acked + this.held;
      messages.push({ t: "input", tid: this.tid, offset: this.sent, end, bytes: [bytes] });
      this.sent += bytes.byteLength;
      if (end) this.endSent = true;
    }
    if (this.ended && !this.endSent) {
      messages.push({ t: "input", tid: this.tid, offset: this.sent, end: true });
      this.endSent = true;
    }
    if (messages.length > 0) {
      this.due_ms = now_ms + this.pause_ms;
      this.pause_ms = Math.min(againMax_ms, this.pause_ms * 2);
    }
    return messages;
  }

  /** The task has taken everything up to `offset`, or reads no more (`closed`). */
  acknowledge(offset: number, closed: boolean, now_ms: number): void {
    if (closed) {
      this.closed = true;
      this.pieces = [];
      this.held = 0;
      this.due_ms = Number.POSITIVE_INFINITY;
      return;
    }
    let taken = Math.min(offset, this.acked + this.held) - this.acked;
    if (taken < 0) return;
    this.acked += taken;
    this.held -= taken;
    this.sent = Math.max(this.sent, this.acked);
    while (taken > 0) {
      const [first] = this.pieces;
      if (first === undefined) break;
      if (first.byteLength > taken) this.pieces[0] = first.subarray(taken);
      else this.pieces.shift();
      taken -= Math.min(taken, first.byteLength);
    }
    this.pause_ms = againFirst_ms * 20;
    this.due_ms = this.held === 0 && !this.ended ? Number.POSITIVE_INFINITY : now_ms + this.pause_ms;
  }

  /** The link is new: what was under way may be lost. */
  restart(): void {
    this.sent = this.acked;
    this.endSent = false;
    this.pause_ms = againFirst_ms;
    this.due_ms = 0;
  }

  private *unsent(): Generator<Uint8Array> {
    let skip = this.sent - this.acked;
    for (const piece of [...this.pieces]) {
      if (skip >= piece.byteLength) {
        skip -= piece.byteLength;
        continue;
      }
      for (let at = skip; at < piece.byteLength; at += chunkBytesMax) yield piece.subarray(at, at + chunkBytesMax);
      skip = 0;
    }
  }
}
