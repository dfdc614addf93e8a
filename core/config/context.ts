/**
 * Contexts: the relays that this machine knows, by name. `local` is always there: the relay of this home folder, on its
 * Unix socket. Which one a command talks to: `--context`, else GC_CONTEXT, else the current one of `contexts.json`.
 */
import { GcError } from "../errors.ts";
import { makePrivateDir, readJsonIfThere, writeJson } from "../host/files.ts";
import type { ContextsFile } from "../schema/config.ts";
import { parse } from "../schema/validate.ts";
import { checkName } from "./endpoint_name.ts";
import type { Home } from "./home.ts";
import { nearest } from "./nearest.ts";

/** How a relay is reached; the same shape as `Address` of `wire/link.ts`. */
export type ContextAddress = ContextsFile["contexts"][string];

export interface Context {
  readonly name: string;
  readonly address: ContextAddress;
}

export interface Contexts {
  readonly current: string;
  /** Always has `local`. */
  readonly contexts: { readonly [name: string]: ContextAddress };
}

/** Name of the context of this home folder's own relay. */
export const localContext = "local";

/** All contexts, and the current one. */
export function readContexts(home: Home): Contexts {
  const local: ContextAddress = { kind: "unix", path: home.socket("relay") };
  const file = readFile(home);
  return { current: file.current, contexts: { ...file.contexts, [localContext]: local } };
}

/**
 * The context to use. `flag` is what `--context` said.
 * @throws GcError `context.unknown`.
 */
export function currentContext(
  home: Home,
  env: { readonly [name: string]: string | undefined },
  flag: string | undefined,
): Context {
  const all = readContexts(home);
  const name = flag ?? (env.GC_CONTEXT || all.current);
  return contextNamed(all, name);
}

/** Remembers a relay under `name`, replacing what was there; `use` makes it the current one. */
export function saveContext(home: Home, name: string, address: ContextAddress, use: boolean): void {
  checkName(name, "context");
  if (name === localContext) {
    throw new GcError("usage", "context.reserved", 'The context "local" is the relay of this machine', {
      hint: "gc login --name NAME -",
    });
  }
  const file = readFile(home);
  write(home, { v: 1, current: use ? name : file.current, contexts: { ...file.contexts, [name]: address } });
}

/** Makes `name` the current context. */
export function useContext(home: Home, name: string): Context {
  const context = contextNamed(readContexts(home), name);
  write(home, { ...readFile(home), current: name });
  return context;
}

function contextNamed(all: Contexts, name: string): Context {
  const address = Object.hasOwn(all.contexts, name) ? all.contexts[name] : undefined;
  if (address !== undefined) return { name, address };
  const meant = nearest(name, Object.keys(all.contexts));
  const guess = meant === undefined ? "" : `; did you mean "${meant}"?`;
  throw new GcError("missing", "context.unknown", `There is no context ${JSON.stringify(name)}${guess}`, {
    hint: "gc context list",
  });
}

function readFile(home: Home): ContextsFile {
  const file = readJsonIfThere(home.contexts);
  if (file === undefined) return { v: 1, current: localContext, contexts: {} };
  return parse("contexts", file, `file "${home.contexts}"`);
}

function write(home: Home, file: ContextsFile): void {
  makePrivateDir(home.root);
  writeJson(home.contexts, file);
}
