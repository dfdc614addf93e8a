/** `gc result`: what tasks came back with, on the streams and with the exit code that they had. */
import type { Command } from "commander";
import { GcError } from "../core/errors.ts";
import type { Result } from "../core/schema/result.ts";
import { bytesOf } from "../core/submit/follow.ts";
import { taskId } from "../core/task/id.ts";
import type { Cli } from "./cli.ts";
import { collect, type EndedTask } from "./collect.ts";
import { addExamples } from "./examples.ts";
import { writePythonEnd } from "./python_call.ts";
import { Receipts } from "./receipts.ts";
import { writeFully } from "./streams.ts";
import { TaskDesk } from "./task_desk.ts";
import { duration_s } from "./task_options.ts";
import { findTargets, type Target } from "./task_targets.ts";

interface ResultOptions {
  wait?: boolean;
  timeout?: number;
  group?: string;
}

export function describe(parent: Command, cli: Cli): void {
  const command = parent
    .command("result")
    .description(
      "Print what tasks came back with: their standard output and error on these very streams, and the exit code of " +
        "the task as this one's. Of several, the first that is not 0 counts.",
    )
    .argument("[ids...]", "task ids, beginnings of ids, or last")
    .option("--group <name>", "all tasks of this group")
    .option("-w, --wait", "wait for tasks that have not ended")
    .option("--timeout <time>", "wait at most this long; exit code 124 then", duration_s)
    .action(async (ids: string[], options: ResultOptions) => {
      cli.exit_code = await showResults(cli, ids, options);
    });
  addExamples(command, [
    ["gc result last", "of the newest task"],
    ["gc result --wait 01a2", "once it has ended"],
    ["gc result --wait --json last", "everything: outcome, times, host, output"],
  ]);
}

async function showResults(cli: Cli, ids: string[], options: ResultOptions): Promise<number> {
  const desk = new TaskDesk(cli, true);
  try {
    desk.client.adoptWaiting();
    const targets = await findTargets(desk, ids, options.group);
    const show = cli.printer.mode === "json" ? new JsonResults() : new PlainResults(cli);
    const receipts = new Receipts(desk);
    const wait = options.wait === true || options.timeout !== undefined;
    const timeout = options.timeout === undefined ? {} : { timeout_ms: options.timeout * 1000 };
    const left = await collect(desk, targets, { wait, open: true, ...timeout }, async (ended) => {
      await show.one(ended);
      receipts.add(ended);
    });
    await show.end();
    await receipts.send();
    const [first] = left.unfinished;
    if (first === undefined) return show.exit_code;
    const error = unfinished(first.target, first.indices, left.timed_out);
    if (!left.timed_out) throw error;
    cli.printer.warn(`${error.message}; next: ${error.hint}`);
    return 124;
  } finally {
    desk.close();
  }
}

function unfinished(target: Target, indices: readonly number[], timed_out: boolean): GcError {
  const id = taskId(target.id, indices[0] ?? 0);
  const more = indices.length > 1 ? ` and ${indices.length - 1} more` : "";
  const message = `The task ${id}${more} has not ended${timed_out ? " in time" : ""}`;
  return new GcError("temporary", timed_out ? "task.timeout" : "task.unfinished", message, { hint: `gc why ${id}` });
}

/** For people and pipes: the bytes themselves. */
class PlainResults {
  exit_code = 0;
  private readonly cli: Cli;

  constructor(cli: Cli) {
    this.cli = cli;
  }

  async one({ target, index, result, pinned }: EndedTask): Promise<void> {
    if (result === undefined) return;
    const id = taskId(target.id, index);
    await writeFully(1, bytesOf(result.stdout));
    await writeFully(2, bytesOf(result.stderr));
    if ((result.value ?? result.exception) !== undefined) await writePythonEnd(result);
    if (!isWhole(result)) this.cli.printer.note(`only the end of the output of ${id}; all of it: gc logs ${id}`);
    if (!pinned)
      this.cli.printer.note(
        `${id} was not submitted here; that ${target.endpoint} is its endpoint is the relay's word`,
      );
    const { outcome } = result;
    if (outcome.reason !== undefined && outcome.class !== "ok") this.cli.printer.warn(outcome.reason);
    this.exit_code ||= outcome.exit_code;
  }

  async end(): Promise<void> {}
}

/** For programs: one document, written piece by piece. */
class JsonResults {
  exit_code = 0;
  private begun = false;

  async one({ target, index, from, result, pinned }: EndedTask): Promise<void> {
    if (result === undefined) return;
    const value = { id: taskId(target.id, index), endpoint_id: from, pinned, group: target.group, ...result };
    await this.write(`${this.begun ? ",\n" : '{"schema":"gc/results/v1","results":[\n'}${JSON.stringify(value)}`);
    this.begun = true;
    this.exit_code ||= result.outcome.exit_code;
  }

  async end(): Promise<void> {
    await this.write(this.begun ? "\n]}\n" : '{"schema":"gc/results/v1","results":[]}\n');
  }

  private write(text: string): Promise<void> {
    return writeFully(1, Buffer.from(text));
  }
}

/** Whether a result holds all that its task wrote. */
export function isWhole(result: Result): boolean {
  return result.stdout.kept >= result.stdout.total && result.stderr.kept >= result.stderr.total;
}
