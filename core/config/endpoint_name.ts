/**
 * Names of endpoints and of contexts. A name becomes a folder, a part of a socket's path, a line in listings and a word
 * in a shell; so it is letters, digits, dot, underscore and hyphen, and never looks like an id.
 */
import { GcError } from "../errors.ts";
import { isId } from "../task/id.ts";

const pattern = /^[A-Za-z0-9][A-Za-z0-9._-]*$/;
const charactersMax = 64;

/**
 * `name` when it may be one. `what` is the word for it in the error.
 * @throws GcError `name.malformed`, which shows the name with everything a terminal would obey written out.
 */
export function checkName(name: string, what: "endpoint" | "context" = "endpoint"): string {
  const why = reason(name);
  if (why === undefined) return name;
  throw new GcError(
    "usage",
    "name.malformed",
    `${JSON.stringify(name).slice(0, 100)} cannot name an ${what}: ${why}`.replace("an context", "a context"),
    {
      hint: "use letters, digits, . _ and -, such as my-endpoint",
    },
  );
}

/** Whether `name` may name an endpoint. */
export function isName(name: string): boolean {
  return reason(name) === undefined;
}

function reason(name: string): string | undefined {
  if (name === "") return "it is empty";
  if (name.length > charactersMax) return `it has ${name.length} characters, more than ${charactersMax}`;
  if (isId(name.toLowerCase())) return "it looks like an id";
  if (name.includes("..")) return 'it has ".." in it';
  if (/^[.-]/.test(name)) return `it begins with "${name[0]}"`;
  const odd = [...name].find((character) => !/[A-Za-z0-9._-]/.test(character));
  if (odd !== undefined) return `it has ${JSON.stringify(odd)} in it`;
  return pattern.test(name) ? undefined : "it has other characters than a name may have";
}
