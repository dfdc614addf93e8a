/** One run as its options want it: attached or detached. */
import { GcError } from "../core/errors.ts";
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

/** Runs the command `words`, or the function that the options name. Returns the exit code. */
export async function runOne(cli: Cli, words: readonly string[], options: RunOptions): Promise<number> {
  const base = baseSpec(options, () => process.cwd());
  const called = [options.python, options.args, options.kwargs, options.interpreter].some((word) => word !== undefined);
  const python = called ? (await import("./python_call.ts")).pythonCallOf(options) : undefined;
  if (python !== undefined) {
    if (words.length > 0) {
      const message = `A function takes no words after it, such as "${words[0]}"`;
      throw new GcError("usage", "task.python", message, { hint: "gc run --python file.py:function --args '[1, 2]'" });
    }
    // What it would read would have to be waited for; whoever has input for it says so.
    if (options.stdin === undefined && options.interactive !== true) options = { ...options, input: false };
  }
  const spec = { ...base, ...(python === undefined ? commandOf(words, options.shell === true) : { python }) };
  if (options.detach === true) {
    const { submitOne } = await import("./submit_one.ts");
    return submitOne(cli, spec, options);
  }
  const { runAttached } = await import("./run_attached.ts");
  return runAttached(cli, spec, options);
}
