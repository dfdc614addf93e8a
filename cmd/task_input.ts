/** Where the input of an attached task comes from, and how it travels: with the task when it is short, else as a
 * stream. */
import * as fs from "node:fs";
import { fileError } from "../core/host/files.ts";
import type { Stdin } from "../core/schema/task.ts";
import { kindOf } from "./descriptor.ts";
import { readSome } from "./streams.ts";

export interface TaskInput {
  readonly stdin: Stdin;
  /** Pieces of a stream, those that were read already first. */
  read?(): Promise<Uint8Array | undefined>;
}

/** Input up to this size that has come to its end when the task is made travels inside it: no exchange is needed
 * then. */
const inlineBytesMax = 64 * 1024;
/** How long a pipe is waited for, to see whether it is short. */
const shortWait_ms = 2;

/**
 * The input for a task.
 * @param from `file`: path given by --stdin; `none`; else this command's own standard input, where a terminal counts as
 *   no input unless `typed`.
 */
export async function takeInput(from: { none: boolean; file?: string; typed: boolean }): Promise<TaskInput> {
  if (from.none) return { stdin: { kind: "none" } };
  let fd = 0;
  if (from.file !== undefined && from.file !== "-") {
    try {
      fd = fs.openSync(from.file, "r");
    } catch (cause) {
      throw fileError("read", from.file, cause);
    }
  }
  const kind = kindOf(fd);
  if (kind === "nothing" || (kind === "terminal" && fd === 0 && !from.typed)) return { stdin: { kind: "none" } };
  // A directory opens like a file and fails at the first read, which may come after the task has begun.
  if (fs.fstatSync(fd, { throwIfNoEntry: false })?.isDirectory() === true) {
    const named = from.file === undefined || from.file === "-" ? "standard input" : from.file;
    throw fileError("read", named, Object.assign(new Error("EISDIR: it is a directory"), { code: "EISDIR" }));
  }
  if (kind === "terminal") return { stdin: { kind: "stream" }, read: () => readSome(fd) };
  return shortOrStream(fd);
}

/** Reads on while a deadline of a few milliseconds lasts: most pipes are short and over by then. */
async function shortOrStream(fd: number): Promise<TaskInput> {
  const pieces: Uint8Array[] = [];
  let size = 0;
  let late = false;
  const timer = new Promise<"late">((resolve) => setTimeout(() => resolve("late"), shortWait_ms));
  let pending: Promise<Uint8Array | undefined> | undefined;
  while (size <= inlineBytesMax && !late) {
    pending = readSome(fd);
    const piece = await Promise.race([pending, timer]);
    if (piece === "late") {
      late = true;
      break;
    }
    pending = undefined;
    if (piece === undefined) return inline(pieces);
    pieces.push(piece);
    size += piece.byteLength;
  }
  const read = async (): Promise<Uint8Array | undefined> => {
    const kept = pieces.shift();
    if (kept !== undefined) return kept;
    const next = pending ?? readSome(fd);
    pending = undefined;
    return next;
  };
  return { stdin: { kind: "stream" }, read };
}

function inline(pieces: readonly Uint8Array[]): TaskInput {
  const bytes = Buffer.concat(pieces);
  if (bytes.byteLength === 0) return { stdin: { kind: "none" } };
  return { stdin: { kind: "inline", base64: bytes.toString("base64") } };
}
