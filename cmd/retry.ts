/** `gc retry`: submits ended tasks again, as they were, under new ids. */
import type { Command } from "commander";
import { GcError } from "../core/errors.ts";
import type { TaskSpec } from "../core/schema/task.ts";
import type { Fate } from "../core/submit/client.ts";
import { newUuid } from "../core/submit/composer.ts";
import { type EnvelopeId, type GroupId, taskId } from "../core/task/id.ts";
import { fromWireError } from "../core/wire/link.ts";
import type { Cli } from "./cli.ts";
import { collect } from "./collect.ts";
import { addExamples } from "./examples.ts";
import { writeFully } from "./streams.ts";
import { TaskDesk } from "./task_desk.ts";
import { findTargets, type Target } from "./task_targets.ts";

interface RetryOptions {
  group?: string;
  failed?: boolean;
  all?: boolean;
}

export function describe(parent: Command, cli: Cli): void {
  const command = parent
    .command("retry")
    .description(
      "Submit ended tasks again and print their new ids. Of a group, those that did not succeed; of ids, those " +
        "named. Commands are kept for 14 days on the machine they were submitted from.",
    )
    .argument("[ids...]", "task ids, beginnings of ids, or last")
    .option("--group <name>", "the failed tasks of this group")
    .option("--failed", "of the ids, only those that did not succeed")
    .option("--all", "of the group, also those that succeeded")
    .action(async (ids: string[], options: RetryOptions) => {
      cli.exit_code = await retry(cli, ids, options);
    });
  addExamples(command, [
    ["gc retry last", "the newest task once more"],
    ["gc retry --group sweep", "what failed of a group, as a new group"],
  ]);
}

async function retry(cli: Cli, ids: string[], options: RetryOptions): Promise<number> {
  const desk = new TaskDesk(cli, true);
  try {
    desk.client.adoptWaiting();
    const targets = await findTargets(desk, ids, options.group);
    const failedOnly = options.failed === true || (options.group !== undefined && options.all !== true);
    const chosen = await choose(desk, targets, failedOnly);
    const group = newUuid(cli.host.random);
    const made: { id: string; was: string }[] = [];
    for (const [target, indices] of chosen) made.push(...(await again(desk, target, indices, group)));
    cli.printer.document("gc/retried/v1", { group, tasks: made }, () => "");
    if (cli.printer.mode !== "json") await writeFully(1, Buffer.from(made.map(({ id }) => `${id}\n`).join("")));
    if (made.length === 0) cli.printer.note("nothing to submit again: all of them succeeded");
    else if (made.length > 1)
      cli.printer.note(`${made.length} tasks in the group ${group}; next: gc wait --group ${group}`);
    return 0;
  } finally {
    desk.close();
  }
}

/** Which tasks of which envelope are submitted again. */
async function choose(desk: TaskDesk, targets: readonly Target[], failedOnly: boolean): Promise<Map<Target, number[]>> {
  const chosen = new Map<Target, number[]>();
  const hopeless = targets.filter((target) => target.refused !== undefined);
  for (const target of hopeless) chosen.set(target, target.indices ?? [...Array(target.count).keys()]);
  const others = targets.filter((target) => target.refused === undefined);
  const left = await collect(desk, others, { wait: false, open: false }, ({ target, index, class: ended }) => {
    if (failedOnly && ended === "ok") return;
    const indices = chosen.get(target);
    if (indices === undefined) chosen.set(target, [index]);
    else indices.push(index);
  });
  const [first] = left.unfinished;
  if (first !== undefined && !failedOnly) {
    const id = taskId(first.target.id, first.indices[0] ?? 0);
    throw new GcError("temporary", "task.unfinished", `The task ${id} has not ended, so it cannot be submitted again`, {
      hint: `gc cancel ${id}`,
    });
  }
  for (const indices of chosen.values()) indices.sort((a, b) => a - b);
  return chosen;
}

async function again(desk: TaskDesk, target: Target, indices: readonly number[], group: GroupId) {
  const parcel = desk.outbox.find(target.id);
  if (parcel === undefined) {
    throw new GcError("missing", "task.not_kept", `The command of the task ${target.id} is not kept on this machine`, {
      hint: "retry it where it was submitted",
    });
  }
  const { client } = desk;
  client.prepare(parcel.head.endpoint);
  const base = detached(parcel.base);
  const tasks = indices.map((index) => detached(parcel.tasks[index] ?? {}));
  const name = parcel.head.endpoint_name;
  const batch = { base, tasks, group, ...(name === undefined ? {} : { endpoint_name: name }) };
  let id = "" as EnvelopeId;
  const fate = new Promise<Fate>((resolve) => {
    id = client.submit(parcel.head.endpoint, batch, resolve).id as EnvelopeId;
  });
  const answer = await desk.settled(fate);
  if (answer instanceof GcError) throw answer;
  if (typeof answer === "object") throw fromWireError(answer);
  return indices.map((index, place) => ({ id: taskId(id, place), was: taskId(target.id, index) }));
}

/** A task that nobody is attached to any more. */
function detached(spec: TaskSpec): TaskSpec {
  const { attach: _, tty: __, stdin, ...rest } = spec;
  return stdin === undefined || stdin.kind === "stream" ? rest : { ...rest, stdin };
}
