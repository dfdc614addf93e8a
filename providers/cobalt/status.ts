/**
 * `qstat --header …` of Cobalt: a table whose rows are padded to the width of the line of `=` under its heading, so a
 * row of another width is cut. Blocks vanish from it the moment they end; how they ended stands only in a log file of
 * their own (providers.md §6; seen on Cobalt 2021).
 */

import { expandHostlist } from "../hostlist.ts";
import { type Answer, type BlockFacts, type BlockState, done, unknownState } from "../outcome.ts";
import type { Listing, Query, Row } from "../profile.ts";
import { textOf } from "../submission.ts";

const columns = "JobID:JobName:User:State:Location";

export const qstat: Query = {
  command: "qstat",
  ids_max: 100,
  // Always with a heading: configuration and environment change the usual one.
  args: (refs) => ["--header", columns, ...refs.map(({ id }) => id)],
  read: readTable,
};

export function readTable(answer: Answer): Listing {
  const lines = answer.stdout.split("\n").filter((line) => line.trim() !== "");
  // Above it a site may have something to say to everybody.
  const [heading = "", rule = "", ...rest] = lines.slice(lines.findIndex((line) => /^JobID .*State/.test(line)));
  const whole = /^JobID .*State/.test(heading) && /^=+$/.test(rule);
  const rows = whole ? rest.flatMap((line) => rowOf(line, heading, rule.length)) : [];
  const complete = answer.code === 0 && whole && rows.length === rest.length;
  // Not one of the ids is known: no word, and exit code 1.
  const none = answer.code === 1 && answer.stdout === "" && answer.stderr === "";
  const empty = answer.code === 0 && answer.stdout.trim() === "";
  return {
    rows,
    isAbsent: () => (complete && rows.length > 0) || none,
    ...(complete || none || empty ? {} : { why: textOf(answer) }),
  };
}

function rowOf(line: string, heading: string, width: number): Row[] {
  if (line.length !== width) return [];
  const fields = new Map<string, string>();
  for (const { index, 0: name } of heading.matchAll(/\S+/g)) {
    const next = heading.slice(index + name.length).search(/\S/);
    const end = next < 0 ? line.length : index + name.length + next;
    fields.set(name, line.slice(index, end).trim());
  }
  const id = fields.get("JobID") ?? "";
  const raw = fields.get("State") ?? "";
  if (!/^\d+$/.test(id) || raw === "") return [];
  return [{ id, facts: factsOf(raw, fields), text: line }];
}

const states: { readonly [word: string]: BlockState } = {
  queued: { phase: "pending" },
  starting: { phase: "pending" },
  running: { phase: "running" },
  preempting: { phase: "running" },
  exiting: { phase: "completing" },
  killing: { phase: "completing" },
  preempted: { phase: "held" },
  user_hold: { phase: "held" },
  admin_hold: { phase: "held" },
  dep_hold: { phase: "held" },
  dep_fail: { phase: "held" },
  maxrun_hold: { phase: "held" },
};

function factsOf(raw: string, fields: ReadonlyMap<string, string>): BlockFacts {
  const state = states[raw] ?? unknownState;
  const name = fields.get("JobName");
  const owner = fields.get("User");
  const place = fields.get("Location") ?? "None";
  const nodes = place === "None" ? undefined : expandHostlist(place);
  return {
    state,
    raw,
    ...(name === undefined || name === "N/A" ? {} : { name }),
    ...(owner === undefined ? {} : { owner }),
    ...(state.phase === "held" ? { stuck: true, reason: raw } : {}),
    ...(nodes === undefined ? {} : { nodes }),
  };
}

/** The last word of a block's `.cobaltlog`, or undefined while there is none. */
export function readCobaltLog(text: string): BlockFacts | undefined {
  const code = text.match(/task completed normally with an exit code of (-?\d+);/)?.[1];
  const over = /maximum execution time exceeded;/.test(text);
  const deleted = /user delete requested/.test(text);
  if (code === undefined && !over && !deleted) return undefined;
  const exit_code = code === undefined ? undefined : Number(code);
  const outcome = over ? "timeout" : deleted ? "cancelled" : exit_code === 0 ? "ok" : "failed";
  return { state: done(outcome), raw: "log", ...(exit_code === undefined ? {} : { exit_code }) };
}
