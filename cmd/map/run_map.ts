/** Puts a map together from the options of the command line, runs it, and says how it went. */
import { GcError } from "../../core/errors.ts";
import type { TaskSpec } from "../../core/schema/task.ts";
import { newUuid } from "../../core/submit/composer.ts";
import type { GroupId, PrincipalId } from "../../core/task/id.ts";
import { fromWireError } from "../../core/wire/link.ts";
import type { Cli } from "../cli.ts";
import type { MapOptions } from "../map.ts";
import { pythonCallOf } from "../python_call.ts";
import { groupOf } from "../task_batch.ts";
import { TaskDesk } from "../task_desk.ts";
import { baseSpec } from "../task_spec.ts";
import { haltOf } from "./halt.ts";
import { Joblog } from "./joblog.ts";
import { Mapper } from "./mapper.ts";
import { type Item, MapOutput } from "./output.ts";
import { Progress } from "./progress.ts";
import { inputsOf, rangeOf, type Source, splitWords } from "./sources.ts";
import { Submitting, taskFor, type What } from "./submitting.ts";

const inFlightMax = 5000;
/** All of the output that a result can hold comes back: it is the point of a map. */
const snippetLines = 1_000_000;
/** How long an interrupted map waits for its tasks to end. */
const cancelWithin_ms = 10_000;

interface Plan {
  readonly what: What;
  readonly sources: readonly Source[];
  readonly base: TaskSpec;
  readonly separator: RegExp | undefined;
}

export async function runMap(cli: Cli, words: readonly string[], options: MapOptions): Promise<number> {
  const plan = planOf(words, options);
  const halt = haltOf(options.halt ?? "never");
  if (options.dryRun === true) return showPlan(cli, plan);
  if (options.resume === true && options.joblog === undefined) {
    throw new GcError("usage", "map.resume", "--resume needs the --joblog to go on from", { hint: "gc map --help" });
  }
  const desk = new TaskDesk(cli, true);
  try {
    const endpoint = await desk.endpoint(options.endpoint);
    await desk.connected();
    const { client } = desk;
    const fresh = (): GroupId => {
      return options.group === undefined ? newUuid(cli.host.random) : groupOf(client.identity.id, options.group);
    };
    const joblog =
      options.joblog === undefined ? undefined : new Joblog(options.joblog, options.resume === true, fresh);
    const group = joblog?.group ?? fresh();
    let refuse = (_error: GcError): void => {};
    const refused = new Promise<never>((_, reject) => {
      refuse = reject;
    });
    const wish = { group, ...(options.priority === undefined ? {} : { priority: options.priority }) };
    const submitting = new Submitting(desk, endpoint, wish, plan.base, (error) => refuse(fromWireError(error)));
    client.adoptWaiting();
    const output = new MapOutput(cli, {
      tag: options.tag === true,
      ...(options.out === undefined ? {} : { out: options.out }),
      ...(options.err === undefined ? {} : { err: options.err }),
    });
    const mapper = new Mapper({
      desk,
      endpoint: endpoint.record.id as PrincipalId,
      submitting,
      output,
      joblog,
      halt,
      deliveries: client.watch({ group }),
      progress: new Progress(cli.host.clock, cli.terminal.stderr && cli.printer.mode === "human"),
      in_flight_max: options.jobs ?? inFlightMax,
      keep_order: options.keepOrder === true,
    });
    if (desk.startsItself(endpoint)) await desk.seeOnline(endpoint);
    const code = await Promise.race([whileWatched(cli, mapper, plan), refused]);
    await output.end({ done: mapper.done, failed: mapper.failed, group });
    joblog?.close();
    return code;
  } finally {
    desk.close();
  }
}

/** Runs the map with the signals of a person at a terminal. */
async function whileWatched(cli: Cli, mapper: Mapper, plan: Plan): Promise<number> {
  let leave = (_code: number): void => {};
  let interrupted: number | undefined;
  const left = new Promise<number>((resolve) => {
    leave = resolve;
  });
  const interrupt = (code: number) => (): void => {
    if (interrupted !== undefined) return leave(code);
    interrupted = code;
    cli.printer.note("cancelling what is in flight; again to leave at once");
    mapper.stop("now");
    cli.host.clock.after(cancelWithin_ms, () => leave(code));
  };
  const handlers = [
    ["SIGINT", interrupt(130)],
    ["SIGTERM", interrupt(143)],
    ["SIGHUP", () => leave(129)],
  ] as const;
  for (const [signal, handler] of handlers) process.on(signal, handler);
  try {
    const ended = mapper.run(tasksOf(plan)).then(() => interrupted ?? Math.min(101, mapper.failed));
    const code = await Promise.race([ended, left]);
    if (mapper.halted !== undefined && interrupted === undefined) {
      cli.printer.note(`halted after ${mapper.done} tasks, ${mapper.failed} of them failed`);
    }
    return code;
  } finally {
    for (const [signal, handler] of handlers) process.off(signal, handler);
  }
}

async function* tasksOf({ what, sources, separator }: Plan): AsyncGenerator<{ item: Item; spec: TaskSpec }[]> {
  let seq = 0;
  for await (const inputs of inputsOf(sources, separator)) {
    yield inputs.map((input) => {
      seq += 1;
      const { spec, command } = taskFor(what, input, seq);
      return { item: { seq, input, command }, spec };
    });
  }
}

function planOf(words: readonly string[], options: MapOptions): Plan {
  const { command, sources } = splitWords(words);
  const named: Source[] = [
    ...(options.range ?? []).map(rangeOf),
    ...(options.argFile ?? []).map((path) => ({ kind: "lines", path, linked: false }) as const),
    ...(options.csv === undefined ? [] : [{ kind: "csv", path: options.csv, linked: false } as const]),
    ...(options.jsonl === undefined ? [] : [{ kind: "jsonl", path: options.jsonl, linked: false } as const]),
    ...sources,
  ];
  const all: Source[] = named.length > 0 ? named : [{ kind: "lines", path: "-", linked: false }];
  const base = { snippet_lines: snippetLines, ...baseSpec(options, () => process.cwd()) };
  return { what: whatOf(command, options), sources: all, base, separator: separatorOf(options.colsep) };
}

function whatOf(command: readonly string[], options: MapOptions): What {
  const { python, interpreter } = options;
  if (python !== undefined) {
    if (command.length > 0) {
      throw new GcError("usage", "map.too_much", "A command and --python exclude each other", {
        hint: "gc map --python model.py:score ::: 1 2 3",
      });
    }
    const call = pythonCallOf({ python, ...(interpreter === undefined ? {} : { interpreter }) });
    return { kind: "python", call, name: python };
  }
  const [first] = command;
  if (first === undefined) {
    throw new GcError("usage", "task.no_command", "There is no command to run", { hint: "gc map echo {} ::: a b c" });
  }
  // One word with blanks is no program's name: it is meant for a shell.
  const is_text = options.shell === true || (command.length === 1 && /\s/.test(first));
  return is_text ? { kind: "script", text: command.join(" ") } : { kind: "words", words: command };
}

function separatorOf(text: string | undefined): RegExp | undefined {
  if (text === undefined) return undefined;
  try {
    return new RegExp(text === "\\t" ? "\t" : text);
  } catch {
    throw new GcError("usage", "map.colsep", `"${text}" is no regular expression`, { hint: "gc map --colsep ," });
  }
}

async function showPlan(cli: Cli, plan: Plan): Promise<number> {
  const commands: string[] = [];
  for await (const chunk of tasksOf(plan)) for (const { item } of chunk) commands.push(item.command);
  cli.printer.document("gc/map_plan/v1", { commands }, () => commands.join("\n"));
  return 0;
}
