/**
 * A connection through a shared folder, for nodes that have no network to the endpoint: each side leaves numbered files
 * for the other, and takes away what it has read. To the session above it is a socket like any other; slower, because
 * both sides can only look again and again: soon while something comes, up to a second apart while nothing does.
 *
 *     opener ──► o1, o2 … ──► acceptor      a file: records of length (4 bytes), kind (1) and content
 *     opener ◄── a1, a2 … ◄── acceptor      read in order of numbers, then removed: that is the acknowledgement
 */
import { join } from "node:path";
import { messageOf } from "../errors.ts";
import { partBytes } from "../limits.ts";
import { isGone, type MailboxFiles } from "./mailbox_files.ts";
import type { Socket, SocketEvents } from "./websocket.ts";

/** How often a side looks. */
export interface MailboxPace {
  readonly fastest_ms: number;
  readonly slowest_ms: number;
}

export const usualPace: MailboxPace = { fastest_ms: 5, slowest_ms: 1000 };

/** Bytes that are put into one file at most, but for its last message. */
const fileBytes = 1024 * 1024;
/** Files that may lie there unread; the rest waits in memory, where the session bounds it. */
const unreadMax = 16;
const recordHead = 5;
const kinds = { message: 1, close: 2 } as const;
/** WebSocket codes: nobody said goodbye; what came makes no sense. */
const codes = { lost: 1006, nonsense: 1002 } as const;
const looksSlower = 1.6;
/** From this pause on a look is a fresh one: it costs two changes of the folder. */
const freshFrom_ms = 500;

export class MailboxSocket implements Socket {
  private readonly dir: string;
  private readonly own: "o" | "a";
  private readonly peer: "o" | "a";
  private readonly files: MailboxFiles;
  private readonly pace: MailboxPace;
  private readonly events: Pick<SocketEvents, "message" | "closed">;
  private queue: Uint8Array[] = [];
  private queued = 0;
  /** Number → bytes of files that the other side has not taken away. */
  private readonly unread = new Map<number, number>();
  private unreadBytes = 0;
  private sent = 0;
  private taken = 0;
  private state: "open" | "closing" | "over" = "open";
  private goodbye: { code: number; reason: string } | undefined;
  private delay_ms: number;
  private timer: ReturnType<typeof setTimeout> | undefined;
  private looking = false;

  /** @param events never called from within a call of this socket. */
  constructor(
    dir: string,
    side: "opener" | "acceptor",
    events: Pick<SocketEvents, "message" | "closed">,
    files: MailboxFiles,
    pace: MailboxPace,
  ) {
    this.dir = dir;
    this.own = side === "opener" ? "o" : "a";
    this.peer = side === "opener" ? "a" : "o";
    this.events = events;
    this.files = files;
    this.pace = pace;
    this.delay_ms = pace.fastest_ms;
    this.later(0);
  }

  send(message: Uint8Array<ArrayBuffer>): boolean {
    if (this.state !== "open") return false;
    this.push(kinds.message, message);
    return true;
  }

  buffered(): number {
    return this.queued + this.unreadBytes;
  }

  close(code: number, reason: string): void {
    if (this.state !== "open") return;
    this.state = "closing";
    this.goodbye = { code, reason };
    const content = new Uint8Array(2 + Buffer.byteLength(reason));
    new DataView(content.buffer).setUint16(0, code);
    content.set(Buffer.from(reason), 2);
    this.push(kinds.close, content);
  }

  terminate(): void {
    this.end(codes.lost, "ended here");
  }

  private push(kind: number, content: Uint8Array): void {
    const record = new Uint8Array(recordHead + content.byteLength);
    new DataView(record.buffer).setUint32(0, content.byteLength);
    record[4] = kind;
    record.set(content, recordHead);
    this.queue.push(record);
    this.queued += record.byteLength;
    this.delay_ms = this.pace.fastest_ms;
    if (!this.looking) this.later(0);
  }

  private later(delay_ms: number): void {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => void this.look(), delay_ms);
  }

  /** One look: what was taken away, what has come, what is to go. Never two at a time. */
  private async look(): Promise<void> {
    if (this.looking || this.state === "over") return;
    this.looking = true;
    let moved = false;
    try {
      const names = new Set(await this.files.list(this.dir, this.delay_ms >= freshFrom_ms));
      moved = this.forgetRead(names);
      moved = (await this.take(names)) || moved;
      moved = (await this.give()) || moved;
    } catch (error) {
      const gone = isGone(error);
      this.end(gone ? codes.lost : codes.nonsense, gone ? "its folder is gone" : messageOf(error));
    }
    this.looking = false;
    if (this.isOver()) return void this.files.removeTree(this.dir).catch(() => {});
    if (this.state === "closing" && this.queue.length === 0 && this.unread.size === 0) {
      return this.end(this.goodbye?.code ?? codes.lost, this.goodbye?.reason ?? "");
    }
    if (moved) this.delay_ms = this.pace.fastest_ms;
    this.later(this.delay_ms);
    if (!moved) this.delay_ms = Math.min(this.pace.slowest_ms, this.delay_ms * looksSlower);
  }

  private forgetRead(names: ReadonlySet<string>): boolean {
    let moved = false;
    for (const [number, bytes] of this.unread) {
      if (names.has(`${this.own}${number}`)) continue;
      this.unread.delete(number);
      this.unreadBytes -= bytes;
      moved = true;
    }
    return moved;
  }

  /** Reads in order; a file whose forerunner is not to be seen yet waits for it. */
  private async take(names: ReadonlySet<string>): Promise<boolean> {
    let moved = false;
    while (names.has(`${this.peer}${this.taken + 1}`) && !this.isOver()) {
      const path = join(this.dir, `${this.peer}${this.taken + 1}`);
      const bytes = await this.files.read(path);
      await this.files.remove(path);
      this.taken++;
      moved = true;
      this.deliver(bytes);
    }
    return moved;
  }

  private deliver(bytes: Uint8Array): void {
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    for (let at = 0; at < bytes.byteLength && !this.isOver(); ) {
      const length = at + recordHead <= bytes.byteLength ? view.getUint32(at) : Number.POSITIVE_INFINITY;
      const end = at + recordHead + length;
      const kind = bytes[at + 4];
      if (length > partBytes || end > bytes.byteLength) return this.end(codes.nonsense, "a damaged file");
      const content = bytes.slice(at + recordHead, end);
      at = end;
      if (kind === kinds.message) this.events.message(content);
      else if (kind === kinds.close && length >= 2) {
        const code = new DataView(content.buffer).getUint16(0);
        return this.end(code, Buffer.from(content.subarray(2)).toString());
      } else return this.end(codes.nonsense, "an unknown record");
    }
  }

  private async give(): Promise<boolean> {
    let moved = false;
    while (this.queue.length > 0 && this.unread.size < unreadMax && !this.isOver()) {
      let count = 0;
      let size = 0;
      while (count < this.queue.length && size < fileBytes) size += this.queue[count++]?.byteLength ?? 0;
      const records = this.queue.splice(0, count);
      const number = ++this.sent;
      // Counted as unread before it leaves the queue, so that `buffered` never shows a gap.
      this.unread.set(number, size);
      this.unreadBytes += size;
      this.queued -= size;
      await this.files.put(this.dir, `${this.own}${number}`, Buffer.concat(records));
      moved = true;
    }
    return moved;
  }

  private isOver(): boolean {
    return this.state === "over";
  }

  private end(code: number, reason: string): void {
    if (this.state === "over") return;
    this.state = "over";
    clearTimeout(this.timer);
    this.queue = [];
    this.queued = 0;
    queueMicrotask(() => this.events.closed(code, reason));
    if (!this.looking) void this.files.removeTree(this.dir).catch(() => {});
  }
}
