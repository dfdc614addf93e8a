/** One line of `gc doctor`: what was looked at, how it is, and what to do about it. */
import { GcError, messageOf } from "../../core/errors.ts";

export interface Check {
  /** What was looked at, two or three words. */
  readonly name: string;
  /** `info`: good to know. `warn`: works, but. `fail`: something will not work. */
  readonly status: "ok" | "info" | "warn" | "fail";
  readonly message: string;
  /** What to type or to ask for. */
  readonly next?: string;
}

/** A check that found an error; what the error knows of a next step is kept. */
export function failed(name: string, error: unknown, next?: string): Check {
  const hint = error instanceof GcError ? (error.hint ?? next) : next;
  return { name, status: "fail", message: messageOf(error), ...(hint === undefined ? {} : { next: hint }) };
}
