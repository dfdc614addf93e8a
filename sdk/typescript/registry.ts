/** Functions by id, as gc keeps and signs them: an id is a hash of what the function is (`gc function list`). */
import type { Connection } from "./connection.ts";
import { SerializationError } from "./errors.ts";
import type { FunctionBody, PythonCode } from "./messages.ts";
import { PythonFunction } from "./python_function.ts";
import { MPIFunction, ShellFunction, type ShellOptions } from "./shell_function.ts";

/** What can be submitted. */
export type AnyFunction = ShellFunction<boolean> | PythonFunction<unknown, never>;

/** A registered function. */
export interface RegisteredFunction {
  readonly id: string;
  readonly sha256: string;
  readonly name: string;
  readonly owner: string;
  readonly description: string | undefined;
  readonly body: FunctionBody;
}

export interface RegisterOptions {
  name?: string;
  description?: string;
}

/** Registers a function; returns its id. The same function has the same id everywhere. */
export async function register(to: Connection, fn: AnyFunction, options: RegisterOptions = {}): Promise<string> {
  const { name = fn.name, description } = options;
  const about = description === undefined ? {} : { description };
  const answer = await to.ask({ t: "register", name, ...about, body: bodyOf(fn) });
  return answer.id as string;
}

/** What a registered function is. @throws ComputeError when nobody knows it here. */
export async function lookUp(at: Connection, id: string): Promise<RegisteredFunction> {
  const { sha256, name, owner, description, body, id: whole } = await at.ask({ t: "function", function: id });
  return { id: whole, sha256, name, owner, description, body } as RegisteredFunction;
}

/** The function itself, and what tells the endpoint which one it is. @throws SerializationError. */
export function callable({ body, name }: RegisteredFunction): ShellFunction<boolean> | PythonCode {
  if (body.kind === "pickle") {
    throw new SerializationError(`The function "${name}" is a pickle, which only Python can submit`);
  }
  if (body.kind !== "shell") return body;
  const { cmd, class: kind, walltime, snippet_lines, return_dict, stdout, stderr, name: own } = body.fields;
  const given = { walltime, snippetLines: snippet_lines, returnDict: return_dict, stdout, stderr, name: own };
  const options = Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined));
  return new (kind === "MPIFunction" ? MPIFunction : ShellFunction)(cmd, options as ShellOptions<boolean>);
}

/** In the words that the SDK in Python uses, so that either can call what the other has registered. */
function bodyOf(fn: AnyFunction): FunctionBody {
  if (fn instanceof PythonFunction) return fn.code;
  const fields: { cmd: string; [name: string]: unknown } = {
    cmd: fn.cmd,
    ...(fn.stdout === undefined ? {} : { stdout: fn.stdout }),
    ...(fn.stderr === undefined ? {} : { stderr: fn.stderr }),
    ...(fn.walltime === undefined ? {} : { walltime: fn.walltime }),
    snippet_lines: fn.snippetLines,
    return_dict: fn.returnDict,
    name: fn.name,
    class: fn instanceof MPIFunction ? "MPIFunction" : "ShellFunction",
  };
  return { kind: "shell", fields };
}
