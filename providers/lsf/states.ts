/** States of LSF and OpenLava → ours (providers.md §5.4; seen on OpenLava 4.0). */
import { type BlockState, done, unknownState } from "../outcome.ts";

const states: { readonly [word: string]: BlockState } = {
  PEND: { phase: "pending" },
  PROV: { phase: "pending" },
  WAIT: { phase: "pending" },
  PSUSP: { phase: "held" },
  USUSP: { phase: "held" },
  SSUSP: { phase: "held" },
  RUN: { phase: "running" },
  // Killed while its node was out of reach.
  ZOMBI: done("node_fail"),
};

/** What is known of the end of a block. */
export interface LsfEnd {
  readonly exit_code?: number;
  readonly exit_signal?: number;
  /** Words such as TERM_RUNLIMIT, where there are any. */
  readonly reason: string;
  readonly ran_s?: number;
  readonly limit_s?: number;
}

/** The state behind a word. DONE and EXIT need the story of their end; UNKWN, a node out of reach, stays unknown. */
export function lsfState(word: string, end: LsfEnd | undefined): BlockState {
  if (word === "DONE") return end?.exit_code === 0 ? done("ok") : unknownState;
  if (word === "EXIT") return end === undefined ? unknownState : outcomeOf(end);
  return states[word] ?? unknownState;
}

/** 128 and SIGUSR2: what LSF sends first at the run limit. */
const runLimitCode = 140;
/** 128 and SIGINT: what bkill sends first. */
const killedCode = 130;

function outcomeOf({ exit_code, exit_signal, reason, ran_s, limit_s }: LsfEnd): BlockState {
  if (/TERM_RUNLIMIT|TERM_DEADLINE|TERM_CPULIMIT/.test(reason)) return done("timeout");
  if (/TERM_MEMLIMIT|TERM_SWAP/.test(reason)) return done("oom");
  if (/TERM_PREEMPT/.test(reason)) return done("preempted");
  if (/TERM_(FORCE_)?(OWNER|ADMIN)|requested by user or administrator/.test(reason)) return done("cancelled");
  const over = ran_s !== undefined && limit_s !== undefined && limit_s > 0 && ran_s >= limit_s;
  if (exit_code === runLimitCode || over) return done("timeout");
  if (exit_code === undefined && exit_signal === undefined) return done("cancelled");
  return done(exit_code === killedCode ? "cancelled" : "failed");
}
