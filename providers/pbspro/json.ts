/**
 * The JSON of `qstat -F json`. It has been invalid in the wild: numbers with leading zeros, backslashes from the
 * environment, text before it, the same key twice (providers.md §3.3). What can be repaired without a guess is.
 */

export type JsonObject = { readonly [key: string]: unknown };

/** The object in `text`, or undefined when there is none that is whole. */
export function pbsJson(text: string): JsonObject | undefined {
  const start = text.search(/^\{/m);
  if (start < 0) return undefined;
  const whole = text.slice(start);
  for (const attempt of [whole, repaired(whole)]) {
    const value = parsed(attempt);
    if (typeof value === "object" && value !== null && !Array.isArray(value)) return value as JsonObject;
  }
  return undefined;
}

/** Whether all blocks are below one key: a second one would hide those of the first. */
export function hasOneJobsKey(text: string): boolean {
  return (text.match(/^\s*"Jobs"\s*:/gm) ?? []).length === 1;
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function repaired(text: string): string {
  return text
    .replace(/(:\s*)(0\d[\d.]*)(?=\s*[,}\]\n])/g, '$1"$2"')
    .replace(/\\(["\\/bfnrt]|u[0-9a-fA-F]{4})|\\/g, (_, good) => (good === undefined ? "" : `\\${good}`));
}

/** A string or number as text; anything else as nothing. */
export function textAt(object: JsonObject | undefined, key: string): string {
  const value = object?.[key];
  return typeof value === "string" || typeof value === "number" ? String(value) : "";
}

export function objectAt(object: JsonObject | undefined, key: string): JsonObject | undefined {
  const value = object?.[key];
  return typeof value === "object" && value !== null && !Array.isArray(value) ? (value as JsonObject) : undefined;
}

/** A whole number, perhaps written as a string. */
export function numberAt(object: JsonObject | undefined, key: string): number | undefined {
  const text = textAt(object, key);
  return /^-?\d+$/.test(text) ? Number(text) : undefined;
}
