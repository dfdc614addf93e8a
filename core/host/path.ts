/**
 * The three things that paths of our own are made with. `node:path` does more, and loading it costs every short command
 * a fiftieth of its time; paths that people type go through it (`resolve` there).
 */

/** Names below each other. Nothing is normalised: none is empty, and none but "/" has a slash at its end. */
export function join(...names: string[]): string {
  const path = names.join("/");
  return path.startsWith("//") ? path.slice(1) : path;
}

/** The folder that a path lies in. */
export function dirname(path: string): string {
  const slash = path.lastIndexOf("/");
  if (slash < 0) return ".";
  return slash === 0 ? "/" : path.slice(0, slash);
}

/** The last name of a path. */
export function basename(path: string): string {
  return path.slice(path.lastIndexOf("/") + 1);
}

/** What a person typed as an absolute path without ".", ".." or doubled slashes; `base`: what it is relative to. */
export function resolve(base: () => string, typed: string): string {
  const plain = typed.startsWith("/") && typed.length > 1 && !/\/(\.{0,2}(\/|$))/.test(typed);
  return plain ? typed : process.getBuiltinModule("node:path").resolve(base(), typed);
}
