/**
 * GcError ↔ the messages `error` and `refuse`. What travels is what helps the other side: kind, code, sentence, hint;
 * never a cause or a stack.
 */
import { type ErrorDetails, type ErrorKind, exitCodeByKind, GcError } from "../errors.ts";
import type { Refuse, WireError } from "../schema/session_message.ts";
import type { Frameable } from "./codec.ts";

/** `error` as an answer to request `re`, or to nothing in particular. */
export function toWireError(error: GcError, re?: number): WireError {
  return { t: "error", ...(re === undefined ? {} : { re }), kind: error.kind, ...facts(error) };
}

/** `error` as the acceptor's last word to someone it does not let in. */
export function toRefuse(error: GcError): Refuse {
  return { t: "refuse", kind: error.kind, ...facts(error) };
}

/** What the other side said, as an error of ours. `fallback` is its kind when the message names none that we know. */
export function fromWireError(message: WireError | Refuse, fallback: ErrorKind = "protocol"): GcError {
  const kind = message.kind !== undefined && message.kind in exitCodeByKind ? (message.kind as ErrorKind) : fallback;
  const details: ErrorDetails = {};
  if (message.hint !== undefined) details.hint = message.hint;
  if (message.retry_after_ms !== undefined) details.retry_after_ms = message.retry_after_ms;
  return new GcError(kind, message.code, message.message, details);
}

/** The answer to a message whose kind the receiver does not know; the connection stays. */
export function unknownMessage(message: Frameable): WireError {
  const rid = (message as { rid?: unknown }).rid;
  const error = new GcError(
    "protocol",
    "message.unknown",
    `The message "${message.t.slice(0, 64)}" is not known here`,
    {
      hint: "Update the older side: gc --version",
    },
  );
  return toWireError(error, typeof rid === "number" && Number.isInteger(rid) ? rid : undefined);
}

function facts(error: GcError): { code: string; message: string; hint?: string; retry_after_ms?: number } {
  return {
    code: error.code,
    message: error.message,
    ...(error.hint === undefined ? {} : { hint: error.hint }),
    ...(error.retry_after_ms === undefined ? {} : { retry_after_ms: Math.ceil(error.retry_after_ms) }),
  };
}
