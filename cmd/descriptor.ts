/** What a descriptor is: a terminal, a file, something that streams, or nothing at all. */
import * as fs from "node:fs";

/** What a descriptor is, as far as it matters for input. */
export function kindOf(fd: number): "nothing" | "terminal" | "file" | "stream" {
  let stat: fs.Stats;
  try {
    stat = fs.fstatSync(fd);
  } catch {
    return "nothing";
  }
  if (stat.isFile()) return "file";
  if (!stat.isCharacterDevice()) return "stream";
  return stat.rdev === nullDevice() ? "nothing" : "terminal";
}

function nullDevice(): number {
  try {
    return fs.statSync("/dev/null").rdev;
  } catch {
    return -1;
  }
}

/**
 * Whether somebody may sit at the other end. Only what can be a terminal is asked by `node:tty`: loading that costs a
 * short command half a millisecond.
 */
export function isTerminal(fd: number): boolean {
  return kindOf(fd) === "terminal" && process.getBuiltinModule("node:tty").isatty(fd);
}
