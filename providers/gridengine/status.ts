/**
 * `qstat -xml` lists all blocks of ours with their full names; it takes no ids. What left it is in `qacct -j`, some
 * seconds later (providers.md §9; seen on Son of Grid Engine 8.1.9).
 */
import { elements, textOfElement } from "../markup.ts";
import { type Answer, type BlockFacts, type BlockState, done, unknownState } from "../outcome.ts";
import type { Listing, Query, Row } from "../profile.ts";
import { textOf } from "../submission.ts";
import { ctimeOf, secondsOf, utcTime } from "../walltime.ts";

export const qstatXml: Query = {
  command: "qstat",
  ids_max: Number.POSITIVE_INFINITY,
  args: () => ["-xml"],
  read: readQstatXml,
};

export function jobNumber(id: string): string {
  return id.match(/^\d+/)?.[0] ?? id;
}

export function readQstatXml(answer: Answer): Listing {
  const { stdout, code } = answer;
  const rows = elements(stdout, "job_list").flatMap(rowOf);
  const opened = stdout.match(/<job_list[\s>]/g)?.length ?? 0;
  // Two lists, of what runs and of what waits, both closed; nothing lost between.
  const closed = /^<\?xml/m.test(stdout) && /<\/queue_info>[\s\S]*<\/job_info>\s*<\/job_info>\s*$/.test(stdout);
  const whole = code === 0 && closed && rows.length === opened;
  return { rows, isAbsent: () => whole, ...(whole ? {} : { why: textOf(answer).slice(0, 500) }) };
}

function rowOf(job: string): Row[] {
  const id = textOfElement(job, "JB_job_number");
  const raw = textOfElement(job, "state");
  if (id === undefined || raw === undefined || !/^\d+$/.test(id)) return [];
  const name = textOfElement(job, "JB_name");
  const owner = textOfElement(job, "JB_owner");
  const state = stateOf(raw);
  const started_ms = utcTime(textOfElement(job, "JAT_start_time") ?? "");
  const node = textOfElement(job, "queue_name")?.split("@")[1];
  const facts: BlockFacts = {
    state,
    raw,
    ...(name === undefined ? {} : { name }),
    ...(owner === undefined ? {} : { owner }),
    ...(state.phase === "held" ? { stuck: true, reason: raw } : {}),
    ...(started_ms === undefined ? {} : { started_ms }),
    // Only the first: the others are in no listing of this form.
    ...(node === undefined || node === "" ? {} : { nodes: [node] }),
  };
  return [{ id, facts, text: job }];
}

/** Letters that add up. An error (E) stays in the queue until somebody deletes it; `t` is on its way to the node. */
export function stateOf(letters: string): BlockState {
  if (!/^[dEhqwrtRsSTPN]+$/.test(letters)) return unknownState;
  if (/E/.test(letters)) return { phase: "held" };
  if (/d/.test(letters)) return { phase: "completing" };
  if (/[sSTh]/.test(letters) && !/^h?r$/.test(letters)) return { phase: "held" };
  if (/[rt]/.test(letters)) return { phase: "running" };
  return /[wq]/.test(letters) ? { phase: "pending" } : unknownState;
}

export const qacct: Query = {
  command: "qacct",
  ids_max: 1,
  args: (refs) => ["-j", ...refs.map(({ id }) => jobNumber(id))],
  read: readQacct,
};

export function readQacct(answer: Answer): Listing {
  const records = answer.stdout.split(/^=+$/m).map(fieldsOf);
  // A block that went back into the queue has a record for each run, the last one last.
  const last = new Map(records.map((fields) => [`${fields.get("jobnumber")} ${fields.get("taskid")}`, fields]));
  return {
    rows: [...last.values()].flatMap(recordRow),
    isAbsent: ({ id }) => new RegExp(`job id ${jobNumber(id)} not found`).test(answer.stderr),
    ...(answer.code === 0 ? {} : { why: textOf(answer) }),
  };
}

/** `key   value` in lines; values are padded with blanks. */
function fieldsOf(record: string): ReadonlyMap<string, string> {
  const lines = [...record.matchAll(/^(\w+) +(\S.*?) *$/gm)];
  return new Map(lines.map((match) => [match[1] ?? "", match[2] ?? ""]));
}

function recordRow(fields: ReadonlyMap<string, string>): Row[] {
  const get = (key: string) => fields.get(key) ?? "";
  const id = get("jobnumber");
  const failed = get("failed").match(/^(\d+)/)?.[1];
  const status = get("exit_status").match(/^(\d+)/)?.[1];
  // The last line of a record: without it, the record is cut.
  if (!/^\d+$/.test(id) || failed === undefined || status === undefined || !fields.has("category")) return [];
  const exit_code = Number(status);
  const [started_ms, ended_ms] = [ctimeOf(get("start_time")), ctimeOf(get("end_time"))];
  const facts: BlockFacts = {
    state: verdictOf(Number(failed), exit_code, get("ru_wallclock"), get("category")),
    raw: `failed ${failed}`,
    name: get("jobname"),
    owner: get("owner"),
    exit_code,
    nodes: [get("hostname")],
    ...(Number(failed) === 0 ? {} : { reason: get("failed") }),
    ...(started_ms === undefined ? {} : { started_ms }),
    ...(ended_ms === undefined ? {} : { ended_ms }),
  };
  return [{ id, facts, text: [...fields].join("\n") }];
}

/**
 * `failed`: 0 the script ended by itself; 100 it was killed, by whom is not said; 37 over its hard limit; 25 it goes
 * back into the queue; 30 its exit code 100 put it into an error state; the rest never began.
 */
function verdictOf(failed: number, exit_code: number, wallclock: string, category: string): BlockState {
  if (failed === 0) return done(exit_code === 0 ? "ok" : "failed");
  if (failed === 25 || failed === 30) return { phase: "held" };
  if (failed === 37) return done("timeout");
  if (failed !== 100) return done("launch_failed");
  const limit_s = secondsOf(category.match(/h_rt=([\d:]+)/)?.[1] ?? "");
  const ran_s = Number.parseFloat(wallclock);
  return done(limit_s !== undefined && ran_s >= limit_s ? "timeout" : "failed");
}
