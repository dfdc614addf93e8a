/**
 * The one error type that reaches a person. A task that exits 3 is a result, never an error: a GcError means that
 * gc itself could not do what was asked. Printed in one place (`cmd/failure.ts`).
 */

/** What kind of trouble it is; decides the exit code of every command but `gc run` (sysexits.h). */
export const exitCodeByKind = {
  /** The words on the command line are off. */
  usage: 64,
  /** Input data is off: a malformed file, id or envelope. */
  data: 65,
  /** A named thing does not exist. */
  missing: 66,
  /** A service is not reachable. */
  unavailable: 69,
  /** Our own bug. */
  internal: 70,
  /** Something cannot be created on disk. */
  cannot_create: 73,
  /** Input or output broke, or what is stored is damaged. */
  io: 74,
  /** Try again later: queued here, rate limited, storage full. */
  temporary: 75,
  /** The other side does not speak our protocol. */
  protocol: 76,
  /** No permission. */
  permission: 77,
  /** A configuration file is wrong. */
  config: 78,
} as const;

export type ErrorKind = keyof typeof exitCodeByKind;

/** Extra facts for a GcError: `hint` is a command to type next, `cause` the thrown value it wraps. */
export interface ErrorDetails {
  hint?: string;
  cause?: unknown;
  retry_after_ms?: number;
}

/**
 * An operation that could not be done.
 *
 * `code` is stable and dotted (`endpoint.already_running`); `message` is one sentence with action, value and state,
 * no final period; `hint` says what to type next.
 */
export class GcError extends Error {
  readonly kind: ErrorKind;
  readonly code: string;
  readonly hint: string | undefined;
  readonly retry_after_ms: number | undefined;

  constructor(kind: ErrorKind, code: string, message: string, details: ErrorDetails = {}) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause });
    this.name = "GcError";
    this.kind = kind;
    this.code = code;
    this.hint = details.hint;
    this.retry_after_ms = details.retry_after_ms;
  }
}

/** The `code` of an operating system error (`ENOENT`, `EACCES`), or undefined for any other value. */
export function systemCode(error: unknown): string | undefined {
  if (typeof error !== "object" || error === null || !("code" in error)) return undefined;
  return typeof error.code === "string" ? error.code : undefined;
}

/** The sentence in any thrown value. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
