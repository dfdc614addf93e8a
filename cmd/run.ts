/** `gc run`: runs one command on an endpoint as if it ran here: its streams, its signals, its exit code. */
import type { Command } from "commander";
import type { Cli } from "./cli.ts";
import { addExamples } from "./examples.ts";
import { type RunOptions, runOne } from "./run_one.ts";
import { addTaskOptions } from "./task_options.ts";

export function describe(parent: Command, cli: Cli): void {
  const command = parent
    .command("run")
    .description(
      "Run a command, or a Python script of this machine, on an endpoint and stay with it: standard input, output " +
        "and error go back and forth, and its exit code becomes this one's (124 out of time, 125 gc failed first, " +
        "126 cannot execute, 127 not found, 128+N signal). Ctrl-C interrupts it, a second one cancels it, a third " +
        "one leaves it alone. Without an endpoint it runs on this machine.",
    )
    .argument("[command...]", "the program and its arguments, after --; or, without --, a script.py of this machine")
    .passThroughOptions();
  addTaskOptions(command)
    .option("-d, --detach", "print its id and return")
    .option("-t, --tty", "give it a terminal, for programs that draw or ask")
    .option("-i, --interactive", "send what is typed here, also without -t")
    .option("-n, --no-input", "send no input")
    .option("--stdin <file>", "its input, instead of this command's")
    .option("--python <function>", "instead of a command, a Python function: file.py:function or module:function")
    .option("--function <id>", "instead, a registered function: its id, the beginning of it, or its name")
    .option("--args <json>", "its arguments, as a JSON list")
    .option("--kwargs <json>", "its arguments by name, as a JSON object")
    .option("--interpreter <python>", "the Python that runs it: a path, a name, venv:DIR, conda:NAME or uv:VERSION")
    .option("--detach-on-interrupt", "Ctrl-C leaves it alone at once")
    .action(async (words: string[], options: RunOptions) => {
      cli.exit_code = await runOne(cli, words, options, followsDashes(words, cli.words));
    });
  addExamples(command, [
    ["gc run -- hostname", "on this machine"],
    ["gc run -e lab -- python sim.py --seed 7", 'on the endpoint "lab"'],
    ["gc run -e lab --shell 'ls | wc -l'", "a line of shell"],
    ["gc run -e lab --walltime 15m --cores 4 -- ./solve", "with limits"],
    ["tar c data | gc run -e lab -- tar x -C /scratch", "with input"],
    ["gc run -e lab -t -- htop", "with a terminal"],
    ["gc run -e lab --python fit.py:train --args '[3]'", "a Python function; its value is printed as JSON"],
    ["gc run -e lab fit.py --fast", "a script of this machine; uv installs what its metadata names"],
    ["gc run -e lab -d -- ./long", "without waiting; then: gc logs -f last"],
  ]);
}

/** Whether `--` stood before these last words of a command line. */
function followsDashes(words: readonly string[], line: readonly string[]): boolean {
  return line[line.length - words.length - 1] === "--";
}
