/** `gc submit`: hands tasks over and prints their ids, nothing else. Once an id is printed, the task is safe. */
import type { Command } from "commander";
import { GcError } from "../core/errors.ts";
import type { Cli } from "./cli.ts";
import { addExamples } from "./examples.ts";
import { addTaskOptions } from "./task_options.ts";
import { baseSpec, commandOf, type TaskOptions } from "./task_spec.ts";

interface SubmitOptions extends TaskOptions {
  file?: string;
  flush?: boolean;
}

export function describe(parent: Command, cli: Cli): void {
  const command = parent
    .command("submit")
    .description(
      "Hand tasks over to an endpoint and print their ids. When an id is printed, the task is on stable storage: it " +
        "ends in exactly one final state with at most one result. When the relay is away the task waits in the " +
        "outbox (exit code 75). With --file every line is a task: an array of words, an object, or a string of shell.",
    )
    .argument("[command...]", "the program and its arguments, after --")
    .passThroughOptions();
  addTaskOptions(command)
    .option("--stdin <file>", "its input; travels with the task")
    .option("--file <file>", "many tasks, a JSON line each; - is standard input")
    .option("--flush", "send what waits in the outbox, and nothing else")
    .action(async (words: string[], options: SubmitOptions) => {
      cli.exit_code = await submit(cli, words, options);
    });
  addExamples(command, [
    ["gc submit -e lab -- ./sim --seed 7", "prints an id; later: gc result --wait last"],
    ["gc submit -e lab --group sweep --file tasks.jsonl", "one id per line; later: gc wait --group sweep"],
    [`printf '"sleep 1"\\n["hostname"]\\n' | gc submit --file -`, "two tasks"],
    ["gc submit --flush", "when the relay is back"],
  ]);
}

async function submit(cli: Cli, words: string[], options: SubmitOptions): Promise<number> {
  if ([words.length > 0, options.file !== undefined, options.flush === true].filter(Boolean).length > 1) {
    throw new GcError("usage", "submit.too_much", "A command, --file and --flush exclude each other", {
      hint: "gc submit --help",
    });
  }
  if (options.flush === true) {
    const { flushOutbox } = await import("./flush_outbox.ts");
    return flushOutbox(cli);
  }
  const base = baseSpec(options, () => process.cwd());
  if (options.file !== undefined) {
    const { submitFile } = await import("./submit_file.ts");
    return submitFile(cli, base, options.file, options);
  }
  const { submitOne } = await import("./submit_one.ts");
  return submitOne(cli, { ...base, ...commandOf(words, options.shell === true) }, options);
}
