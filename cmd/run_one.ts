/** One run as its options want it: attached or detached. */
import type { Cli } from "./cli.ts";
import { baseSpec, commandOf, type TaskOptions } from "./task_spec.ts";

export interface RunOptions extends TaskOptions {
  detach?: boolean;
  tty?: boolean;
  interactive?: boolean;
  /** False for -n, --no-input. */
  input?: boolean;
  detachOnInterrupt?: boolean;
}

/** Runs the command `words`. Returns the exit code. */
export async function runOne(cli: Cli, words: readonly string[], options: RunOptions): Promise<number> {
  const spec = { ...baseSpec(options, () => process.cwd()), ...commandOf(words, options.shell === true) };
  if (options.detach === true) {
    const { submitOne } = await import("./submit_one.ts");
    return submitOne(cli, spec, options);
  }
  const { runAttached } = await import("./run_attached.ts");
  return runAttached(cli, spec, options);
}
