/**
 * `bjobs -o … -json` of LSF 10.1. Blocks that are not there are records with an error; the exit code is 255 as soon as
 * one is missing, so it says nothing (providers.md §5.3). No running LSF was at hand: written after its manual.
 */
import { type Answer, type BlockFacts, unknownState } from "../outcome.ts";
import type { Listing, Query, Row } from "../profile.ts";
import { textOf } from "../submission.ts";
import { isNotFound, jobNumber } from "./long_form.ts";
import { type LsfEnd, lsfState } from "./states.ts";

const columns = "jobid stat job_name user exit_code exit_reason kill_reason pend_reason suspend_reason exec_host";

export const bjobsJson: Query = {
  command: "bjobs",
  ids_max: 100,
  args: (refs) => ["-a", "-o", columns, "-json", ...refs.map(({ id }) => id)],
  read: readJson,
};

type Record = { readonly [column: string]: unknown };

export function readJson(answer: Answer): Listing {
  const records = recordsOf(answer.stdout);
  const missing = new Set(records?.flatMap((record) => notFoundIn(record)));
  const none = /No (unfinished )?job found/.test(answer.stderr);
  return {
    rows: (records ?? []).flatMap(rowOf),
    isAbsent: (ref) => missing.has(jobNumber(ref.id)) || isNotFound(answer, ref),
    ...(records !== undefined || none ? {} : { why: textOf(answer) }),
  };
}

function recordsOf(stdout: string): Record[] | undefined {
  const start = stdout.search(/^\{/m);
  if (start < 0) return undefined;
  try {
    const { JOBS, RECORDS } = JSON.parse(stdout.slice(start)) as { JOBS?: unknown; RECORDS?: unknown };
    // The count guards against an answer that lost some of its records.
    return Array.isArray(RECORDS) && RECORDS.length === Number(JOBS) ? RECORDS : undefined;
  } catch {
    return undefined;
  }
}

function notFoundIn(record: Record): string[] {
  const error = textAt(record, "ERROR").match(/^Job <(\d+)(?:\[\d+\])?> is not found/);
  return error?.[1] === undefined ? [] : [error[1]];
}

function rowOf(record: Record): Row[] {
  const id = textAt(record, "JOBID");
  const word = textAt(record, "STAT");
  if (!/^\d+(\[\d+\])?$/.test(id) || word === "") return [];
  return [{ id, facts: factsOf(record, word), text: JSON.stringify(record) }];
}

function factsOf(record: Record, word: string): BlockFacts {
  const code = textAt(record, "EXIT_CODE");
  const end: LsfEnd = {
    reason: `${textAt(record, "EXIT_REASON")} ${textAt(record, "KILL_REASON")}`,
    ...(word === "DONE" ? { exit_code: 0 } : /^\d+$/.test(code) ? { exit_code: Number(code) } : {}),
  };
  const state = word === "EXIT" && !("EXIT_CODE" in record) ? unknownState : lsfState(word, end);
  const why = [textAt(record, "PEND_REASON"), textAt(record, "SUSPEND_REASON"), end.reason.trim()];
  const reason = why.filter((text) => text !== "" && text !== "-").join("; ");
  const nodes = [...new Set(textAt(record, "EXEC_HOST").split(":"))].map((host) => host.replace(/^\d+\*/, ""));
  return {
    state,
    raw: word,
    name: textAt(record, "JOB_NAME"),
    owner: textAt(record, "USER"),
    ...(reason === "" ? {} : { reason }),
    ...(state.phase === "held" ? { stuck: true } : {}),
    ...(state.phase === "done" && end.exit_code !== undefined ? { exit_code: end.exit_code } : {}),
    ...(nodes[0] === "" || nodes[0] === "-" ? {} : { nodes }),
  };
}

function textAt(record: Record, column: string): string {
  const value = record[column];
  return typeof value === "string" || typeof value === "number" ? String(value) : "";
}
