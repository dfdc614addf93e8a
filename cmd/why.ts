/** `gc why`: what a task waits for, or why it failed, and what to do next. Asks everybody who may know. */
import type { Command } from "commander";
import type { EnvelopeRow } from "../core/schema/relay_message.ts";
import type { Outcome } from "../core/schema/result.ts";
import { taskId } from "../core/task/id.ts";
import type { Cli } from "./cli.ts";
import { collect } from "./collect.ts";
import { addExamples } from "./examples.ts";
import { age } from "./ps.ts";
import { TaskDesk } from "./task_desk.ts";
import { endpointOf, findTargets, indicesOf, rowsOf, type Target } from "./task_targets.ts";
import { visibleText } from "./visible.ts";

/** An answer: where the task is, why, and what to type next. */
interface Answer {
  id: string;
  state: string;
  reason: string;
  hint?: string;
  endpoint_id?: string;
  host?: string;
  attempt?: number;
  outcome?: Outcome;
}

const relayWait_ms = 3000;
const endpointWait_ms = 3000;

export function describe(parent: Command, cli: Cli): void {
  const command = parent
    .command("why")
    .description("Tell what a task waits for, or why it failed, and what to do next.")
    .argument("<id>", "a task id, the beginning of one, or last")
    .action(async (id: string) => {
      await tellWhy(cli, id);
    });
  addExamples(command, [
    ["gc why last", "the newest task"],
    ["gc why 01a2", "by the beginning of its id"],
  ]);
}

async function tellWhy(cli: Cli, word: string): Promise<void> {
  const desk = new TaskDesk(cli, true);
  try {
    desk.client.adoptWaiting();
    const [target] = await findTargets(desk, [word]);
    if (target === undefined) return;
    const [index = 0] = indicesOf(target);
    const id = taskId(target.id, index);
    const answer = { id, endpoint_id: target.endpoint, ...(await find(desk, target, index, id)) };
    cli.printer.document("gc/why/v1", answer, () => {
      const { paint } = cli.printer;
      const next = answer.hint === undefined ? "" : `\n  ${paint.dim("next:")} ${visibleText(answer.hint)}`;
      return `${paint.bold(answer.state)}: ${visibleText(answer.reason)}${next}`;
    });
  } finally {
    desk.close();
  }
}

type Found = Omit<Answer, "id">;

async function find(desk: TaskDesk, target: Target, index: number, id: string): Promise<Found> {
  const { refused } = target;
  if (refused !== undefined) {
    return { state: "refused", reason: refused.message, hint: refused.hint ?? `gc retry ${id}` };
  }
  try {
    await desk.connected(relayWait_ms);
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    if (target.where === "outbox") {
      return { state: "outbox", reason: `It waits on this machine. ${why}`, hint: "gc submit --flush" };
    }
    return { state: "unknown", reason: why, hint: "gc context list" };
  }
  const row = (await rowsOf(desk, [target.id])).get(target.id);
  if (row === undefined) return missing(target, id);
  if (row.state === "expired") {
    return { state: "expired", reason: "No endpoint took it before it expired", hint: `gc retry ${id}` };
  }
  const ended = row.done > 0 ? await result(desk, target, index) : undefined;
  if (ended !== undefined) return ended;
  if (row.state === "queued") return queued(desk, target, row);
  return held(desk, target, id);
}

function missing(target: Target, id: string): Found {
  if (target.where === "outbox")
    return { state: "sending", reason: "It is on its way to the relay", hint: `gc why ${id}` };
  const reason = "The relay does not know it any more: it was fetched more than a day ago, or is older than 14 days";
  return { state: "gone", reason, hint: `gc retry ${id}` };
}

async function result(desk: TaskDesk, target: Target, index: number): Promise<Found | undefined> {
  let found: Found | undefined;
  await collect(desk, [{ ...target, indices: [index] }], { wait: false, open: true }, ({ result: ended }) => {
    if (ended === undefined) return;
    const { outcome, host, attempt } = ended;
    found = { state: outcome.class, reason: outcome.reason ?? sentence(outcome), outcome, host, attempt };
    if (outcome.class !== "ok")
      found.hint =
        outcome.cause === "exit" || outcome.cause === "exception"
          ? `gc result ${taskId(target.id, index)}`
          : `gc retry ${taskId(target.id, index)}`;
  });
  return found;
}

function sentence(outcome: Outcome): string {
  if (outcome.class === "ok") return "It succeeded";
  if (outcome.cause === "exit") return `The command itself ended with exit code ${outcome.exit_code}`;
  if (outcome.cause === "signal") return `The signal ${outcome.signal ?? "?"} ended it`;
  return `It ended as ${outcome.class} (${outcome.cause})`;
}

async function queued(desk: TaskDesk, target: Target, row: EnvelopeRow): Promise<Found> {
  const [endpoint] = await desk.client.endpoints({ id: target.endpoint });
  const name = endpoint?.name ?? target.head?.endpoint_name ?? target.endpoint;
  const now_ms = desk.cli.host.clock.now();
  if (endpoint === undefined || !endpoint.online) {
    const seen =
      endpoint === undefined
        ? "has never been connected"
        : `is not connected (last seen ${age(now_ms - endpoint.seen_ms)} ago)`;
    return {
      state: "queued",
      reason: `Its endpoint "${name}" ${seen}; the relay keeps it`,
      hint: `gc endpoint start ${name}`,
    };
  }
  const waited = `It has waited ${age(now_ms - row.created_ms)} at the relay`;
  const reason = `${waited}; its endpoint "${name}" is connected and has ${endpoint.queued} envelopes to take`;
  return { state: "queued", reason, hint: `gc endpoint status ${name}` };
}

async function held(desk: TaskDesk, target: Target, id: string): Promise<Found> {
  const record = await endpointOf(desk, target);
  const answer = await desk.client.ask(record, { t: "ask_tasks", tids: [id] }, endpointWait_ms);
  const name = target.head?.endpoint_name ?? target.endpoint;
  if (typeof answer === "string") {
    const reason = `Its endpoint "${name}" has it but is not reached (${answer}); it goes on by itself`;
    return { state: "held", reason, hint: `gc endpoint start ${name}` };
  }
  const standing = answer.t === "answer_tasks" ? answer.tasks[0] : undefined;
  if (standing === undefined) return { state: "held", reason: `Its endpoint "${name}" has it` };
  const { phase, reason, hint, host, attempt } = standing;
  return {
    state: phase,
    reason,
    attempt,
    ...(hint === undefined ? {} : { hint: hint.replace("NAME", name) }),
    ...(host === undefined ? {} : { host }),
  };
}
