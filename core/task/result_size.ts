/** How large a result is apart from its facts: what decides how many of them travel together. */
import type { Result } from "../schema/result.ts";

/** Bytes of the output, the value and the exception that `result` brings along, about. */
export function carriedBytes({ stdout, stderr, value, exception }: Result): number {
  let bytes = stdout.kept + stderr.kept;
  if (value !== undefined) bytes += value.kind === "json" ? value.text.length : value.base64.length;
  if (exception !== undefined) {
    const { traceback, message, args } = exception;
    bytes += traceback.length + message.length + (args?.length ?? 0);
  }
  return bytes;
}
