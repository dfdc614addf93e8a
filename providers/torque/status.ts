/**
 * `qstat -x` of Torque: one XML document for each id that it knows, one after the other; the exit code is that of the
 * first error, whatever was printed. Finished blocks stay for `keep_completed` seconds, perhaps none (providers.md §4).
 */
import { elements, textOfElement } from "../markup.ts";
import { type Answer, type BlockFacts, type BlockState, done, unknownState } from "../outcome.ts";
import { hostsOf, sequenceOf } from "../pbspro/status.ts";
import type { Listing, Query, Row } from "../profile.ts";
import { textOf } from "../submission.ts";

export const qstatXml: Query = {
  command: "qstat",
  ids_max: 100,
  args: (refs) => ["-x", ...refs.map(({ id }) => id)],
  read: readQstatXml,
};

export function readQstatXml(answer: Answer): Listing {
  const rows = elements(answer.stdout, "Job").flatMap(rowOf);
  return {
    rows,
    isAbsent: ({ id }) =>
      new RegExp(`Unknown Job Id(?: Error)? ${sequenceOf(id)}(\\[|\\.|\\s|$)`, "m").test(answer.stderr),
    ...(answer.code === 0 && isWhole(answer.stdout, rows.length) ? {} : { why: textOf(answer) }),
  };
}

/** Without blocks there is no document either. Noise, and a document that is cut, cover nothing. */
function isWhole(stdout: string, rows: number): boolean {
  const opened = stdout.match(/<Job>/g)?.length ?? 0;
  return stdout.trim() === "" || (opened === rows && rows > 0 && /<\/Data>\s*$/.test(stdout));
}

function rowOf(job: string): Row[] {
  const id = textOfElement(job, "Job_Id");
  const letter = textOfElement(job, "job_state");
  if (id === undefined || letter === undefined || !/^\d/.test(id)) return [];
  return [{ id, facts: factsOf(job, letter), text: job }];
}

const states: { readonly [letter: string]: BlockState } = {
  Q: { phase: "pending" },
  W: { phase: "pending" },
  T: { phase: "pending" },
  H: { phase: "held" },
  S: { phase: "held" },
  R: { phase: "running" },
  E: { phase: "completing" },
};

function factsOf(job: string, letter: string): BlockFacts {
  const exit = textOfElement(job, "exit_status");
  const status = exit !== undefined && /^-?\d+$/.test(exit) ? Number(exit) : undefined;
  const state = letter === "C" ? outcomeOf(status) : (states[letter] ?? unknownState);
  const name = textOfElement(job, "Job_Name");
  const owner = textOfElement(job, "Job_Owner")?.split("@")[0];
  const nodes = hostsOf(textOfElement(job, "exec_host") ?? "");
  const started_s = Number(textOfElement(job, "start_time") ?? 0);
  const ended_s = Number(textOfElement(job, "comp_time") ?? 0);
  const comment = textOfElement(job, "comment");
  return {
    state,
    raw: letter,
    ...(name === undefined ? {} : { name }),
    ...(owner === undefined ? {} : { owner }),
    ...(comment === undefined || comment === "" ? {} : { reason: comment }),
    ...(state.phase === "held" ? { stuck: true } : {}),
    ...(state.phase === "done" && status !== undefined ? exitOf(status) : {}),
    ...(nodes.length === 0 ? {} : { nodes }),
    ...(started_s > 0 ? { started_ms: started_s * 1000 } : {}),
    ...(ended_s > 0 && state.phase === "done" ? { ended_ms: ended_s * 1000 } : {}),
  };
}

/** Torque's own codes: -10 over its memory, -11 over its walltime, -12 over its CPU time. */
function outcomeOf(status: number | undefined): BlockState {
  if (status === undefined) return done("cancelled");
  if (status === 0) return done("ok");
  if (status === -11 || status === -12) return done("timeout");
  if (status === -10) return done("oom");
  if (status < 0) return done(status >= -3 ? "launch_failed" : "failed");
  return done(status > 256 ? "cancelled" : "failed");
}

function exitOf(status: number): { exit_code: number; exit_signal?: number } {
  return status > 256 ? { exit_code: 0, exit_signal: status - 256 } : { exit_code: status };
}
