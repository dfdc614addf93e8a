/** Results of tasks → the value of a call, or the error that it ended by. */
import { RemoteError, TaskCancelled, TaskExecutionFailed, TaskTimeout } from "./errors.ts";
import { type PythonRaise, streamText, type TaskResult } from "./messages.ts";
import { readValue } from "./read_values.ts";
import { ShellFunction } from "./shell_function.ts";

/** @throws TaskExecutionFailed when it was not allowed to finish. */
export function readShell(fn: ShellFunction<boolean>, line: string, result: TaskResult): unknown {
  if (!["exit", "signal", "walltime"].includes(result.outcome.cause)) throw failureOf(result);
  return fn.result(line, result);
}

/** @throws RemoteError what the function raised. @throws TaskExecutionFailed why there is no value. */
export function readPython(result: TaskResult): unknown {
  if (result.exception !== undefined) throw remoteError(result.exception);
  if (result.outcome.class !== "ok" || result.value === undefined) throw failureOf(result);
  if (result.value.kind === "json") return readValue(result.value.text);
  throw new TaskExecutionFailed(
    `The value came as a pickle of Python ${result.value.version}, which only Python reads`,
  );
}

/** The result of a task of which nothing is known here. */
export function readAny(result: TaskResult): unknown {
  if (result.value !== undefined || result.exception !== undefined) return readPython(result);
  return readShell(unknownCommand, "", result);
}

const unknownCommand = new ShellFunction("unknown");

function failureOf({ outcome, stderr }: TaskResult): TaskExecutionFailed {
  const reason = outcome.reason ?? `The task ended by ${outcome.cause} (exit code ${outcome.exit_code})`;
  if (outcome.cause === "walltime") return new TaskTimeout(reason);
  if (outcome.cause === "cancel") return new TaskCancelled(reason);
  const words = streamText(stderr).trim().split("\n").slice(-10).join("\n").slice(-1024);
  return new TaskExecutionFailed(words === "" ? reason : `${reason}\n${words}`);
}

function remoteError({ type, module, message, traceback, args }: PythonRaise): RemoteError {
  const name = ["builtins", "gc"].includes(module) ? type : `${module}.${type}`;
  let known: unknown;
  try {
    known = args === undefined ? [message] : readValue(args);
  } catch {
    known = [message]; // They hold what is not known here.
  }
  return new RemoteError(`${name}: ${message}`, name, Array.isArray(known) ? known : [known], traceback);
}
