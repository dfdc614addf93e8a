/** `gc cancel`: ends tasks, queued or running, with everything they started. */
import type { Command } from "commander";
import { GcError } from "../core/errors.ts";
import type { ResultClass } from "../core/schema/envelope.ts";
import { type TaskId, taskId } from "../core/task/id.ts";
import type { Cli } from "./cli.ts";
import { collect } from "./collect.ts";
import { addExamples } from "./examples.ts";
import { TaskDesk } from "./task_desk.ts";
import { duration_s } from "./task_options.ts";
import { findTargets, indicesOf, type Target } from "./task_targets.ts";

interface CancelOptions {
  group?: string;
  /** False for --no-wait. */
  wait?: boolean;
  timeout?: number;
}

/** A relay that does not answer within this time is away: what was never sent is then dropped here. */
const relayWait_ms = 3000;
const defaultTimeout_s = 60;

export function describe(parent: Command, cli: Cli): void {
  const command = parent
    .command("cancel")
    .description(
      "End tasks: those that wait do not start, those that run get TERM, and KILL after their grace, with everything " +
        "they started. Returns when they have ended. One that had ended before stays as it is.",
    )
    .argument("[ids...]", "task ids, beginnings of ids, or last")
    .option("--group <name>", "all tasks of this group")
    .option("--no-wait", "return once the relay has the wish")
    .option("--timeout <time>", `wait at most this long (default: ${defaultTimeout_s}s); exit code 75 then`, duration_s)
    .action(async (ids: string[], options: CancelOptions) => {
      cli.exit_code = await cancel(cli, ids, options);
    });
  addExamples(command, [
    ["gc cancel last", "the newest task"],
    ["gc cancel 01a2 77fe", "two tasks"],
    ["gc cancel --group sweep --no-wait", "a whole group"],
  ]);
}

async function cancel(cli: Cli, ids: string[], options: CancelOptions): Promise<number> {
  const desk = new TaskDesk(cli, true);
  try {
    const dropped = await dropUnsent(desk, ids);
    if (dropped !== undefined) return tell(cli, dropped, 0);
    desk.client.adoptWaiting();
    const targets = await findTargets(desk, ids, options.group);
    await Promise.all(targets.map((target) => desk.client.cancel(target.id, target.endpoint, target.indices ?? [])));
    if (options.wait === false) {
      const asked = targets.flatMap((target) => indicesOf(target).map((index) => taskId(target.id, index)));
      return tell(
        cli,
        asked.map((id) => ({ id, state: "asked" })),
        0,
      );
    }
    const ended: { id: TaskId; state: ResultClass }[] = [];
    const timeout_ms = (options.timeout ?? defaultTimeout_s) * 1000;
    const left = await collect(desk, targets, { wait: true, open: false, timeout_ms }, (each) => {
      ended.push({ id: taskId(each.target.id, each.index), state: each.class });
    });
    const still = left.unfinished.flatMap(({ target, indices }) => {
      return indices.map((index) => ({ id: taskId(target.id, index), state: "asked" as const }));
    });
    return tell(cli, [...ended, ...still], still.length === 0 ? 0 : 75);
  } finally {
    desk.close();
  }
}

/** With the relay away: takes back what has not left this machine. Undefined when the relay answers. */
async function dropUnsent(desk: TaskDesk, ids: string[]): Promise<{ id: string; state: string }[] | undefined> {
  const own = desk.outbox.waiting().filter((kept) => kept.epoch === undefined);
  if (own.length === 0) return undefined;
  try {
    await desk.connected(relayWait_ms);
    return undefined;
  } catch (away) {
    const newest = desk.outbox.last();
    const meant = own.filter(({ head }) => {
      return ids.some((word) => (word === "last" ? head.id === newest : head.id.startsWith(word.toLowerCase())));
    });
    if (meant.length === 0) throw away;
    if (meant.length > ids.length)
      throw new GcError("data", "task.ambiguous", "That is the beginning of several task ids");
    const dropped: { id: string; state: string }[] = [];
    desk.client.adoptWaiting();
    for (const { head } of meant) {
      const done = await desk.client.withdraw(head.id as Target["id"]);
      dropped.push({ id: head.id, state: done ? "dropped" : "asked" });
    }
    return dropped;
  }
}

function tell(cli: Cli, tasks: readonly { id: string; state: string }[], code: number): number {
  cli.printer.document("gc/cancelled/v1", { tasks }, () => "");
  const told = tasks.slice(0, 20);
  for (const { id, state } of told) cli.printer.note(`${id} ${sentence(state)}`);
  if (tasks.length > told.length) cli.printer.note(`… and ${tasks.length - told.length} more`);
  return code;
}

function sentence(state: string): string {
  if (state === "cancelled") return "is cancelled";
  if (state === "dropped") return "had not been sent; it is dropped";
  if (state === "asked") return "is asked to end; see: gc ps";
  return `had ended already (${state})`;
}
