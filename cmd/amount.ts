/** Numbers with units as people type them on a command line. */
import { InvalidArgumentError } from "commander";

/** A whole number of at least `minimum`, for an option. */
export function wholeNumber(minimum: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (/^\d{1,9}$/.test(text) && value >= minimum) return value;
    throw new InvalidArgumentError(`It must be a whole number, at least ${minimum}.`);
  };
}

/** `512M`, `8G`, `1T` or a plain number of MiB → MiB. */
export function memory_mib(text: string): number {
  const parts = /^(\d{1,9})(?:([MGT])(?:i?B)?)?$/i.exec(text);
  const factor = { M: 1, G: 1024, T: 1024 * 1024 }[(parts?.[2] ?? "M").toUpperCase()] ?? 1;
  const value = Number(parts?.[1]) * factor;
  if (parts !== null && value >= 1) return value;
  throw new InvalidArgumentError("It must be an amount of memory, such as 512M or 8G.");
}

/** Gathers an option that may be given several times. */
export function gather(value: string, before: readonly string[] | undefined): string[] {
  return [...(before ?? []), value];
}

/** Gathers `NAME=VALUE` options into one map. */
export function gatherPairs(
  pair: string,
  before: { readonly [name: string]: string } | undefined,
): { [name: string]: string } {
  const at = pair.indexOf("=");
  const name = pair.slice(0, at);
  if (at > 0 && /^[A-Za-z_][A-Za-z0-9_]*$/.test(name)) return { ...before, [name]: pair.slice(at + 1) };
  throw new InvalidArgumentError("It must be NAME=VALUE.");
}
