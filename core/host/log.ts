/**
 * The log of a daemon: one line per event, for people and for grep:
 *
 *     2026-11-25T07:00:00.000Z INFO worker.ready id=w1 slots=2
 *
 * A value from outside can neither break a line nor reach a terminal as an escape sequence. Nobody logs secrets or
 * bytes of tasks; whoever calls sees to that.
 */
import type { Log, LogFields } from "./host.ts";

export type LogLevel = "debug" | "info" | "warn" | "error";

const rank: { readonly [level in LogLevel]: number } = { debug: 0, info: 1, warn: 2, error: 3 };

/** A log that hands every line of `level` and above, without line end, to `write`; `now` gives milliseconds. */
export function createLog(write: (line: string) => void, level: LogLevel, now: () => number): Log {
  const at = (own: LogLevel) => (event: string, fields?: LogFields) => {
    if (rank[own] < rank[level]) return;
    write(formatLine(now(), own, event, fields ?? {}));
  };
  return { debug: at("debug"), info: at("info"), warn: at("warn"), error: at("error") };
}

/** One line of a log, without line end. Fields that are undefined are left out. */
export function formatLine(now_ms: number, level: LogLevel, event: string, fields: LogFields): string {
  let line = `${new Date(now_ms).toISOString()} ${level.toUpperCase()} ${event}`;
  for (const [key, value] of Object.entries(fields)) {
    if (value === undefined) continue;
    line += ` ${key}=${typeof value === "string" ? formatText(value) : String(value)}`;
  }
  return line;
}

/** Characters that need no quotes. */
const plain = /^[A-Za-z0-9_./:@%+,*()[\]<>-]+$/;
/** Control characters of both ranges, line and paragraph separators, and marks that turn the reading direction. */
const unsafe = /[\u0000-\u001f\u007f-\u009f\u2028\u2029\u200e\u200f\u202a-\u202e\u2066-\u2069]/g;

function formatText(text: string): string {
  if (plain.test(text)) return text;
  const escaped = JSON.stringify(text).replace(unsafe, (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, "0")}`);
  return escaped;
}
