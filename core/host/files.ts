/**
 * Files of gc's own: small, private, and either wholly there or not at all after a power cut. What grows record by
 * record is a ledger (`ledger.ts`).
 */
import * as fs from "node:fs";
import { GcError, messageOf, systemCode } from "../errors.ts";
import { dirname } from "./path.ts";

let made = 0;

/** What is to be in a file; pieces are written one after the other. */
export type Content = string | Uint8Array | readonly Uint8Array[];

/**
 * Replaces the file at `path` in one step: write beside it, fsync, rename, fsync the directory. When this returns, a
 * power cut cannot undo it; when it throws, the old content is untouched.
 */
export function writeDurable(path: string, content: Content, mode = 0o600): void {
  replace(path, content, mode, true);
  syncDir(dirname(path));
}

/** Replaces the file at `path` in one step. The end of this process cannot undo it, a power cut can. */
export function writeWhole(path: string, content: Content, mode = 0o600): void {
  replace(path, content, mode, false);
}

function replace(path: string, content: Content, mode: number, sync: boolean): void {
  made += 1;
  const beside = `${path}.${process.pid}.${made}.tmp`;
  try {
    const fd = fs.openSync(beside, "wx", mode);
    try {
      if (typeof content === "string") writeAll(fd, Buffer.from(content));
      else for (const piece of content instanceof Uint8Array ? [content] : content) writeAll(fd, piece);
      if (sync) fs.fsyncSync(fd);
    } finally {
      fs.closeSync(fd);
    }
    fs.renameSync(beside, path);
  } catch (cause) {
    removeIfThere(beside);
    throw fileError("write", path, cause);
  }
}

/** Makes the content of a file durable that was written before. */
export function syncFile(path: string): void {
  try {
    const fd = fs.openSync(path, "r");
    try {
      fs.fsyncSync(fd);
    } finally {
      fs.closeSync(fd);
    }
  } catch (cause) {
    throw fileError("sync", path, cause);
  }
}

/** Writes `value` as JSON, durably (see writeDurable). */
export function writeJson(path: string, value: unknown, mode = 0o600): void {
  writeDurable(path, `${JSON.stringify(value, null, 2)}\n`, mode);
}

/** The bytes of a file, or undefined when there is none. */
export function readIfThere(path: string): Uint8Array | undefined {
  try {
    return fs.readFileSync(path);
  } catch (cause) {
    if (isAbsent(cause)) return undefined;
    throw fileError("read", path, cause);
  }
}

/** The text of a file, or undefined when there is none. */
export function readTextIfThere(path: string): string | undefined {
  const bytes = readIfThere(path);
  return bytes === undefined ? undefined : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString();
}

/**
 * The JSON value in a file, or undefined when there is none; the shape is still to be checked.
 * @throws GcError `file.not_json` for anything else.
 */
export function readJsonIfThere(path: string): unknown {
  const text = readTextIfThere(path);
  if (text === undefined) return undefined;
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new GcError("io", "file.not_json", `The file "${path}" is damaged: ${messageOf(cause)}`, { cause });
  }
}

/** Makes a directory, and what is above it, that only we may enter. A directory that is there stays as it is. */
export function makePrivateDir(path: string): void {
  try {
    fs.mkdirSync(path, { recursive: true, mode: 0o700 });
  } catch (cause) {
    throw fileError("create", path, cause, "cannot_create");
  }
}

/** Removes a file; that there is none is fine. */
export function removeIfThere(path: string): void {
  try {
    fs.unlinkSync(path);
  } catch (cause) {
    if (!isAbsent(cause)) throw fileError("remove", path, cause);
  }
}

/** Removes a file or a directory with all that is in it; links are removed, never followed. */
export function removeTree(path: string): void {
  try {
    fs.rmSync(path, { recursive: true, force: true });
  } catch (cause) {
    throw fileError("remove", path, cause);
  }
}

/** Makes the names in a directory durable: what was created, renamed or removed in it. */
export function syncDir(path: string): void {
  let fd: number;
  try {
    fd = fs.openSync(path, "r");
  } catch (cause) {
    throw fileError("open", path, cause);
  }
  try {
    fs.fsyncSync(fd);
  } catch (cause) {
    // Some network file systems cannot sync a directory; there rename is already synchronous.
    if (!["EINVAL", "EBADF", "ENOTSUP"].includes(systemCode(cause) ?? "")) throw fileError("sync", path, cause);
  } finally {
    fs.closeSync(fd);
  }
}

/** Writes all of `bytes`, at `position` if given: one `write` may take only a part of them. */
export function writeAll(fd: number, bytes: Uint8Array, position?: number): void {
  let done = 0;
  while (done < bytes.byteLength) {
    const at = position === undefined ? null : position + done;
    done += fs.writeSync(fd, bytes, done, bytes.byteLength - done, at);
  }
}

/** Whether `error` says that the path does not exist. */
export function isAbsent(error: unknown): boolean {
  const code = systemCode(error);
  return code === "ENOENT" || code === "ENOTDIR";
}

/** Whether `error`, or what it wraps, says that there is no room: disk, quota or file size limit. */
export function isFull(error: unknown): boolean {
  const code = systemCode(error instanceof GcError ? error.cause : error);
  return code === "ENOSPC" || code === "EDQUOT" || code === "EFBIG";
}

/** An error of the file system as a sentence with path and advice; `kind` is what it is unless the disk is full. */
export function fileError(action: string, path: string, cause: unknown, kind: "io" | "cannot_create" = "io"): GcError {
  if (cause instanceof GcError) return cause;
  const code = systemCode(cause) ?? "";
  if (isFull(cause)) {
    return new GcError("temporary", "file.no_space", `Cannot ${action} "${path}": there is no space left (${code})`, {
      hint: `df -h ${JSON.stringify(dirname(path))}`,
      cause,
    });
  }
  if (code === "EACCES" || code === "EPERM" || code === "EROFS") {
    const why = `Cannot ${action} "${path}": no permission (${code})`;
    return new GcError("permission", "file.no_permission", why, { cause });
  }
  if (action === "read" && isAbsent(cause)) {
    return new GcError("missing", "file.absent", `Cannot read "${path}": there is no such file`, { cause });
  }
  return new GcError(kind, "file.failed", `Cannot ${action} "${path}": ${messageOf(cause)}`, { cause });
}
