/** `gc logs`: all output of a task, from where it was written; with -f as it grows. */
import type { Command } from "commander";
import { GcError } from "../core/errors.ts";
import type { Result } from "../core/schema/result.ts";
import { Attachment } from "../core/submit/attach.ts";
import type { StreamName } from "../core/submit/follow.ts";
import { taskId } from "../core/task/id.ts";
import type { Cli } from "./cli.ts";
import { addExamples } from "./examples.ts";
import { ReaderGone } from "./output.ts";
import { isWhole } from "./result.ts";
import { standings } from "./standings.ts";
import { writeFully } from "./streams.ts";
import { TaskDesk } from "./task_desk.ts";
import { endpointOf, findTargets, indicesOf, type Target } from "./task_targets.ts";

interface LogsOptions {
  follow?: boolean;
}

/** Without -f, the output of a running task counts as read when nothing more has come for so long. */
const quiet_ms = 500;

export function describe(parent: Command, cli: Cli): void {
  const command = parent
    .command("logs")
    .description(
      "Print all that a task has written, standard output and error on their own streams: of a running task what " +
        "there is so far. With -f go on until it ends; then its exit code is this one's.",
    )
    .argument("<id>", "a task id, the beginning of one, or last")
    .option("-f, --follow", "go on as it grows, until the task ends")
    .action(async (id: string, options: LogsOptions) => {
      cli.exit_code = await logs(cli, id, options);
    });
  addExamples(command, [
    ["gc logs last", "of the newest task"],
    ["gc logs -f 01a2", "as it runs"],
    ["gc logs last 2>/dev/null | tail", "standard output alone"],
  ]);
}

async function logs(cli: Cli, word: string, options: LogsOptions): Promise<number> {
  const desk = new TaskDesk(cli, true);
  try {
    desk.client.adoptWaiting();
    const targets = await findTargets(desk, [word]);
    const [target] = targets;
    if (target === undefined || targets.length > 1 || indicesOf(target).length > 1) {
      throw new GcError("data", "task.several", `"${word}" means several tasks; logs are shown of one`, {
        hint: "gc ps",
      });
    }
    await desk.connected();
    return await new LogReader(cli, desk, target).read(options.follow === true);
  } finally {
    desk.close();
  }
}

class LogReader {
  private readonly cli: Cli;
  private readonly desk: TaskDesk;
  private readonly target: Target;
  private last_ms: number;

  constructor(cli: Cli, desk: TaskDesk, target: Target) {
    this.cli = cli;
    this.desk = desk;
    this.target = target;
    this.last_ms = cli.host.clock.monotonic();
  }

  async read(follow: boolean): Promise<number> {
    const record = await endpointOf(this.desk, this.target);
    const tid = taskId(this.target.id, indicesOf(this.target)[0] ?? 0);
    const { clock } = this.cli.host;
    let broken: (error: unknown) => void = () => {};
    const failure = new Promise<never>((_, reject) => {
      broken = reject;
    });
    failure.catch(() => {});
    const attachment = new Attachment(
      this.desk.client,
      record,
      tid,
      { write: (name, bytes) => this.write(name, bytes) },
      clock,
    );
    attachment.onBroken.add(broken);
    const ended = this.result();
    try {
      const known = await Promise.race([ended, this.isRunning(record, tid), failure]);
      if (known === undefined) attachment.startFollowing();
      const result =
        known ?? (await Promise.race([ended, follow ? new Promise<never>(() => {}) : this.quiet(), failure]));
      if (result === undefined) {
        await attachment.written();
        return 0;
      }
      const offline = !isWhole(result) && (await standings(this.desk, [{ record, tid }])).size === 0;
      const { missing } = await attachment.finish(result, offline ? 0 : undefined);
      if (missing > 0) this.cli.printer.warn(`${missing} bytes before that could not be fetched from the endpoint`);
      return follow ? result.outcome.exit_code : 0;
    } catch (error) {
      if (error instanceof ReaderGone) return error.exit_code;
      throw error;
    } finally {
      attachment.stop();
    }
  }

  private write(name: StreamName, bytes: Uint8Array): Promise<void> {
    this.last_ms = this.cli.host.clock.monotonic();
    if (this.cli.printer.mode === "json") {
      const text = Buffer.from(bytes);
      this.cli.printer.line("gc/output/v1", { stream: name, base64: text.toString("base64") }, () => "");
      return Promise.resolve();
    }
    return writeFully(name === "stdout" ? 1 : 2, bytes);
  }

  private async result(): Promise<Result> {
    const [wanted = 0] = indicesOf(this.target);
    if (this.target.head !== undefined) this.desk.client.know(this.target.head);
    for await (const { batches } of this.desk.client.watch({ envelopes: [this.target.id] })) {
      for (const { indices, results } of batches) {
        const found = results?.[indices.indexOf(wanted)];
        if (found !== undefined) return found;
      }
    }
    throw new GcError("internal", "watch.ended", "The watch on the task ended without a result");
  }

  /** Resolves with nothing once the endpoint says that the task has not ended. */
  private async isRunning(record: Parameters<typeof standings>[1][number]["record"], tid: string): Promise<undefined> {
    const standing = (await standings(this.desk, [{ record, tid }])).get(tid);
    if (standing?.phase === "finished") return new Promise<never>(() => {});
    return undefined;
  }

  /** Resolves when nothing has come for a while. */
  private async quiet(): Promise<undefined> {
    const { clock } = this.cli.host;
    const start_ms = clock.monotonic();
    for (;;) {
      const idle = clock.monotonic() - Math.max(start_ms, this.last_ms);
      if (idle >= quiet_ms) return undefined;
      await new Promise<void>((resolve) => clock.after(quiet_ms - idle, resolve));
    }
  }
}
