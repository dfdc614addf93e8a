/**
 * The usual `gc run` without the tree of commands: building that and loading its parser costs a quarter of a short run.
 * Only command lines that need no thought are taken; everything else, and everything that is off, goes the long way,
 * which means the same by these words (a test compares the two).
 */
import { type GlobalOptions, makeCli } from "./cli.ts";
import { tellFailure } from "./failure.ts";
import type { RunOptions } from "./run_one.ts";

/** What a command line of the fast path says. */
export interface FastRun {
  words: readonly string[];
  options: RunOptions & GlobalOptions;
}

/** Options that take a word. */
const valued: { readonly [name: string]: "endpoint" | "cwd" | "label" | "context" } = {
  "-e": "endpoint",
  "--endpoint": "endpoint",
  "--cwd": "cwd",
  "--label": "label",
  "--context": "context",
};

const flags: { readonly [name: string]: FastRun["options"] } = {
  "--shell": { shell: true },
  "-n": { input: false },
  "--no-input": { input: false },
  "-q": { quiet: true },
  "--quiet": { quiet: true },
};

/** Reads `run … -- COMMAND`; undefined when it is to go the long way. */
export function readFastRun(words: readonly string[]): FastRun | undefined {
  if (words[0] !== "run") return undefined;
  const options: FastRun["options"] = {};
  for (let at = 1; at < words.length; at += 1) {
    const word = words[at] ?? "";
    if (word === "--") return at + 1 < words.length ? { words: words.slice(at + 1), options } : undefined;
    const flag = Object.hasOwn(flags, word) ? flags[word] : undefined;
    const name = Object.hasOwn(valued, word) ? valued[word] : undefined;
    const value = words[at + 1];
    if (flag !== undefined) Object.assign(options, flag);
    else if (name !== undefined && value !== undefined && value !== "" && !value.startsWith("-")) {
      options[name] = value;
      at += 1;
    } else return undefined;
  }
  return undefined;
}

/** Runs what `readFastRun` read. Never throws. */
export async function runFast({ words, options }: FastRun): Promise<number> {
  const cli = await makeCli([]);
  cli.settle(options);
  const tell = (error: unknown): number => {
    return tellFailure(error, { json: cli.printer.mode === "json", paint: cli.error_painter, exit_code: 125 });
  };
  process.on("uncaughtException", (error) => process.exit(tell(error)));
  process.on("unhandledRejection", (error) => process.exit(tell(error)));
  try {
    const { runOne } = await import("./run_one.ts");
    return await runOne(cli, words, options, true);
  } catch (error) {
    return tell(error);
  }
}
