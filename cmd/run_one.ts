/** One run as its options want it: attached or detached. */
import { GcError } from "../core/errors.ts";
import type { TaskSpec } from "../core/schema/task.ts";
import type { Cli } from "./cli.ts";
import type { PythonOptions } from "./python_call.ts";
import { baseSpec, commandOf, type TaskOptions } from "./task_spec.ts";

export interface RunOptions extends TaskOptions, PythonOptions {
  detach?: boolean;
  tty?: boolean;
  interactive?: boolean;
  /** False for -n, --no-input. */
  input?: boolean;
  detachOnInterrupt?: boolean;
}

/**
 * Runs the command `words`, or the function that the options name, or the script that `words` name where they did not
 * follow `--`. Returns the exit code.
 */
export async function runOne(
  cli: Cli,
  words: readonly string[],
  options: RunOptions,
  dashed: boolean,
): Promise<number> {
  const { python, what } = await whatToRun(cli, words, options, dashed);
  // What a function would read would have to be waited for; whoever has input for it says so.
  if (python && options.stdin === undefined && options.interactive !== true) options = { ...options, input: false };
  const spec = { ...baseSpec(options, () => process.cwd()), ...what };
  if (options.detach === true) {
    const { submitOne } = await import("./submit_one.ts");
    return submitOne(cli, spec, options);
  }
  const { runAttached } = await import("./run_attached.ts");
  return runAttached(cli, spec, options);
}

async function whatToRun(
  cli: Cli,
  words: readonly string[],
  options: RunOptions,
  dashed: boolean,
): Promise<{ python: boolean; what: TaskSpec }> {
  const { python, function: registered, args, kwargs, interpreter, shell } = options;
  if (!dashed && words[0]?.endsWith(".py") === true && python === undefined && registered === undefined && !shell) {
    const stray = args !== undefined ? "args" : kwargs !== undefined ? "kwargs" : undefined;
    if (stray !== undefined) {
      const message = `--${stray} is for functions; the arguments of a script are the words after it`;
      throw new GcError("usage", "task.python", message, { hint: `gc run ${words[0]} 1 two` });
    }
    const { scriptOf } = await import("./python_script.ts");
    return { python: false, what: { python_script: scriptOf(words, interpreter) } };
  }
  const called = [python, registered, args, kwargs, interpreter].some((word) => word !== undefined);
  if (!called) return { python: false, what: commandOf(words, shell === true) };
  if (words.length > 0) {
    const message = `A function takes no words after it, such as "${words[0]}"`;
    throw new GcError("usage", "task.python", message, { hint: "gc run --python file.py:function --args '[1, 2]'" });
  }
  const known =
    registered === undefined
      ? undefined
      : (await import("../core/submit/function_store.ts")).callableFunction(cli.home, registered);
  const call = (await import("./python_call.ts")).pythonCallOf(options, known);
  return { python: true, what: { python: call } };
}
