/**
 * Which Python functions an endpoint runs, when its configuration names them (`allowed_functions`). What counts is the
 * hash of the code that came with the task, never a name that the task gives it; and nothing may come around it that
 * could make it another function.
 */
import { GcError } from "../errors.ts";
import type { PythonCall } from "../schema/python.ts";
import type { TaskSpec } from "../schema/task.ts";
import { broughtBy, type CommandRule, requireCommand } from "./command_list.ts";
import { functionDigest, isNamed } from "./registered_function.ts";

/** What an endpoint's owner listed; undefined: no list. */
export interface AllowLists {
  readonly commands?: readonly CommandRule[] | undefined;
  /** Ids, or SHA-256 with or without `sha256:`. */
  readonly functions?: readonly string[] | undefined;
}

const key = "allowed_functions in the endpoint's config.yaml";

/**
 * Returns when a task (with what all tasks of its envelope have in common) may run: a listed function, a listed
 * command, or anything where there is no list.
 * @throws GcError permission `command.*`, or `function.changed`, `function.denied`, `function.surroundings`.
 */
export function requireListed({ commands, functions }: AllowLists, task: TaskSpec): void {
  const { python } = task;
  const sha256 =
    python !== undefined && (functions !== undefined || python.function !== undefined)
      ? functionDigest(python.code)
      : "";
  if (python?.function !== undefined) requireUnchanged(python, sha256);
  if (functions === undefined) return requireCommand(commands, task);
  const others = (["argv", "script", "python_script"] as const).filter((kind) => task[kind] !== undefined);
  if (python === undefined) {
    if (commands !== undefined) return requireCommand(commands, task);
    const message = `This endpoint runs only the functions that its owner listed, and no commands (${key})`;
    throw new GcError("permission", "command.denied", message, { hint: "Send it as a function that is listed" });
  }
  if (others.length > 0 || !functions.some((named) => isNamed(named, sha256))) {
    const { code } = python;
    const what = code.kind === "pickle" ? "a pickled function" : `the function "${code.entry}"`;
    const message =
      `This endpoint runs only the functions that its owner listed, and ${what} with sha256 ${sha256} is not among ` +
      `them; its owner can add it to ${key}`;
    throw new GcError("permission", "function.denied", message);
  }
  requirePlain(python, task);
}

/** A task that names a registered function brings that function and no other. */
function requireUnchanged({ function: named = "" }: PythonCall, sha256: string): void {
  if (isNamed(named, sha256)) return;
  const message = `The task names the function ${named}, and brings another one with sha256 ${sha256}`;
  throw new GcError("permission", "function.changed", message);
}

function requirePlain(python: PythonCall, task: TaskSpec): void {
  const input = task.stdin !== undefined && task.stdin.kind !== "none" ? "stdin" : undefined;
  const own = broughtBy(task) ?? input ?? (python.interpreter === undefined ? undefined : "interpreter");
  if (own !== undefined) {
    const message = `This endpoint runs listed functions (${key}) only as they are: a task may not bring "${own}"`;
    throw new GcError("permission", "function.surroundings", message);
  }
  if (python.arguments.kind !== "pickle") return;
  const message = `This endpoint runs listed functions only (${key}), and unpickling arguments runs code: send JSON`;
  throw new GcError("permission", "function.surroundings", message);
}
