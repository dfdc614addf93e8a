/**
 * Bytes of large envelopes, one file each beside `relay.db`, named by the number of their row. A file is on stable
 * storage before its row is committed, and is emptied after the row has gone; what a crash leaves between is swept at
 * start. Some empty files are kept and used again: a file system without a journal looks long for the number of a new
 * one when many were removed lately (ext4: `recently_deleted`; measured: a quarter of a busy relay's CPU time).
 */
import * as fs from "node:fs";
import { join } from "node:path";
import { fileError, isAbsent, makePrivateDir, readIfThere, removeIfThere, syncDir, writeAll } from "../host/files.ts";

/** Empty files that are kept. */
const sparesMax = 16;

export class BodyFiles {
  private readonly spares: string[] = [];
  private made = 0;
  private written: number[] = [];
  private removed: number[] = [];
  private readonly dir: string;

  constructor(dir: string) {
    this.dir = dir;
    makePrivateDir(dir);
  }

  /** Writes and syncs a file; its name is durable after `sync`. */
  put(seq: number, bytes: Uint8Array): void {
    const path = this.path(seq);
    try {
      const spare = this.spares.pop();
      if (spare !== undefined) fs.renameSync(spare, path);
      const fd = fs.openSync(path, "w", 0o600);
      try {
        writeAll(fd, bytes);
        fs.fsyncSync(fd);
      } finally {
        fs.closeSync(fd);
      }
    } catch (cause) {
      removeIfThere(path);
      throw fileError("write", path, cause);
    }
    this.written.push(seq);
  }

  /** To be removed once the transaction is committed. */
  drop(seq: number): void {
    this.removed.push(seq);
  }

  read(seq: number): Uint8Array | undefined {
    return readIfThere(this.path(seq));
  }

  /** Before the commit: makes the new names durable. */
  sync(): void {
    if (this.written.length > 0) syncDir(this.dir);
  }

  /** After the commit: empties what no row needs any more. */
  settle(): void {
    for (const seq of this.removed) if (!this.spare(seq)) removeIfThere(this.path(seq));
    this.written = [];
    this.removed = [];
  }

  /** After a rollback: removes what never got a row. */
  undo(): void {
    for (const seq of this.written) removeIfThere(this.path(seq));
    this.written = [];
    this.removed = [];
  }

  /** Removes files that no row needs. */
  sweep(needed: (seq: number) => boolean): void {
    try {
      for (const name of fs.readdirSync(this.dir)) {
        const seq = Number(name);
        if (!Number.isSafeInteger(seq) || !needed(seq)) removeIfThere(join(this.dir, name));
      }
    } catch (cause) {
      if (!isAbsent(cause)) throw fileError("read", this.dir, cause);
    }
  }

  /** Keeps the file of a number, emptied, for another. Returns whether it did. */
  private spare(seq: number): boolean {
    if (this.spares.length >= sparesMax) return false;
    const spare = join(this.dir, `spare-${this.made}`);
    try {
      fs.truncateSync(this.path(seq), 0);
      fs.renameSync(this.path(seq), spare);
    } catch {
      return false;
    }
    this.made += 1;
    this.spares.push(spare);
    return true;
  }

  private path(seq: number): string {
    return join(this.dir, String(seq));
  }
}
