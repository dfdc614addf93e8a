/**
 * `qstat -E -f -F json`: with `-E` the server answers for all ids in one request, says nothing about those it does not
 * know, and refuses only when it knows none (providers.md §3.3). Finished blocks are asked for with `-x`, in a second
 * question: with history switched off, `-x` is refused for all blocks, with exit code 0 (seen on 23.06).
 */
import type { Answer, BlockFacts, BlockRef } from "../outcome.ts";
import type { Listing, Query, Row } from "../profile.ts";
import { textOf } from "../submission.ts";
import { ctimeOf, secondsOf } from "../walltime.ts";
import { hasOneJobsKey, type JsonObject, numberAt, objectAt, pbsJson, textAt } from "./json.ts";
import { pbsState } from "./states.ts";

const ids = (refs: readonly BlockRef[]) => refs.map(({ id }) => id);

export const qstat: Query = {
  command: "qstat",
  ids_max: 100,
  args: (refs) => ["-E", "-f", "-F", "json", ...ids(refs)],
  read: readQstat,
};

export const qstatHistory: Query = { ...qstat, args: (refs) => ["-E", "-x", "-f", "-F", "json", ...ids(refs)] };

/** `12` of `12.server` and `12[3].server`: servers print other suffixes than those they gave. */
export function sequenceOf(id: string): string {
  return id.match(/^\d+/)?.[0] ?? id;
}

export function readQstat(answer: Answer): Listing {
  const jobs = objectAt(pbsJson(answer.stdout), "Jobs");
  const rows = Object.entries(jobs ?? {}).flatMap(([id, job]) => rowOf(id, job));
  const complete = answer.code === 0 && rows.length > 0 && hasOneJobsKey(answer.stdout);
  return {
    rows,
    isAbsent: (ref) => complete || knowsNone(answer) || isNamedGone(answer.stderr, ref),
    ...(complete ? {} : { why: textOf(answer).slice(0, 500) }),
  };
}

/** 153 and 35 with `-E`: not one of the ids is known, or all that are have finished. Only the last one is named. */
function knowsNone({ code, stderr }: Answer): boolean {
  return (code === 153 || code === 35) && /Unknown Job Id|Job has finished/.test(stderr);
}

function isNamedGone(stderr: string, ref: BlockRef): boolean {
  const number = sequenceOf(ref.id);
  return new RegExp(`Unknown Job Id ${number}(\\[|\\.|\\s|$)|qstat: ${number}\\S* Job has finished`, "m").test(stderr);
}

function rowOf(id: string, job: unknown): Row[] {
  const fields = typeof job === "object" && job !== null ? (job as JsonObject) : undefined;
  const letter = textAt(fields, "job_state");
  if (fields === undefined || letter === "" || !/^\d+(\[.*\])?\./.test(id)) return [];
  return [{ id, facts: factsOf(letter, fields), text: JSON.stringify(fields) }];
}

function factsOf(letter: string, job: JsonObject): BlockFacts {
  const exit_status = numberAt(job, "Exit_status");
  const comment = textAt(job, "comment");
  const state = pbsState(letter, {
    exit_status,
    substate: numberAt(job, "substate"),
    used_s: secondsOf(textAt(objectAt(job, "resources_used"), "walltime")),
    limit_s: secondsOf(textAt(objectAt(job, "Resource_List"), "walltime")),
    comment,
  });
  const nodes = hostsOf(textAt(job, "exec_host"));
  const started_ms = ctimeOf(textAt(job, "stime"));
  const ended_ms = ctimeOf(textAt(job, "obittime"));
  const start_estimate_ms = ctimeOf(textAt(objectAt(job, "estimated"), "start_time"));
  const runs = numberAt(job, "run_count");
  const waits = state.phase === "pending" || state.phase === "held";
  const over = state.phase === "done";
  return {
    state,
    raw: letter,
    name: textAt(job, "Job_Name"),
    ...(comment === "" || state.phase === "running" ? {} : { reason: comment }),
    ...(state.phase === "held" || /^Can Never Run/.test(comment) ? { stuck: true } : {}),
    ...(over && exit_status !== undefined ? exitOf(exit_status) : {}),
    ...(nodes.length === 0 || waits ? {} : { nodes }),
    ...(waits && start_estimate_ms !== undefined ? { start_estimate_ms } : {}),
    ...(started_ms === undefined || waits ? {} : { started_ms }),
    ...(ended_ms === undefined || !over ? {} : { ended_ms }),
    ...(runs === undefined || runs < 2 ? {} : { restarts: runs - 1 }),
  };
}

/** 256 and more is a signal. */
function exitOf(status: number): { exit_code: number; exit_signal?: number } {
  return status > 256 ? { exit_code: 0, exit_signal: status - 256 } : { exit_code: status };
}

/** `n02/2+n03/0*4` → the names, each once. */
export function hostsOf(exec_host: string): string[] {
  const names = exec_host.split("+").map((part) => part.split("/")[0] ?? "");
  return [...new Set(names.filter((name) => /^[A-Za-z0-9_.-]+$/.test(name)))];
}

/**
 * `qstat -w`: one cheap line per block, of all people. Our names have 14 letters and its column 15, so they are whole;
 * ids may be cut and then end in `*`.
 */
export function readQstatWide(answer: Answer): Listing {
  const rows = answer.stdout.split("\n").flatMap((line): Row[] => {
    const match = line.match(/^(\d+(?:\[\d*\])?)(\.\S*)?\s+(\S+)\s+(\S+)\s+\S+\s+([A-Z])\s+\S+\s*$/);
    if (match === null) return [];
    const [, number = "", server = "", name = "", owner = "", letter = ""] = match;
    const state = letter === "F" || letter === "X" ? undefined : pbsState(letter, nothing);
    if (state === undefined) return [];
    return [
      { id: server.endsWith("*") ? number : number + server, facts: { state, raw: letter, name, owner }, text: line },
    ];
  });
  const covered = answer.code === 0 && isWholeTable(answer.stdout);
  return { rows, isAbsent: () => false, ...(covered ? {} : { why: textOf(answer) }) };
}

/** Without blocks there is no heading either; noise has none, and the last line of a cut table no end. */
function isWholeTable(stdout: string): boolean {
  return stdout.trim() === "" || (/^Job id\s+Name\s+User\s/m.test(stdout) && stdout.endsWith("\n"));
}

const nothing = { exit_status: undefined, substate: undefined, used_s: undefined, limit_s: undefined, comment: "" };
