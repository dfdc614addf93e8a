/**
 * `bjobs -UF` and `bhist -l` of OpenLava: a record of prose per block. The short form does not say how a block ended,
 * and cannot be asked for columns. A state that is over counts only together with the sentence about its end, so a text
 * that is cut never ends a block.
 */
import type { Answer, BlockFacts, BlockRef } from "../outcome.ts";
import type { Listing, Query, Row } from "../profile.ts";
import { textOf } from "../submission.ts";
import { ctimeOf } from "../walltime.ts";
import { type LsfEnd, lsfState } from "./states.ts";

export const bjobsLong: Query = {
  command: "bjobs",
  ids_max: 100,
  args: (refs) => ["-UF", ...refs.map(({ id }) => id)],
  read: readLong,
};

/** Knows blocks that bjobs has forgotten, by reading through its event logs. */
export const bhist: Query = {
  command: "bhist",
  ids_max: 20,
  args: (refs) => ["-n", "0", "-l", ...refs.map(({ id }) => id)],
  read: readLong,
};

/** `12` of `12[3]`. */
export function jobNumber(id: string): string {
  return id.match(/^\d+/)?.[0] ?? id;
}

/** Whether an answer says of this block that there is none. */
export function isNotFound({ stderr, stdout }: Answer, { id }: BlockRef): boolean {
  return new RegExp(`Job <${jobNumber(id)}> is not found|<${jobNumber(id)}>: No matching job`).test(
    `${stderr}\n${stdout}`,
  );
}

export function readLong(answer: Answer): Listing {
  // bhist breaks its lines and goes on below with 21 blanks.
  const text = answer.stdout.replace(/\n {21}(?=\S)/g, "");
  const records = text.split(/^(?=Job(?: Id)? <\d)/m).filter((record) => /^Job(?: Id)? </.test(record));
  return {
    rows: records.flatMap(rowOf),
    isAbsent: (ref) => isNotFound(answer, ref) || /^No matching job found/m.test(answer.stderr),
    ...(answer.code === 0 ? {} : { why: textOf(answer) }),
  };
}

const heading = /^Job(?: Id)? <(\d+(?:\[\d+\])?)>, (?:Job Name <([^>]*)>, )?User <([^>]*)>, (?:.*?Status <(\w+)>, )?/;

function rowOf(record: string): Row[] {
  const match = record.match(heading);
  if (match === null) return [];
  const [, id = "", name, owner = "", status] = match;
  const ended = endOf(record);
  const word = status ?? (ended === undefined ? "" : ended.exit_code === 0 ? "DONE" : "EXIT");
  const facts = factsOf(record, word, ended);
  return [{ id, facts: { ...facts, owner, ...(name === undefined ? {} : { name }) }, text: record }];
}

function factsOf(record: string, word: string, ended: LsfEnd | undefined): BlockFacts {
  const state = lsfState(word, ended);
  const started = record.match(/^(.{19}): (?:\[\d+\] )?[Ss]tarted on (.*?)(?:, Execution|;)/m);
  const nodes = [...new Set([...(started?.[2] ?? "").matchAll(/<(?:\d+\*)?([^>]+)>/g)].map((host) => host[1] ?? ""))];
  const reason = record.match(/^ PENDING REASONS:\n((?: .*\n?)*?)(?=\n| SCHEDULING|$)/m)?.[1]?.trim();
  const over = state.phase === "done";
  return {
    state,
    raw: word,
    ...(reason === undefined || over ? {} : { reason: reason.replace(/\s*\n\s*/g, " ") }),
    ...(state.phase === "held" ? { stuck: true } : {}),
    ...(nodes.length === 0 ? {} : { nodes }),
    ...(over && ended?.exit_code !== undefined ? { exit_code: ended.exit_code } : {}),
    ...(over && ended?.exit_signal !== undefined ? { exit_signal: ended.exit_signal } : {}),
  };
}

/** The last sentence about an end; a block that was started again has several. */
function endOf(record: string): LsfEnd | undefined {
  const sentence =
    /^(.{19}): (Done successfully\.|Exited with exit code (\d+)\.|Exited by signal (\d+)\.|Exited(?= The CPU|\s*$))/gm;
  const last = [...record.matchAll(sentence)].at(-1);
  if (last === undefined) return undefined;
  const [, at = "", what = "", code, signal] = last;
  const after = record.slice(last.index + last[0].length);
  if (/^.{19}: (\[\d+\] )?([Ss]tarted on|Starting|Dispatched)/m.test(after)) return undefined;
  const ran_s = secondsBetween(record.match(/^(.{19}): (?:\[\d+\] )?(?:[Ss]tarted on|Starting)/m)?.[1], at);
  const limit = record.match(/^ RUNLIMIT\s*\n\s*([\d.]+) min/m)?.[1];
  return {
    reason: [...record.matchAll(/TERM_\w+|requested by user or administrator/g)].map(([word]) => word).join(" "),
    ...(what.startsWith("Done") ? { exit_code: 0 } : {}),
    ...(code === undefined ? {} : { exit_code: Number(code) }),
    ...(signal === undefined ? {} : { exit_signal: Number(signal) }),
    ...(ran_s === undefined ? {} : { ran_s }),
    ...(limit === undefined ? {} : { limit_s: Number(limit) * 60 }),
  };
}

/** Times come without a year; a block that lives over New Year's Eve has no known age. */
function secondsBetween(first: string | undefined, last: string): number | undefined {
  const [from, to] = [ctimeOf(`${first} 2000`), ctimeOf(`${last} 2000`)];
  return from === undefined || to === undefined || to < from ? undefined : (to - from) / 1000;
}
