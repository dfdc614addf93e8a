/**
 * `squeue` and `sacct`: what to ask and how to read it. `--me` makes the controller send one user's blocks instead of
 * the whole table, which is what it does for two or more `-j` (providers.md §2.3). The id stands at both ends of a row,
 * so a row cut short, or glued from two, does not count.
 */
import { delimitedRows, type Fields, mentions } from "../delimited.ts";
import { expandHostlist } from "../hostlist.ts";
import type { Answer, BlockFacts, BlockRef } from "../outcome.ts";
import type { Listing, Query, Row } from "../profile.ts";
import { textOf } from "../submission.ts";
import { utcTime } from "../walltime.ts";
import { isStuck, slurmState } from "./states.ts";

/** Columns of squeue by their letter, and the name by which sacct calls the same. */
const squeueColumns = { i: "id", T: "state", r: "reason", S: "start", e: "end", N: "nodes", j: "name" } as const;
const asked = ["i", "T", "r", "S", "e", "N", "j", "i"] as const;

/** What squeue is asked for, and how to read it. */
export const squeueFormat = asked.map((letter) => `%${letter}`).join("|");

export const squeue: Query = {
  command: "squeue",
  ids_max: Number.POSITIVE_INFINITY,
  args: () => ["--me", "-h", "-a", "-t", "all", "-o", squeueFormat],
  read: (answer) => readSqueue(answer, squeueFormat),
};

/** The rows of `squeue -h -o FORMAT`. */
export function readSqueue(answer: Answer, format: string): Listing {
  const columns = format.split("|").map((part) => squeueColumns[part.slice(1) as "i"] ?? part);
  const { rows, odd } = delimitedRows(answer.stdout, columns);
  return listingOf(answer, rows, odd);
}

/** A row without an id could be any block's, so then nothing is absent; nor is what an unreadable line mentions. */
function listingOf(answer: Answer, rows: readonly Line[], odd: readonly string[]): Listing {
  const read = rows.flatMap(rowOf);
  const whole = answer.code === 0 && read.length === rows.length;
  return {
    rows: read,
    isAbsent: (ref) => whole && !odd.some((line) => mentions(line, numberOf(ref))),
    ...(answer.code === 0 ? {} : { why: textOf(answer) }),
  };
}

/**
 * With one unknown id, squeue says so and exits with 1; with several it leaves the unknown ones out. For `squeue -j`.
 */
export function readSqueueOfIds(answer: Answer, format: string, refs: readonly BlockRef[]): Listing {
  const listing = readSqueue(answer, format);
  const unknown = refs.length === 1 && answer.code === 1 && /Invalid job id specified/.test(answer.stderr);
  return unknown ? { ...listing, isAbsent: () => true } : listing;
}

const sacctColumns = ["JobIDRaw", "State", "ExitCode", "Reason", "Start", "End", "NodeList", "JobName", "JobID"];

/** Accounting: knows blocks long after the controller forgot them, but lags a minute behind (providers.md §2.5). */
export const sacct: Query = {
  command: "sacct",
  // Parsl's batches, after sacct timed out with hundreds of ids.
  ids_max: 50,
  args: (refs) => ["-X", "-n", "-P", "-j", refs.map(numberOf).join(","), "-o", sacctColumns.join(",")],
  read: (answer) => readSacct(answer, sacctColumns),
};

const sacctNames: { readonly [column: string]: string } = {
  JobID: "id",
  JobIDRaw: "id",
  State: "state",
  Reason: "reason",
  Start: "start",
  End: "end",
  NodeList: "nodes",
  JobName: "name",
  ExitCode: "exit",
};

/** The rows of `sacct -n -P -o COLUMNS`, without those of steps. */
export function readSacct(answer: Answer, columns: readonly string[]): Listing {
  const { rows, odd } = delimitedRows(
    answer.stdout,
    columns.map((column) => sacctNames[column] ?? column),
  );
  const blocks = rows.filter(({ fields }) => !(fields.get("id") ?? "").includes("."));
  return listingOf(answer, blocks, odd);
}

/** `12` of `12`, `12_[3-4]` and `12+1`. */
export function numberOf({ id }: { readonly id: string }): string {
  return id.match(/^\d+/)?.[0] ?? id;
}

interface Line {
  readonly fields: Fields;
  readonly text: string;
}

function rowOf({ fields, text }: Line): Row[] {
  const id = fields.get("id") ?? "";
  if (!/^\d+([_+].*)?$/.test(id)) return [];
  return [{ id, facts: factsOf(fields), text }];
}

function factsOf(fields: Fields): BlockFacts {
  const get = (column: string) => fields.get(column) ?? "";
  const exit = exitOf(get("exit"));
  const reason = get("reason");
  const state = slurmState(get("state"), reason, exit);
  const started_ms = utcTime(get("start"));
  const ended_ms = utcTime(get("end"));
  const nodes = expandHostlist(get("nodes")) ?? [];
  const waits = state.phase === "pending" || state.phase === "held";
  return {
    state,
    raw: get("state"),
    ...(fields.has("name") ? { name: get("name") } : {}),
    ...(reason === "" || reason === "None" ? {} : { reason }),
    ...(isStuck(state, reason) ? { stuck: true } : {}),
    ...(exit === undefined || state.phase !== "done" ? {} : { exit_code: exit.code, exit_signal: exit.signal }),
    ...(nodes.length === 0 ? {} : { nodes }),
    ...(started_ms === undefined ? {} : waits ? { start_estimate_ms: started_ms } : { started_ms }),
    ...(ended_ms === undefined || state.phase !== "done" ? {} : { ended_ms }),
  };
}

function exitOf(text: string): { code: number; signal: number } | undefined {
  const match = text.match(/^(\d+):(\d+)$/);
  return match === null ? undefined : { code: Number(match[1]), signal: Number(match[2]) };
}
