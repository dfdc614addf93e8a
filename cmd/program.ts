/**
 * The command line as a tree (the only file that makes commander's commands). Only the command that is being run, or
 * whose help is asked for, is loaded and described in full; of the others the tree knows name and summary.
 */
import { Command, CommanderError } from "commander";
import { beforeDashes, type Cli, type GlobalOptions, makeCli, type UnsettledCli } from "./cli.ts";
import { type CommandEntry, commands, groups, headings } from "./commands.ts";
import { tellFailure, usageError } from "./failure.ts";
import { globalHeading, helpLayout } from "./help_layout.ts";
import { writeOut } from "./output.ts";
import { version } from "./version.ts";

const firstSteps = `
First steps:
  gc run -- hostname                      a command, here
  gc endpoint configure my-endpoint       a place to run commands
  gc help run                             help for one command`;

/** Runs the command line `words` and resolves to the exit code. Never throws. */
export async function main(words: readonly string[]): Promise<number> {
  const cli = await makeCli(words);
  const asked = helpFirst(words);
  const entry = entryFor(asked);
  const tell = (error: unknown): number =>
    tellFailure(error, {
      json: cli.printer.mode === "json",
      paint: cli.error_painter,
      exit_code: entry?.failure_code,
    });
  process.on("uncaughtException", (error) => process.exit(tell(error)));
  process.on("unhandledRejection", (error) => process.exit(tell(error)));
  try {
    return await run(asked, entry, cli);
  } catch (error) {
    return tell(error);
  }
}

async function run(words: readonly string[], entry: CommandEntry | undefined, cli: UnsettledCli): Promise<number> {
  let refused = "";
  let helped: string | undefined;
  const root = await buildProgram(cli, (candidate) => candidate === entry);
  everyCommand(root, (command) => {
    command.exitOverride();
    command.configureOutput({
      writeOut: (text) => writeOut(1, text),
      writeErr: (text) => {
        helped = (helped ?? "") + text;
      },
      outputError: (text) => {
        refused += text;
      },
      getOutHasColors: () => cli.printer.paint.bold("x") !== "x",
      getOutHelpWidth: () => (cli.terminal.stdout ? process.stdout.columns : 100),
    });
  });
  root.hook("preAction", (_, command) => cli.settle(command.optsWithGlobals<GlobalOptions>()));
  if (words.length === 0) {
    root.outputHelp();
    return 0;
  }
  try {
    await root.parseAsync([...words], { from: "user" });
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    if (error.exitCode === 0) return 0;
    const help = `${pathOf(entry, words)} --help`;
    if (error.code === "commander.help") {
      if (helped !== undefined) writeOut(2, helped);
      return 64;
    }
    throw usageError({ message: refused === "" ? error.message : refused.trimEnd(), help });
  }
  return cli.exit_code;
}

/**
 * The whole tree. Commands for which `wanted` says yes are described in full, the others by name and summary.
 * Completions and the reference want all of them.
 */
export async function buildProgram(cli: Cli, wanted: (entry: CommandEntry) => boolean): Promise<Command> {
  const root = new Command("gc");
  root
    .description("Run a command on any machine you may use, fire and forget.")
    .usage("<command> [options]")
    .version(`gc ${version}`, "-V, --version", "print the version")
    .helpCommand(false)
    .enablePositionalOptions()
    .showSuggestionAfterError(true)
    .configureHelp(helpLayout(cli))
    .addHelpText("after", firstSteps);
  addGlobalOptions(root);
  const parents = new Map<string, Command>();
  for (const entry of commands) {
    const parent = entry.words.length === 2 ? groupOf(root, parents, entry.words[0]) : root;
    const command = wanted(entry)
      ? await describeFully(parent, entry, cli)
      : parent.command(entry.words.at(-1) ?? "", { hidden: entry.is_hidden === true });
    command.summary(entry.summary);
    if (entry.alias !== undefined) command.alias(entry.alias);
    if (command.description() === "") command.description(entry.summary);
    const heading = entry.words.length === 1 ? headings[entry.words[0]] : undefined;
    if (heading !== undefined) command.helpGroup(heading);
    addGlobalOptions(command);
  }
  return root;
}

async function describeFully(parent: Command, entry: CommandEntry, cli: Cli): Promise<Command> {
  const module = await entry.load();
  module.describe(parent, cli);
  const command = parent.commands.at(-1);
  if (command === undefined || command.name() !== entry.words.at(-1)) {
    throw new Error(`The file of "gc ${entry.words.join(" ")}" describes another command`);
  }
  return command;
}

function groupOf(root: Command, parents: Map<string, Command>, word: string): Command {
  const known = parents.get(word);
  if (known !== undefined) return known;
  const about = groups[word] ?? { summary: "", heading: "Places:" };
  const group = root
    .command(word)
    .usage("<command> [options]")
    .summary(about.summary)
    .description(about.summary)
    .helpGroup(about.heading)
    .helpCommand(false)
    .enablePositionalOptions();
  addGlobalOptions(group);
  parents.set(word, group);
  return group;
}

/** The options that every command takes, before or after its name. A command's own option of that name goes first. */
function addGlobalOptions(command: Command): void {
  const add = (short: string, long: string, description: string): void => {
    const name = long.split(" ")[0];
    if (command.options.some((own) => own.long === name)) return;
    const free = short !== "" && !command.options.some((own) => own.short === short);
    const option = command.createOption(free ? `${short}, ${long}` : long, description);
    command.addOption(option.helpGroup(globalHeading));
  };
  add("", "--json", "answer with one JSON document");
  add("-q", "--quiet", "print the answer and nothing around it");
  add("-v", "--verbose", "say on standard error what is being done");
  add("", "--no-color", "no colours, as with NO_COLOR=1");
  add("", "--context <name>", "talk to this relay (gc context list)");
  command.addHelpOption(command.createOption("-h, --help", "print help").helpGroup(globalHeading));
}

function everyCommand(command: Command, visit: (command: Command) => void): void {
  visit(command);
  for (const child of command.commands) everyCommand(child, visit);
}

/** `help endpoint start` → `endpoint start --help`; `endpoint help start` likewise. */
function helpFirst(words: readonly string[]): readonly string[] {
  const at = words.indexOf("help");
  const isGroup = at === 1 && Object.hasOwn(groups, words[0] ?? "");
  if (at !== 0 && !isGroup) return words;
  const rest = [...words.slice(0, at), ...words.slice(at + 1)];
  const known =
    rest.length === 0 || entryFor(rest) !== undefined || (rest.length === 1 && Object.hasOwn(groups, rest[0] ?? ""));
  return known ? [...rest, "--help"] : rest;
}

/** The command that a person means: the first words that are not options. */
function entryFor(words: readonly string[]): CommandEntry | undefined {
  const plain: string[] = [];
  const own = beforeDashes(words);
  for (let i = 0; i < own.length && plain.length < 2; i += 1) {
    const word = own[i] ?? "";
    if (word === "--context") i += 1;
    else if (!word.startsWith("-")) plain.push(word);
  }
  return commands.find(({ words: names, alias }) =>
    names.every(
      (name, i) => plain[i] === name || (i === names.length - 1 && alias !== undefined && plain[i] === alias),
    ),
  );
}

/** What to type to get help for a refused command line. */
function pathOf(entry: CommandEntry | undefined, words: readonly string[]): string {
  if (entry !== undefined) return `gc ${entry.words.join(" ")}`;
  return Object.hasOwn(groups, words[0] ?? "") ? `gc ${words[0]}` : "gc";
}
