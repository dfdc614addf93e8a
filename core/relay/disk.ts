/**
 * The relay's disk: how much room there is, whether it is local, and the ballast: a file of zeros that is thrown away
 * when the disk is full, so that results and receipts can still be stored while nothing new is taken.
 */
import * as fs from "node:fs";
import { join } from "node:path";
import { systemCode } from "../errors.ts";
import { isFull, removeIfThere } from "../host/files.ts";

/** File systems that several hosts may share (statfs magic): NFS, SMB, CIFS, Lustre, GPFS, BeeGFS, CephFS, AFS, 9p. */
const networkMagic: ReadonlySet<number> = new Set([
  0x6969, 0x517b, 0xff534d42, 0xfe534d42, 0x0bd00bd0, 0x47504653, 0x19830326, 0x00c36400, 0x5346414f, 0x01021997,
]);

/** Whether the folder is on a file system that other hosts may use at the same time. */
export function isNetworkDisk(dir: string): boolean {
  try {
    return networkMagic.has(fs.statfsSync(dir).type >>> 0);
  } catch {
    return false;
  }
}

/** Bytes that we may still write in this folder; all of them when the system will not say. */
export function freeBytes(dir: string): number {
  try {
    const { bavail, bsize } = fs.statfsSync(dir);
    return bavail * bsize;
  } catch {
    return Number.MAX_SAFE_INTEGER;
  }
}

/** Whether an error, or one that it wraps, says that the disk is full. */
export function saysFull(error: unknown): boolean {
  for (let at = error, depth = 0; at !== undefined && at !== null && depth < 5; depth += 1) {
    if (isFull(at) || systemCode(at)?.startsWith("SQLITE_FULL") || systemCode(at) === "SQLITE_IOERR_WRITE") return true;
    at = (at as { cause?: unknown }).cause;
  }
  return false;
}

export class Ballast {
  private readonly path: string;
  private readonly bytes: number;

  constructor(dir: string, bytes: number) {
    this.path = join(dir, "ballast");
    this.bytes = bytes;
  }

  /** Lays it down unless it lies there. Failing to is no harm: it will be tried again. */
  lay(): void {
    if (this.bytes === 0 || fs.statSync(this.path, { throwIfNoEntry: false })?.size === this.bytes) return;
    try {
      const zeros = new Uint8Array(Math.min(this.bytes, 1024 * 1024));
      const fd = fs.openSync(this.path, "w", 0o600);
      try {
        for (let left = this.bytes; left > 0; left -= zeros.byteLength) {
          fs.writeSync(fd, zeros, 0, Math.min(left, zeros.byteLength));
        }
      } finally {
        fs.closeSync(fd);
      }
    } catch {
      this.drop();
    }
  }

  /** Makes room. */
  drop(): void {
    removeIfThere(this.path);
  }
}
