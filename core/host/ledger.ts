/**
 * A file of records to which one process appends: the spool of a worker, the journal of an endpoint. Records gather in
 * memory until `sync` writes them in one go and waits for the disk, so that a whole turn pays one fdatasync.
 *
 *     record   u32le length | u32le crc32 | bytes
 *     mark     u32le 0xffffffff | u32le crc32 | "gc-sync\0" | u64le own offset
 *
 * The first write after a sync begins with a mark, which says that all before it is on stable storage. So a bad
 * record with a mark behind it is damage, and one without is the torn end of a write that nobody was told about: that
 * is cut off.
 */
import * as fs from "node:fs";
import { dirname } from "node:path";
import { assert } from "../assert.ts";
import { GcError } from "../errors.ts";
import { fileError, isAbsent, removeIfThere, syncDir, writeAll } from "./files.ts";

/** An append-only file of records; see openLedger. */
export interface Ledger {
  /** Bytes of a torn record at the end that were cut off on open. */
  readonly torn_bytes: number;
  /** Visits all records that are in the file, oldest first. Appended ones that are not synced yet are left out. */
  replay(visit: (record: Uint8Array) => void): void;
  /**
   * Queues a record of 1 byte to 64 MiB; it is neither written nor safe before `sync`. Do not change it until then.
   */
  append(record: Uint8Array): void;
  /**
   * Hands what was appended to the operating system: it outlives this process, but not a power cut.
   * @throws GcError as `sync` does.
   */
  write(): void;
  /**
   * Writes what was appended and waits until all of the file is on stable storage. When it throws, nothing is lost:
   * the records stay queued and the next call writes them again.
   * @throws GcError `file.no_space` or `file.failed`.
   */
  sync(): void;
  /**
   * Like `sync`, but lets the disk work beside us; `done` is called later, with the error if it failed. One such call
   * is under way at a time, and all that are made meanwhile share the next.
   */
  syncLater(done: (error?: GcError) => void): void;
  /** Size of the file and of what waits for `sync`. */
  bytes(): number;
  /**
   * Compaction: puts these records in the place of all that is in the file, in one step. They must hold whatever is
   * still needed, also of what was appended and not synced. When it throws, file and queue are as before. Does
   * nothing, and returns false, while a `syncLater` is under way.
   */
  replaceWith(records: Iterable<Uint8Array>): boolean;
  /** Closes the file. What is not synced is lost. */
  close(): void;
}

const headBytes = 8;
const markLength = 0xffffffff;
const markBytes = headBytes + 16;
const markMagic = Buffer.from("gc-sync\0");
const chunkBytes = 1024 * 1024;
/** One record at most: a body and its wrapping; a larger length is damage. */
const recordBytesMax = 64 * 1024 * 1024;

/**
 * Opens the ledger at `path`, or makes an empty one. Only one process may have it open.
 * @throws GcError `ledger.damaged` when a record that was once safe cannot be read any more.
 */
export function openLedger(path: string): Ledger {
  let fd: number;
  try {
    fd = fs.openSync(path, fs.constants.O_RDWR | fs.constants.O_CREAT, 0o600);
  } catch (cause) {
    throw fileError("open", path, cause, "cannot_create");
  }
  try {
    const size = fs.fstatSync(fd).size;
    const good = scan(fd, size, path, () => {});
    if (good < size) fs.ftruncateSync(fd, good);
    fs.fdatasyncSync(fd);
    if (size === 0) syncDir(dirname(path));
    return new OpenLedger(path, fd, good, size - good);
  } catch (cause) {
    fs.closeSync(fd);
    throw fileError("open", path, cause);
  }
}

class OpenLedger implements Ledger {
  readonly torn_bytes: number;
  readonly #path: string;
  #fd: number;
  /** Up to here the file is on stable storage, and up to here it is written. */
  #durable: number;
  #written: number;
  #pending: Uint8Array[] = [];
  #pendingBytes = 0;
  /** Written, not synced: kept, because a failed fdatasync may drop the pages and call the next one a success. */
  #unsynced: Buffer[] = [];
  #suspect = false;
  #waiting: ((error?: GcError) => void)[] = [];
  #underWay = false;

  constructor(path: string, fd: number, good: number, torn_bytes: number) {
    this.#path = path;
    this.#fd = fd;
    this.#durable = good;
    this.#written = good;
    this.torn_bytes = torn_bytes;
  }

  replay(visit: (record: Uint8Array) => void): void {
    scan(this.#fd, this.#durable, this.#path, visit);
  }

  append(record: Uint8Array): void {
    assert(record.byteLength > 0 && record.byteLength <= recordBytesMax, "A record has 1 byte to 64 MiB");
    this.#pending.push(record);
    this.#pendingBytes += headBytes + record.byteLength;
  }

  write(): void {
    if (this.#pending.length === 0) return;
    const batch = packBatch(this.#pending, this.#pendingBytes, this.#written, this.#written === this.#durable);
    try {
      writeAll(this.#fd, batch, this.#written);
    } catch (cause) {
      throw fileError("write", this.#path, cause);
    }
    this.#written += batch.byteLength;
    this.#unsynced.push(batch);
    this.#pending = [];
    this.#pendingBytes = 0;
  }

  sync(): void {
    this.write();
    if (this.#written === this.#durable) return;
    try {
      if (this.#suspect) writeAll(this.#fd, Buffer.concat(this.#unsynced), this.#durable);
      this.#suspect = true;
      fs.fdatasyncSync(this.#fd);
    } catch (cause) {
      throw fileError("sync", this.#path, cause);
    }
    this.#suspect = false;
    this.#durable = this.#written;
    this.#unsynced = [];
  }

  syncLater(done: (error?: GcError) => void): void {
    try {
      this.write();
      if (this.#suspect) this.sync();
    } catch (error) {
      queueMicrotask(() => done(fileError("write", this.#path, error)));
      return;
    }
    this.#waiting.push(done);
    if (!this.#underWay) this.#syncWaiting();
  }

  bytes(): number {
    return this.#written + this.#pendingBytes;
  }

  replaceWith(records: Iterable<Uint8Array>): boolean {
    if (this.#underWay) return false;
    const next = writeBeside(this.#path, records);
    fs.closeSync(this.#fd);
    this.#fd = next.fd;
    this.#durable = next.bytes;
    this.#written = next.bytes;
    this.#unsynced = [];
    this.#suspect = false;
    this.#pending = [];
    this.#pendingBytes = 0;
    return true;
  }

  close(): void {
    fs.closeSync(this.#fd);
  }

  /** One fdatasync for all that wait; what is written meanwhile is not part of it. */
  #syncWaiting(): void {
    const told = this.#waiting;
    const until = this.#written;
    const batches = this.#unsynced.slice();
    this.#waiting = [];
    this.#underWay = true;
    fs.fdatasync(this.#fd, (cause) => {
      this.#underWay = false;
      if (cause) this.#suspect = true;
      else if (until > this.#durable) {
        this.#durable = until;
        this.#unsynced = this.#unsynced.filter((batch) => !batches.includes(batch));
      }
      for (const done of told) done(cause ? fileError("sync", this.#path, cause) : undefined);
      if (this.#waiting.length > 0 && !this.#underWay) this.#syncWaiting();
    });
  }
}

/**
 * Reads a ledger that another process wrote and may have been killed in; changes nothing. An absent file has no
 * records.
 * @throws GcError `ledger.damaged`.
 */
export function readLedger(path: string, visit: (record: Uint8Array) => void): void {
  let fd: number;
  try {
    fd = fs.openSync(path, "r");
  } catch (cause) {
    if (isAbsent(cause)) return;
    throw fileError("open", path, cause);
  }
  try {
    scan(fd, fs.fstatSync(fd).size, path, visit);
  } finally {
    fs.closeSync(fd);
  }
}

function packBatch(records: readonly Uint8Array[], recordBytes: number, offset: number, marked: boolean): Buffer {
  const batch = Buffer.allocUnsafe((marked ? markBytes : 0) + recordBytes);
  if (marked) {
    batch.writeUInt32LE(markLength, 0);
    markMagic.copy(batch, headBytes);
    batch.writeBigUInt64LE(BigInt(offset), headBytes + markMagic.byteLength);
    batch.writeUInt32LE(Bun.hash.crc32(batch.subarray(headBytes, markBytes)), 4);
  }
  let at = marked ? markBytes : 0;
  for (const record of records) {
    batch.writeUInt32LE(record.byteLength, at);
    batch.writeUInt32LE(Bun.hash.crc32(record), at + 4);
    batch.set(record, at + headBytes);
    at += headBytes + record.byteLength;
  }
  return batch;
}

function writeBeside(path: string, records: Iterable<Uint8Array>): { fd: number; bytes: number } {
  const beside = `${path}.${process.pid}.tmp`;
  let fd: number | undefined;
  try {
    fd = fs.openSync(beside, fs.constants.O_RDWR | fs.constants.O_CREAT | fs.constants.O_TRUNC, 0o600);
    let bytes = 0;
    let group: Uint8Array[] = [];
    let groupBytes = 0;
    const flush = (): void => {
      const batch = packBatch(group, groupBytes, bytes, bytes === 0);
      writeAll(fd as number, batch, bytes);
      bytes += batch.byteLength;
      group = [];
      groupBytes = 0;
    };
    for (const record of records) {
      group.push(record);
      groupBytes += headBytes + record.byteLength;
      if (groupBytes > chunkBytes) flush();
    }
    if (group.length > 0) flush();
    fs.fsyncSync(fd);
    fs.renameSync(beside, path);
    syncDir(dirname(path));
    return { fd, bytes };
  } catch (cause) {
    if (fd !== undefined) fs.closeSync(fd);
    removeIfThere(beside);
    throw fileError("write", path, cause);
  }
}

/** Visits the good records of the first `size` bytes; returns where the last good one ends. */
function scan(fd: number, size: number, path: string, visit: (record: Uint8Array) => void): number {
  let chunk: Buffer = Buffer.alloc(0);
  let chunkAt = 0;
  /**
   * The bytes from `at` on, `count` of them, or undefined when the file is shorter. A view; chunks are never reused.
   */
  const bytesAt = (at: number, count: number): Buffer | undefined => {
    if (at + count > size) return undefined;
    if (at < chunkAt || at + count > chunkAt + chunk.byteLength) {
      chunk = readAt(fd, at, Math.min(Math.max(chunkBytes, count), size - at));
      chunkAt = at;
      if (chunk.byteLength < count) return undefined;
    }
    return chunk.subarray(at - chunkAt, at - chunkAt + count);
  };

  let at = 0;
  while (at < size) {
    const head = bytesAt(at, headBytes);
    const length = head?.readUInt32LE(0) ?? 0;
    const crc = head?.readUInt32LE(4) ?? 0;
    const isMark = length === markLength;
    const count = isMark ? markBytes - headBytes : length;
    const body = head === undefined || count > recordBytesMax ? undefined : bytesAt(at + headBytes, count);
    // Zeros are a hole that a power cut left: that is why no record is empty (the CRC of nothing is zero too).
    if (body === undefined || count === 0 || Bun.hash.crc32(body) !== crc) {
      if (hasMarkAfter(fd, at, size)) {
        const why = `The file "${path}" is damaged at byte ${at}: records behind it were once safely written`;
        throw new GcError("io", "ledger.damaged", why);
      }
      return at;
    }
    if (!isMark) visit(body);
    at += headBytes + count;
  }
  return at;
}

/** Whether a valid mark stands behind `from`: then what is before it was once on stable storage. */
function hasMarkAfter(fd: number, from: number, size: number): boolean {
  const overlap = markBytes;
  for (let at = from + 1; at < size; at += chunkBytes) {
    const chunk = readAt(fd, at, Math.min(chunkBytes + overlap, size - at));
    for (let hit = chunk.indexOf(markMagic); hit !== -1; hit = chunk.indexOf(markMagic, hit + 1)) {
      const start = hit - headBytes;
      if (start < 0 || start + markBytes > chunk.byteLength) continue;
      const mark = chunk.subarray(start, start + markBytes);
      if (mark.readUInt32LE(0) !== markLength) continue;
      if (mark.readUInt32LE(4) !== Bun.hash.crc32(mark.subarray(headBytes))) continue;
      if (mark.readBigUInt64LE(headBytes + markMagic.byteLength) === BigInt(at + start)) return true;
    }
  }
  return false;
}

function readAt(fd: number, at: number, count: number): Buffer {
  const bytes = Buffer.allocUnsafeSlow(count);
  let done = 0;
  while (done < count) {
    const read = fs.readSync(fd, bytes, done, count - done, at + done);
    if (read === 0) break;
    done += read;
  }
  return bytes.subarray(0, done);
}
