/** `gc ps`: my tasks, newest first: what waits here, what the relay knows, and what their endpoints say of them. */
import type { Command } from "commander";
import { readKnown } from "../core/config/known.ts";
import type { TaskStanding } from "../core/schema/live_message.ts";
import type { EnvelopeRow } from "../core/schema/relay_message.ts";
import type { Kept } from "../core/submit/outbox.ts";
import type { EnvelopeId } from "../core/task/id.ts";
import { wholeNumber } from "./amount.ts";
import type { Cli } from "./cli.ts";
import { addExamples } from "./examples.ts";
import type { Column } from "./printer.ts";
import { standings } from "./standings.ts";
import { groupOf } from "./task_batch.ts";
import { TaskDesk } from "./task_desk.ts";
import { pages } from "./task_targets.ts";

interface PsOptions {
  all?: boolean;
  group?: string;
  limit: number;
}

/** One task envelope as it is listed. */
interface Line {
  id: string;
  state: string;
  /** Tasks in it, and how many of them have ended. */
  count: number;
  done: number;
  classes: { [name: string]: number };
  endpoint_id: string;
  endpoint: string;
  group: string;
  group_name?: string;
  title: string;
  created_ms: number;
  host?: string;
  reason?: string;
}

/** Without --all: what has ended longer ago than this is left out. */
const recent_ms = 24 * 3600 * 1000;
const relayWait_ms = 3000;

export function describe(parent: Command, cli: Cli): void {
  const command = parent
    .command("ps")
    .description("List my tasks, newest first. Tasks that were submitted together are one line.")
    .option("-a, --all", "also those that ended more than a day ago")
    .option("--group <name>", "only this group")
    .option("-n, --limit <count>", "at most so many lines", wholeNumber(1), 50)
    .action(async (options: PsOptions) => {
      cli.exit_code = await list(cli, options);
    });
  addExamples(command, [
    ["gc ps", "what runs, and what ended today"],
    ["gc ps --all --limit 1000", "everything that is still known"],
    ["gc ps --json", "for programs"],
  ]);
}

async function list(cli: Cli, options: PsOptions): Promise<number> {
  const desk = new TaskDesk(cli, true);
  try {
    desk.client.adoptWaiting();
    const group = options.group === undefined ? undefined : groupOf(desk.client.identity.id, options.group);
    const kept = desk.outbox.list(options.limit, group);
    let rows: EnvelopeRow[] = [];
    let away: string | undefined;
    try {
      await desk.connected(relayWait_ms);
      rows = await pages(desk, group === undefined ? {} : { group }, options.limit);
    } catch (error) {
      away = error instanceof Error ? error.message : String(error);
    }
    const lines = merge(cli, kept, rows, away !== undefined);
    if (away === undefined) await askEndpoints(desk, lines, kept);
    const now_ms = cli.host.clock.now();
    const shown = lines.filter((line) => options.all === true || isRecent(line, now_ms)).slice(0, options.limit);
    cli.printer.document("gc/tasks/v1", { tasks: shown, relay_reached: away === undefined }, () =>
      table(cli, shown, now_ms),
    );
    if (shown.length === 0)
      cli.printer.note(options.all === true ? "no tasks" : "no tasks in the last day; older ones: gc ps --all");
    if (away !== undefined) cli.printer.warn(`${away}; this is what is known here`);
    return 0;
  } finally {
    desk.close();
  }
}

/** What is kept here and what the relay says, as one list, newest first. */
function merge(cli: Cli, kept: readonly Kept[], rows: readonly EnvelopeRow[], away: boolean): Line[] {
  const names = new Map(readKnown(cli.home).map((each) => [each.record.id, each.name]));
  const lines = new Map<string, Line>();
  for (const row of rows) {
    const { id, count, done, classes, endpoint: endpoint_id, group, created_ms } = row;
    const endpoint = names.get(endpoint_id) ?? endpoint_id.slice(0, 8);
    lines.set(id, {
      id,
      state: stateOf(row),
      count,
      done,
      classes,
      endpoint_id,
      endpoint,
      group,
      title: "",
      created_ms,
    });
  }
  for (const { head, where, refused } of kept) {
    const known = lines.get(head.id);
    const line: Line = {
      id: head.id,
      state:
        refused !== undefined ? "refused" : where === "outbox" ? (away ? "outbox" : "sending") : away ? "sent" : "gone",
      count: head.count,
      done: 0,
      classes: {},
      endpoint_id: head.endpoint.id,
      endpoint: head.endpoint_name ?? names.get(head.endpoint.id) ?? head.endpoint.id.slice(0, 8),
      group: head.group,
      created_ms: head.created_ms,
      ...known,
      title: head.title,
      ...(head.group_name === undefined ? {} : { group_name: head.group_name }),
      ...(refused === undefined ? {} : { reason: refused.message }),
    };
    if (head.endpoint_name !== undefined) line.endpoint = head.endpoint_name;
    lines.set(head.id, line);
  }
  return [...lines.values()].sort((a, b) => b.created_ms - a.created_ms);
}

function stateOf(row: EnvelopeRow): string {
  if (row.state === "expired") return "expired";
  if (row.done >= row.count) {
    const ended = Object.keys(row.classes);
    return ended.length === 1 ? (ended[0] ?? "ended") : "ended";
  }
  return row.state === "queued" ? "queued" : "held";
}

/** Single tasks that an endpoint holds: it knows whether they run. */
async function askEndpoints(desk: TaskDesk, lines: readonly Line[], kept: readonly Kept[]): Promise<void> {
  const heads = new Map(kept.map(({ head }) => [head.id, head.endpoint]));
  const asked = lines.filter((line) => line.state === "held" && line.count === 1);
  const known = await standings(
    desk,
    asked.flatMap((line) => {
      const record = heads.get(line.id);
      return record === undefined ? [] : [{ record, tid: line.id as EnvelopeId as string }];
    }),
  );
  for (const line of asked) {
    const standing: TaskStanding | undefined = known.get(line.id);
    if (standing === undefined) continue;
    line.state = standing.phase;
    line.reason = standing.reason;
    if (standing.host !== undefined) line.host = standing.host;
  }
}

function isRecent(line: Line, now_ms: number): boolean {
  return line.done < line.count || now_ms - line.created_ms < recent_ms;
}

function table(cli: Cli, lines: readonly Line[], now_ms: number): string {
  if (lines.length === 0) return "";
  const { paint } = cli.printer;
  const color = (text: string, { state }: Line): string => {
    if (state === "ok") return paint.green(text);
    return ["fail", "lost", "poisoned", "rejected", "refused", "expired"].includes(state) ? paint.red(text) : text;
  };
  const columns: Column<Line>[] = [
    { heading: "ID", cell: (line) => line.id.slice(0, shortest(lines)) },
    { heading: "STATE", cell: (line) => line.state, paint: color },
    { heading: "TASKS", cell: (line) => (line.count === 1 ? "" : `${line.done}/${line.count}`), align: "right" },
    { heading: "ENDPOINT", cell: (line) => line.endpoint },
    { heading: "AGE", cell: (line) => age(now_ms - line.created_ms), align: "right" },
    { heading: "GROUP", cell: (line) => line.group_name ?? "" },
    { heading: "COMMAND", cell: (line) => line.title },
  ];
  const used = columns.filter((column) => column.heading === "ID" || lines.some((line) => column.cell(line) !== ""));
  return cli.printer.table(lines, used);
}

/** Digits after which all ids differ, 8 at least. */
function shortest(lines: readonly Line[]): number {
  for (const digits of [8, 13, 18])
    if (new Set(lines.map((line) => line.id.slice(0, digits))).size === lines.length) return digits;
  return 36;
}

/** `12s`, `5m`, `3h`, `2d`. */
export function age(passed_ms: number): string {
  const seconds = Math.max(0, Math.floor(passed_ms / 1000));
  if (seconds < 60) return `${seconds}s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)}m`;
  return seconds < 86400 ? `${Math.floor(seconds / 3600)}h` : `${Math.floor(seconds / 86400)}d`;
}
