/** `gc map`: one task per input, from lines, lists, ranges, CSV or JSON lines, as GNU parallel does on one machine. */
import type { Command } from "commander";
import { gather, wholeNumber } from "./amount.ts";
import type { Cli } from "./cli.ts";
import { addExamples } from "./examples.ts";
import { addTaskOptions } from "./task_options.ts";
import type { TaskOptions } from "./task_spec.ts";

export interface MapOptions extends TaskOptions {
  argFile?: string[];
  csv?: string;
  jsonl?: string;
  range?: string[];
  colsep?: string;
  python?: string;
  interpreter?: string;
  jobs?: number;
  keepOrder?: boolean;
  joblog?: string;
  resume?: boolean;
  halt?: string;
  tag?: boolean;
  out?: string;
  err?: string;
  dryRun?: boolean;
}

export function describe(parent: Command, cli: Cli): void {
  const command = parent
    .command("map")
    .description(
      "Run a command, or a Python function, once per input. Inputs are the lines of standard input, or what follows " +
        ":::, or --range, --arg-file, --csv, --jsonl. In the command {} is the input, {1} its first column, {name} a " +
        "column of CSV or a key of JSON, {#} its number, {.} {/} {//} {/.} parts of a path; without any the input " +
        "comes last. A command of one word with blanks in it is text for a shell. Exit code: how many tasks failed, " +
        "101 for more than 100.",
    )
    .argument("[command...]", "the command, and ::: with inputs")
    .passThroughOptions();
  addTaskOptions(command)
    .option("-a, --arg-file <file>", "inputs are its lines; - is standard input", gather)
    .option("--csv <file>", "inputs are its rows; the first row names the columns")
    .option("--jsonl <file>", "inputs are its lines of JSON: objects, lists or values")
    .option("--range <from..to>", "inputs are these numbers: 1..10, 0..100..5", gather)
    .option("--colsep <regex>", "take lines apart into columns where this matches")
    .option("--python <file:function>", "call this function: FILE.py:FUNCTION or MODULE:FUNCTION")
    .option("--interpreter <python>", "the Python that runs it at the endpoint")
    .option("-j, --jobs <count>", "at most so many tasks in flight (default: 5000)", wholeNumber(1))
    .option("-k, --keep-order", "show results in the order of the inputs")
    .option("--joblog <file>", "log every ended task, in the format of GNU parallel")
    .option("--resume", "go on where the joblog ends: nothing is run twice")
    .option("--halt <policy>", "give up early: now,fail=1  soon,fail=10%  now,success=1 (default: never)")
    .option("--tag", "put the input in front of every line of output")
    .option("--out <template>", "write standard output into files of these names, such as out/{#}.txt")
    .option("--err <template>", "the same for standard error")
    .option("--dry-run", "print the commands and run nothing")
    .action(async (words: string[], options: MapOptions) => {
      const { runMap } = await import("./map/run_map.ts");
      cli.exit_code = await runMap(cli, words, options);
    });
  addExamples(command, [
    ["gc map -e lab gzip -9 {} ::: *.log", "one task per file"],
    ["seq 1000 | gc map -k -- ./sim --seed {}", "lines of standard input, results in order"],
    ["gc map --csv runs.csv --joblog log --resume -- ./sim {name} {steps}", "columns; go on after an interruption"],
    ["gc map --python model.py:score --jsonl cases.jsonl", "a function per line; objects are keyword arguments"],
  ]);
}
