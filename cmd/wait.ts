/** `gc wait`: returns when tasks have ended; says only how many ended how. */
import type { Command } from "commander";
import { GcError } from "../core/errors.ts";
import type { ResultClass } from "../core/schema/envelope.ts";
import type { Cli } from "./cli.ts";
import { collect } from "./collect.ts";
import { addExamples } from "./examples.ts";
import { TaskDesk } from "./task_desk.ts";
import { duration_s } from "./task_options.ts";
import { findTargets, indicesOf, rowsOf, type Target } from "./task_targets.ts";

interface WaitOptions {
  group?: string;
  timeout?: number;
}

/** Beyond so many tasks the relay is asked for numbers instead of being made to send every result. */
const watchedMax = 20_000;
const askEvery_ms = 1000;

type Counts = { [name in ResultClass]?: number };

export function describe(parent: Command, cli: Cli): void {
  const command = parent
    .command("wait")
    .description(
      "Wait until tasks have ended. Exit code 0 when all of them succeeded, 1 when not, 124 when time ran out.",
    )
    .argument("[ids...]", "task ids, beginnings of ids, or last")
    .option("--group <name>", "all tasks of this group")
    .option("--timeout <time>", "wait at most this long", duration_s)
    .action(async (ids: string[], options: WaitOptions) => {
      cli.exit_code = await waitFor(cli, ids, options);
    });
  addExamples(command, [
    ["gc wait last", "for the newest task"],
    ["gc wait --group sweep && gc result --group sweep", "for all of a group"],
    ["gc wait --timeout 10m 01a2 77fe", "but not for ever"],
  ]);
}

async function waitFor(cli: Cli, ids: string[], options: WaitOptions): Promise<number> {
  const desk = new TaskDesk(cli, true);
  try {
    desk.client.adoptWaiting();
    const targets = await findTargets(desk, ids, options.group);
    const total = targets.reduce((sum, target) => sum + indicesOf(target).length, 0);
    const timeout = options.timeout === undefined ? undefined : options.timeout * 1000;
    const whole = targets.every((target) => target.indices === undefined);
    const { counts, timed_out } =
      whole && total > watchedMax ? await ask(desk, targets, total, timeout) : await watch(desk, targets, timeout);
    const ended = Object.values(counts).reduce((sum, count) => sum + count, 0);
    const value = { tasks: total, ended, classes: counts, timed_out };
    cli.printer.document("gc/wait/v1", value, () => "");
    if (timed_out) cli.printer.warn(`${total - ended} of ${total} tasks have not ended in time`);
    else if (cli.printer.mode === "human" && ended !== (counts.ok ?? 0)) cli.printer.note(words(counts));
    if (timed_out) return 124;
    return ended === (counts.ok ?? 0) ? 0 : 1;
  } finally {
    desk.close();
  }
}

async function watch(desk: TaskDesk, targets: readonly Target[], timeout_ms: number | undefined) {
  const counts: Counts = {};
  const wish = { wait: true, open: false, ...(timeout_ms === undefined ? {} : { timeout_ms }) };
  const left = await collect(desk, targets, wish, (ended) => {
    counts[ended.class] = (counts[ended.class] ?? 0) + 1;
  });
  return { counts, timed_out: left.timed_out };
}

async function ask(desk: TaskDesk, targets: readonly Target[], total: number, timeout_ms: number | undefined) {
  const { clock } = desk.cli.host;
  const deadline = timeout_ms === undefined ? Number.POSITIVE_INFINITY : clock.monotonic() + timeout_ms;
  for (;;) {
    const counts: Counts = {};
    let ended = 0;
    for (const row of (
      await rowsOf(
        desk,
        targets.map((target) => target.id),
      )
    ).values()) {
      if (row.state === "expired") {
        throw new GcError("unavailable", "task.expired", `No endpoint took the tasks of ${row.id} before they expired`);
      }
      for (const [name, count] of Object.entries(row.classes)) {
        counts[name as ResultClass] = (counts[name as ResultClass] ?? 0) + count;
        ended += count;
      }
    }
    if (ended >= total) return { counts, timed_out: false };
    if (clock.monotonic() >= deadline) return { counts, timed_out: true };
    await new Promise<void>((resolve) => clock.after(Math.min(askEvery_ms, deadline - clock.monotonic()), resolve));
  }
}

/** `3 ok, 1 fail`. */
export function words(counts: { [name: string]: number }): string {
  return Object.entries(counts)
    .map(([name, count]) => `${count} ${name}`)
    .join(", ");
}
