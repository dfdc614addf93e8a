/** States of Slurm → ours (providers.md §2.4; job_state_string of Slurm). What is not here is unknown. */
import { type BlockState, done, unknownState } from "../outcome.ts";

const pending: BlockState = { phase: "pending" };
const running: BlockState = { phase: "running" };
const completing: BlockState = { phase: "completing" };
const held: BlockState = { phase: "held" };

const states: { readonly [word: string]: BlockState } = {
  PENDING: pending,
  CONFIGURING: pending,
  EXPEDITING: pending,
  POWER_UP_NODE: pending,
  // The same id runs again.
  REQUEUED: pending,
  REQUEUE_FED: pending,
  RUNNING: running,
  RESIZING: running,
  SIGNALING: running,
  COMPLETING: completing,
  STAGE_OUT: completing,
  SUSPENDED: held,
  STOPPED: held,
  REQUEUE_HOLD: held,
  SPECIAL_EXIT: held,
  RESV_DEL_HOLD: held,
  COMPLETED: done("ok"),
  FAILED: done("failed"),
  TIMEOUT: done("timeout"),
  DEADLINE: done("timeout"),
  CANCELLED: done("cancelled"),
  NODE_FAIL: done("node_fail"),
  BOOT_FAIL: done("node_fail"),
  PREEMPTED: done("preempted"),
  OUT_OF_MEMORY: done("oom"),
  LAUNCH_FAILED: done("launch_failed"),
  RECONFIG_FAIL: done("node_fail"),
  // It moved to another cluster of the federation.
  REVOKED: done("ended"),
};

/** Reasons of a pending block that no waiting heals. */
const neverStarts = new RegExp(
  `^(${[
    "BadConstraints|DependencyNeverSatisfied|JobHeldAdmin",
    "Partition(Time|Node)Limit|AccountNotAllowed|QOSNotAllowed|Invalid(Account|QOS)",
    "(Assoc|QOS)Max\\w*PerJob\\w*|(Assoc|QOS)MaxWall\\w*",
  ].join("|")})$`,
);

/** The state in a row; `exit` is sacct's `code:signal`. */
export function slurmState(word: string, reason: string, exit?: { code: number; signal: number }): BlockState {
  // sacct names the canceller: CANCELLED by 1001.
  const state = states[word.replace(/^CANCELLED by \d+$/, "CANCELLED")];
  if (state === undefined) return unknownState;
  if (state === pending && /^JobHeld|held/i.test(reason)) return held;
  if (word !== "FAILED") return state;
  // 0:53: the output file or the directory could not be opened, so there is no output either (seen on 22.05).
  if (exit?.signal === 53) return done("launch_failed");
  return state;
}

/** Whether a pending block waits for what will not happen by itself. */
export function isStuck(state: BlockState, reason: string): boolean {
  return state.phase === "held" || (state.phase === "pending" && neverStarts.test(reason));
}
