/**
 * The registered functions of this person: a signed document each, in `GC_HOME/functions`. Every one that is read is
 * proved again, so nobody who can write there can put another function behind an id.
 */
import { readdirSync } from "node:fs";
import {
  functionDigest,
  functionId,
  openFunction,
  type RegisteredFunction,
  signFunction,
} from "../access/registered_function.ts";
import type { Home } from "../config/home.ts";
import { loadIdentity } from "../config/identity.ts";
import { GcError } from "../errors.ts";
import { fileError, isAbsent, makePrivateDir, readJsonIfThere, removeIfThere, writeJson } from "../host/files.ts";
import type { Host } from "../host/host.ts";
import { join } from "../host/path.ts";
import type { FunctionBody, FunctionFile } from "../schema/function.ts";
import type { PythonCall } from "../schema/python.ts";

/**
 * Registers a function as one of this person's. The same one again is the same; what is said of it anew, a name or a
 * description, takes the place of what was said before.
 * @throws GcError `home.*`, `key.*`, io.
 */
export function registerFunction(
  { home, host }: { home: Home; host: Pick<Host, "random" | "clock"> },
  said: { name: string; description?: string; body: FunctionBody },
): RegisteredFunction {
  const owner = loadIdentity(home, host);
  const earlier = earlierOf(home, functionId(functionDigest(said.body)));
  if (earlier?.statement.owner === owner.id && earlier.statement.name === said.name) {
    if (said.description === undefined || said.description === earlier.statement.description) return earlier;
  }
  const file = signFunction(owner, { ...said, created_ms: host.clock.now() });
  return keepFunction(home, file, "function");
}

/** What is known under an id, if it can be believed. */
function earlierOf(home: Home, id: string): RegisteredFunction | undefined {
  try {
    return readFunction(home, id).opened;
  } catch (error) {
    if (error instanceof GcError) return undefined;
    throw error;
  }
}

/** Keeps a document after it was proved. `what` names it in errors. @throws GcError `function.*`, data, io. */
export function keepFunction(home: Home, value: unknown, what: string): RegisteredFunction {
  const opened = openFunction(value, what);
  makePrivateDir(folderOf(home));
  writeJson(pathOf(home, opened.id), value as FunctionFile);
  return opened;
}

/** All that are here, oldest first; `damaged` is told of those that are not what they say. */
export function listFunctions(home: Home, damaged: (error: GcError) => void): RegisteredFunction[] {
  const found: RegisteredFunction[] = [];
  for (const id of idsHere(home)) {
    try {
      found.push(readFunction(home, id).opened);
    } catch (error) {
      if (!(error instanceof GcError)) throw error;
      damaged(error);
    }
  }
  return found.sort((a, b) => a.statement.created_ms - b.statement.created_ms);
}

/**
 * The function that a person means: its id, the beginning of one, its SHA-256, or a name that only one has.
 * @throws GcError missing `function.unknown`, data `function.ambiguous`; `function.*` when it is not what it says.
 */
export function findFunction(home: Home, said: string): RegisteredFunction {
  return readFunction(home, idMeant(home, said)).opened;
}

/**
 * A registered function as a task carries it: the endpoint checks that it is the one that is named.
 * @throws GcError as `findFunction`; usage `function.shell` for one that only an SDK can call.
 */
export function callableFunction(home: Home, said: string): Pick<PythonCall, "code" | "function"> {
  const { id, sha256, statement } = findFunction(home, said);
  const { body, name } = statement;
  if (body.kind !== "shell") return { code: body, function: sha256 };
  const message = `The function ${id} ("${name}") is a ShellFunction, which only an SDK can fill in`;
  throw new GcError("usage", "function.shell", message, { hint: "gc run --shell 'echo hello'" });
}

/** The same as its document. */
export function findDocument(home: Home, said: string): FunctionFile {
  return readFunction(home, idMeant(home, said)).file;
}

/** Forgets a function here; whoever has its document still has it. @throws GcError missing `function.unknown`. */
export function deleteFunction(home: Home, said: string): string {
  const id = idMeant(home, said);
  removeIfThere(pathOf(home, id));
  return id;
}

function idMeant(home: Home, said: string): string {
  const lower = said.toLowerCase();
  const ids = idsHere(home);
  const sha256 = /^(?:sha256:)?([0-9a-f]{64})$/.exec(lower)?.[1];
  const exact = sha256 === undefined ? lower : functionId(sha256);
  if (ids.includes(exact)) return exact;
  const byId = /^[0-9a-f][0-9a-f-]{3,}$/.test(lower) ? ids.filter((id) => id.startsWith(lower)) : [];
  const named = byId.length > 0 ? byId : idsNamed(home, ids, said);
  const [first] = named;
  if (first === undefined) {
    throw new GcError("missing", "function.unknown", `There is no registered function "${said}" here`, {
      hint: "gc function list",
    });
  }
  if (named.length === 1) return first;
  throw new GcError("data", "function.ambiguous", `"${said}" means several functions: ${named.join(", ")}`, {
    hint: "gc function list",
  });
}

function idsNamed(home: Home, ids: readonly string[], name: string): string[] {
  return ids.filter((id) => {
    try {
      return readFunction(home, id).opened.statement.name === name;
    } catch (error) {
      if (error instanceof GcError) return false;
      throw error;
    }
  });
}

function readFunction(home: Home, id: string): { file: FunctionFile; opened: RegisteredFunction } {
  const path = pathOf(home, id);
  const value = readJsonIfThere(path);
  if (value === undefined)
    throw new GcError("missing", "function.unknown", `There is no registered function ${id} here`);
  const opened = openFunction(value, `function in "${path}"`);
  if (opened.id === id) return { file: value as FunctionFile, opened };
  const message = `The file "${path}" holds another function, ${opened.id}`;
  throw new GcError("permission", "function.changed", message, { hint: `gc function delete ${id}` });
}

function idsHere(home: Home): string[] {
  try {
    const names = readdirSync(folderOf(home));
    return names.filter((name) => /^[0-9a-f-]{36}[.]json$/.test(name)).map((name) => name.slice(0, 36));
  } catch (cause) {
    if (isAbsent(cause)) return [];
    throw fileError("read", folderOf(home), cause);
  }
}

function folderOf(home: Home): string {
  return join(home.root, "functions");
}

function pathOf(home: Home, id: string): string {
  return join(folderOf(home), `${id}.json`);
}
