/** `gc endpoint configure`: asks, or takes flags, and writes a configuration that explains itself. */
import type { Command } from "commander";
import { type ConfiguredEndpoint, configureEndpoint } from "../../core/config/configure.ts";
import { readContexts } from "../../core/config/context.ts";
import { checkName, isName } from "../../core/config/endpoint_name.ts";
import { GcError } from "../../core/errors.ts";
import { readIfThere } from "../../core/host/files.ts";
import type { EndpointConfigFile } from "../../core/schema/config.ts";
import { gather, gatherPairs, memory_mib, wholeNumber } from "../amount.ts";
import type { Cli } from "../cli.ts";
import { addExamples } from "../examples.ts";
import { openPrompts, type Prompts } from "../prompts.ts";
import { visible } from "../visible.ts";
import { addBatchOptions, type BatchOptions, batchEngineOf, speaksOfBlocks } from "./batch_options.ts";
import { schedulersAtHand, theScheduler } from "./scheduler_at_hand.ts";

/** What may be said by flags; also taken by `gc endpoint join`. */
export interface ConfigureOptions extends BatchOptions {
  /** A configuration that is ready, in either form. */
  from?: string;
  displayName?: string;
  relay?: string;
  slots?: number;
  workers?: number;
  memory?: number;
  allowUser?: string[];
  public?: boolean;
  deny?: string[];
  env?: { [name: string]: string };
  workerInit?: string;
  logLevel?: EndpointConfigFile["log_level"];
  yes?: boolean;
  force?: boolean;
}

export function describe(parent: Command, cli: Cli): void {
  const command = parent
    .command("configure")
    .description(
      "Write keys and configuration of a new endpoint on this machine. On a terminal it asks for what no flag says; " +
        "without one, or with --yes, it takes the defaults. The configuration is a commented config.yaml. Tasks run " +
        "on this machine, or with --scheduler in blocks of a batch scheduler.",
    )
    .argument("[name]", "what to call it: letters, digits, . _ -");
  addConfigureOptions(command)
    .option("--relay <context>", "the relay to work for (default: the current one, gc context list)")
    .option("--from <file>", "take this configuration as it is; that of Globus Compute will do")
    .option("-y, --yes", "ask nothing, take the defaults")
    .option("-f, --force", "replace a configuration that is there; the endpoint keeps its id")
    .action(async (name: string | undefined, options: ConfigureOptions) => {
      printConfigured(cli, await configure(cli, name, options));
    });
  addExamples(command, [
    ["gc endpoint configure my-endpoint", "ask on a terminal, then write"],
    ["gc endpoint configure my-endpoint --yes --slots 8", "ask nothing"],
    ["gc endpoint configure hpc --scheduler slurm --partition batch --max-blocks 4", "in blocks on compute nodes"],
    ["gc endpoint configure hpc --from config.yaml", "with a configuration that is ready"],
    ["gc endpoint configure lab --allow-user ID --env OMP_NUM_THREADS=1", "let a colleague submit"],
  ]);
}

/** The flags for what a configuration says. */
export function addConfigureOptions(command: Command): Command {
  const levels = command.createOption("--log-level <level>", "how much goes into its log");
  return addBatchOptions(command)
    .option("--display-name <text>", "how listings call it")
    .option("--slots <count>", "tasks of one core that run at a time (default: cores)", wholeNumber(1))
    .option("--workers <count>", "worker processes that share the slots", wholeNumber(1))
    .option("--memory <amount>", "memory for all tasks, such as 8G", memory_mib)
    .option("--allow-user <id>", "a user who may submit; repeat for more", gather)
    .option("--public", "let every user of the relay submit")
    .option("--deny <id>", "a user who may not submit; repeat for more", gather)
    .option("--env <NAME=VALUE>", "a variable for every task; repeat for more", gatherPairs)
    .option("--worker-init <lines>", "lines of shell that run once before a worker, such as module load")
    .addOption(levels.choices(["debug", "info", "warn", "error"]));
}

/** Tells about a new endpoint: path, id, next command. The payload is the id. */
export function printConfigured(cli: Cli, made: ConfiguredEndpoint): void {
  const { paint } = cli.printer;
  const next = `gc endpoint start ${made.name}`;
  const value = {
    name: made.name,
    id: made.id,
    config_path: made.paths.config,
    key_path: made.paths.key,
    replaced: made.replaced,
    next,
  };
  const human = (): string =>
    [
      `${made.replaced ? "Replaced" : "Wrote"} ${visible(made.paths.config)}`,
      `Endpoint id: ${paint.bold(made.id)}`,
      `Next: ${paint.cyan(next)}`,
    ].join("\n");
  cli.printer.document("gc/endpoint_configured/v1", value, human, () => made.id);
}

async function configure(cli: Cli, said: string | undefined, options: ConfigureOptions): Promise<ConfiguredEndpoint> {
  const asks = cli.interactive && options.yes !== true;
  if (said === undefined && !asks) {
    throw new GcError("usage", "usage.missing_name", "The endpoint needs a name, and there is no terminal to ask on", {
      hint: "gc endpoint configure my-endpoint",
    });
  }
  if (said !== undefined) checkName(said);
  const prompts = asks
    ? await openPrompts(cli, "The endpoint must be described", "gc endpoint configure NAME --yes")
    : undefined;
  const name = said ?? (await askName(prompts as Prompts));
  const force = options.force ?? false;
  const paths = cli.home.endpoint(name);
  if (!force && readIfThere(paths.config) !== undefined) {
    const what = `The endpoint "${name}" is configured already (${paths.config})`;
    throw new GcError("cannot_create", "endpoint.exists", what, {
      hint: `gc endpoint start ${name}, or gc endpoint configure ${name} --force`,
    });
  }
  if (options.from !== undefined) {
    const text = readGiven(options.from);
    return configureEndpoint(cli.home, cli.host, { name, text, from: options.from, force });
  }
  const complete = prompts === undefined ? options : await askForRest(cli, prompts, options);
  return configureEndpoint(cli.home, cli.host, { name, config: await configOf(cli, complete), force });
}

function readGiven(path: string): string {
  const bytes = readIfThere(path);
  if (bytes !== undefined) return Buffer.from(bytes).toString();
  throw new GcError("missing", "config.missing", `There is no file ${JSON.stringify(path)}`);
}

async function askName(prompts: Prompts): Promise<string> {
  const check = (answer: string) => (isName(answer) ? undefined : "Use letters, digits, . _ and -");
  return prompts.text({ message: "What is the endpoint called?", initial: "my-endpoint", check });
}

async function askForRest(cli: Cli, prompts: Prompts, options: ConfigureOptions): Promise<ConfigureOptions> {
  const complete = { ...options };
  if (complete.scheduler === undefined && !speaksOfBlocks(complete)) {
    const found = await schedulersAtHand(cli);
    const here = { value: "local", hint: "on this machine" };
    const there = found.map(({ scheduler, title }) => ({ value: scheduler, hint: `in blocks of ${title}` }));
    const first = there[0]?.value;
    const answer = first === undefined ? "local" : await prompts.choose("Where do tasks run?", [...there, here], first);
    if (answer !== "local") complete.scheduler = answer;
  }
  if (complete.scheduler !== undefined) {
    await askAboutBlocks(prompts, complete);
  } else if (complete.slots === undefined) {
    const cores = navigator.hardwareConcurrency;
    const check = (answer: string) => (/^[1-9]\d{0,4}$/.test(answer) ? undefined : "A whole number, at least 1");
    const message = "How many tasks of one core may run at a time?";
    complete.slots = Number(await prompts.text({ message, initial: String(cores), check }));
  }
  const { contexts, current } = readContexts(cli.home);
  const names = Object.keys(contexts);
  if (complete.relay === undefined && cli.context === undefined && names.length > 1) {
    const choices = names.map((value) => ({ value }));
    complete.relay = await prompts.choose("Which relay does it work for?", choices, current);
  }
  return complete;
}

async function askAboutBlocks(prompts: Prompts, complete: ConfigureOptions): Promise<void> {
  for (const [name, message] of [
    ["partition", "Partition or queue? (empty: the scheduler's own)"],
    ["account", "Account that pays? (empty: the scheduler's own)"],
  ] as const) {
    if (complete[name] !== undefined) continue;
    const answer = (await prompts.text({ message, initial: "" })).trim();
    if (answer !== "") complete[name] = answer;
  }
}

/** Flags and answers as a configuration. The relay is written down by name, so that a later choice does not move it. */
export async function configOf(cli: Cli, options: ConfigureOptions): Promise<EndpointConfigFile> {
  return {
    ...given("display_name", options.displayName),
    relay: relayFor(cli, options.relay),
    engine: await engineOf(cli, options),
    allow: {
      ...given("users", options.allowUser),
      ...given("public", options.public),
      ...given("deny", options.deny),
    },
    ...given("env", options.env),
    ...given("worker_init", options.workerInit),
    ...given("log_level", options.logLevel),
  };
}

/** The name of the relay that `said`, the command line or the contexts choose. @throws GcError `context.unknown`. */
export function relayFor(cli: Cli, said: string | undefined): string {
  const all = readContexts(cli.home);
  const relay = said ?? cli.context ?? all.current;
  if (Object.hasOwn(all.contexts, relay)) return relay;
  throw new GcError("missing", "context.unknown", `There is no context ${JSON.stringify(relay)}`, {
    hint: "gc context list",
  });
}

async function engineOf(cli: Cli, options: ConfigureOptions): Promise<EndpointConfigFile["engine"]> {
  const { scheduler } = options;
  if (scheduler === undefined && !speaksOfBlocks(options)) {
    return {
      type: "local",
      ...given("slots", options.slots),
      ...given("workers", options.workers),
      ...given("memory_mib", options.memory),
    };
  }
  const own = (["slots", "workers", "memory"] as const).find((name) => options[name] !== undefined);
  if (own !== undefined) {
    const what = `--${own} is for tasks on this machine, not for blocks of a batch scheduler`;
    throw new GcError("usage", "usage.contradiction", what, { hint: "gc endpoint configure --help" });
  }
  const name = scheduler === undefined || scheduler === "auto" ? await theScheduler(cli) : scheduler;
  return batchEngineOf(name, options);
}

function given<K extends string, V>(key: K, value: V | undefined): { [key in K]?: V } {
  return (value === undefined ? {} : { [key]: value }) as { [key in K]?: V };
}
