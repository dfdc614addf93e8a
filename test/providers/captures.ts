/**
 * Real input and output of schedulers. `test/captures/` holds those that teach something; GC_CAPTURES may name a
 * directory with all that were taken, in the same form: one JSON object per line (case, cmd, rc, stdout, stderr …).
 */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { Answer, BlockState, Findings, OrderOutcome, Sighting, SubmitOutcome } from "../../providers/outcome.ts";
import type { Profile } from "../../providers/profile.ts";

export interface Capture {
  readonly case: string;
  readonly cmd: string;
  readonly user?: string;
  readonly rc: number;
  readonly stdout: string;
  readonly stderr: string;
  readonly script?: string;
  readonly files?: { readonly [name: string]: string };
  /** In `test/captures/`: what it means, in the words of `told`. */
  readonly means?: string;
}

const everything = process.env.GC_CAPTURES;

/** The captures that are kept here. */
export function keptCaptures(scheduler: string): Capture[] {
  return readCaptures(join(import.meta.dir, "../captures", `${scheduler}.jsonl`));
}

/** Samples written after the manual of a scheduler that was not at hand. */
export function samplesOf(scheduler: string): Capture[] {
  return readCaptures(join(import.meta.dir, "samples", `${scheduler}.jsonl`));
}

/** All captures of a scheduler, or why they are not here. */
export function allCaptures(scheduler: string): { captures: Capture[]; skipped?: string } {
  if (everything === undefined) return { captures: [], skipped: "GC_CAPTURES names no directory" };
  const path = join(everything, `${scheduler}.jsonl`);
  return existsSync(path) ? { captures: readCaptures(path) } : { captures: [], skipped: `there is no ${path}` };
}

function readCaptures(path: string): Capture[] {
  const lines = readFileSync(path, "utf8").split("\n");
  return lines.filter((line) => line !== "").map((line) => withText(JSON.parse(line)));
}

/** What is not UTF-8 comes as `{"base64": …}`. */
function withText(capture: { [key: string]: unknown }): Capture {
  const text = (value: unknown) => {
    const base64 = (value as { base64?: string } | null)?.base64;
    return base64 === undefined ? value : Buffer.from(base64, "base64").toString("latin1");
  };
  return Object.fromEntries(Object.entries(capture).map(([key, value]) => [key, text(value)])) as unknown as Capture;
}

/** What the runner of commands would hand over; 124 is the time limit under which the captures were taken. */
export function answerOf({ rc, stdout, stderr }: Capture): Answer {
  return { code: rc === 124 ? undefined : rc, stdout, stderr };
}

export function stateWord(state: BlockState): string {
  return state.phase === "done" ? state.outcome : state.phase;
}

/** A sighting as a few words. */
export function told(sighting: Sighting | undefined): string {
  if (sighting === undefined) return "nothing";
  if (sighting.seen !== "seen") return sighting.seen;
  const { state, reason, exit_code, exit_signal, nodes, stuck } = sighting;
  const exit = exit_code === undefined ? [] : [`exit ${exit_code}${exit_signal ? `:${exit_signal}` : ""}`];
  const where = nodes === undefined ? [] : [nodes.join(",")];
  const why = reason === undefined ? [] : [`(${reason})`];
  return [stateWord(state), ...(stuck === true ? ["stuck"] : []), ...exit, ...where, ...why].join(" ");
}

/** The outcome of a submission as a few words. */
export function toldSubmit(outcome: SubmitOutcome): string {
  switch (outcome.is) {
    case "accepted":
      return ["accepted", outcome.id, ...(outcome.cluster === undefined ? [] : [`at ${outcome.cluster}`])].join(" ");
    case "rejected":
      return `rejected ${outcome.class}`;
    case "ambiguous":
      return "ambiguous";
  }
}

export function toldOrder(outcomes: ReadonlyMap<string, OrderOutcome>): string {
  return [...outcomes].map(([id, { is }]) => `${id} ${is}`).join(", ");
}

export function toldFindings({ covered, blocks }: Findings): string {
  const found = blocks.map(({ id, name, state }) => `${id} ${name} ${stateWord(state)}`);
  return [covered ? "covered" : "not covered", ...found].join(", ");
}

/** What `describeAllocation` makes of a dump of `env` (or `NAME=value` lines among others) and some files. */
export function toldAllocation(profile: Profile, dump: string, texts: { readonly [path: string]: string }): string {
  const env = Object.fromEntries([...dump.matchAll(/^(\w+)=(.*)$/gm)].map(([, name, value]) => [name, value]));
  const found = profile.inside.describe({ env, hostname: "here", text: (path) => texts[path] });
  return JSON.stringify(found) ?? "nothing";
}
