/** States and exit codes of PBS Pro and OpenPBS → ours (providers.md §3.4; seen on OpenPBS 23.06). */
import { type BlockState, done, unknownState } from "../outcome.ts";

/** What decides how a block ended. */
export interface PbsEnd {
  /** Undefined: it was deleted before it began. */
  readonly exit_status: number | undefined;
  /** 91: deleted. */
  readonly substate: number | undefined;
  readonly used_s: number | undefined;
  readonly limit_s: number | undefined;
  readonly comment: string;
}

const states: { readonly [letter: string]: BlockState } = {
  Q: { phase: "pending" },
  W: { phase: "pending" },
  T: { phase: "pending" },
  B: { phase: "running" },
  R: { phase: "running" },
  E: { phase: "completing" },
  H: { phase: "held" },
  S: { phase: "held" },
  U: { phase: "held" },
};

/** The state behind a letter; `end` counts for blocks that are over. M, moved to another server, stays unknown. */
export function pbsState(letter: string, end: PbsEnd): BlockState {
  if (letter === "F" || letter === "X") return outcomeOf(end);
  return states[letter] ?? unknownState;
}

/** Codes that the server gives, not the script. */
const systemCodes: { readonly [code: number]: BlockState } = {
  [-29]: done("timeout"),
  [-28]: done("timeout"),
  [-27]: done("oom"),
  [-26]: done("oom"),
  [-20]: done("node_fail"),
  [-1]: done("launch_failed"),
  [-2]: done("launch_failed"),
  [-3]: done("launch_failed"),
};

function outcomeOf({ exit_status: code, substate, used_s, limit_s, comment }: PbsEnd): BlockState {
  if (code === undefined) return done("cancelled");
  if (code === 0) return done("ok");
  if (code < 0) return systemCodes[code] ?? done("failed");
  if (code <= 256) return done("failed");
  // 256 and a signal: qdel, or the limit where the server does not say so.
  if (substate === 91 || /terminated by /.test(comment)) return done("cancelled");
  return used_s !== undefined && limit_s !== undefined && used_s >= limit_s ? done("timeout") : done("cancelled");
}
