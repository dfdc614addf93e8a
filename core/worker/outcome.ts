/**
 * How a task ended, in the words and numbers that its user sees: its own code; 128+N for signal N; 124 for the
 * walltime; 125 when gc itself could not; 126 cannot execute; 127 not found (ecosystem.md §1.5). The first cause
 * wins: a task that was ended for its walltime is never `signal`, even if it then exits with 0.
 */
import { constants } from "node:os";
import { messageOf, systemCode } from "../errors.ts";
import type { Outcome, Output, Result } from "../schema/result.ts";
import type { TaskSpec } from "../schema/task.ts";
import type { Ending, Exit, HeldAttempt } from "./attempt.ts";
import type { Harvest } from "./decision.ts";
import { describeFailedRank } from "./failed_rank.ts";
import { callOutcome } from "./python_outcome.ts";

/** The outcome of a task that ran, and of which nothing is left. */
export function outcomeOf(held: HeldAttempt, exit: Exit, harvest: Harvest): Outcome {
  const { ending, spec } = held;
  const outcome = ending === undefined ? endedAlone(held.exit ?? exit, harvest, spec) : endedByUs(ending, spec);
  const { trouble } = harvest;
  if (trouble === undefined) return outcome;
  return { ...outcome, reason: outcome.reason === undefined ? trouble : `${outcome.reason}; ${trouble}` };
}

function endedAlone(exit: Exit, { call, out_of_memory, failed_rank, lost_node }: Harvest, { argv }: TaskSpec): Outcome {
  const outcome = endedByItself(exit, out_of_memory === true);
  if (call !== undefined) return callOutcome(call, exit, outcome);
  if (lost_node !== undefined && outcome.class !== "ok") {
    return { class: "lost", cause: "lost", exit_code: 125, reason: `Its node ${lost_node} died` };
  }
  if (failed_rank === undefined || outcome.class === "ok") return outcome;
  const reason = describeFailedRank(failed_rank, signalName);
  // What the launcher exits with is often that of a rank which was ended because of the first. A script has its own.
  return { ...outcome, reason, ...(argv === undefined ? {} : { exit_code: Math.min(failed_rank.code, 255) }) };
}

function endedByItself(exit: Exit, out_of_memory: boolean): Outcome {
  if (exit.signal !== null) return endedBySignal(exit.signal, out_of_memory);
  const code = exit.code ?? 125;
  return { class: code === 0 ? "ok" : "fail", cause: "exit", exit_code: code };
}

/** The outcome of a task that gc ended, or that never started because gc was told so. */
export function endedByUs(ending: Ending, asked: Pick<TaskSpec, "walltime_s" | "resources"> = {}): Outcome {
  switch (ending.cause) {
    case "walltime":
      return {
        class: "fail",
        cause: "walltime",
        exit_code: 124,
        reason: `It ran longer than its walltime of ${asked.walltime_s ?? 0} s and was ended`,
      };
    case "memory": {
      const limit = asked.resources?.memory_mib ?? 0;
      const used = `It used ${ending.used_mib ?? 0} MiB of memory, more than the ${limit} MiB`;
      const reason = `${used} that it asked for, and was ended; ask for more (memory_mib)`;
      return { class: "fail", cause: "memory", exit_code: 137, signal: "SIGKILL", reason };
    }
    case "cancel":
      return { class: "cancelled", cause: "cancel", exit_code: 128 + signalNumber(ending.signal), reason: "Cancelled" };
    case "interrupt":
      return { class: "lost", cause: "lost", exit_code: 125, reason: "Its worker was told to stop" };
  }
}

/** Number of a signal on this machine, by name; those without a name (real-time signals) come as their number. */
export function signalNumber(name: string): number {
  return (constants.signals as { [name: string]: number })[name] ?? (Number(name) || 0);
}

function signalName(number: number): string {
  return Object.entries(constants.signals).find(([, value]) => value === number)?.[0] ?? "";
}

function endedBySignal(signal: string, out_of_memory: boolean): Outcome {
  const exit_code = Math.min(128 + signalNumber(signal), 255);
  if (signal === "SIGKILL" && out_of_memory) {
    const reason = "The machine ran out of memory and the kernel killed it; ask for more memory (memory_mib)";
    return { class: "fail", cause: "memory", exit_code, signal, reason };
  }
  return { class: "fail", cause: "signal", exit_code, signal };
}

/** Where a start failed, beyond what the error says. */
export interface StartTrouble {
  error: unknown;
  command: string;
  /** The directory to run in is not one, or not there, or closed to us; as the end of a sentence. */
  cwd_trouble: string | undefined;
}

/** The outcome of a task whose process could not be made. Never an error of the user's program. */
export function couldNotStart(trouble: StartTrouble): Outcome {
  const { command, cwd_trouble } = trouble;
  const code = systemCode(trouble.error);
  const spawn = (exit_code: number, reason: string): Outcome => ({ class: "fail", cause: "spawn", exit_code, reason });
  if (cwd_trouble !== undefined) return spawn(125, cwd_trouble);
  switch (code) {
    case "ENOENT":
      if (!command.includes("/")) return spawn(127, `The command "${command}" was not found in PATH`);
      return spawn(127, `The file "${command}" does not exist, or the interpreter in its first line does not`);
    case "EACCES":
    case "EPERM":
      return spawn(126, `The file "${command}" may not be executed`);
    case "ENOEXEC":
      return spawn(126, `The file "${command}" is not a program for this machine`);
    case "E2BIG":
      return spawn(126, "The command line and the environment together are too long for this machine");
    case "EAGAIN":
    case "ENOMEM":
    case "EMFILE":
    case "ENFILE":
      return spawn(125, `This machine has no room for another process now (${code})`);
    case "ENOSPC":
    case "EDQUOT":
    case "EFBIG":
    case "EROFS":
      return notStored(trouble.error);
    default:
      return spawn(126, `The command "${command}" could not be started: ${messageOf(trouble.error)}`);
  }
}

/** The outcome of a task that could not even get its files: no room, no permission, too many open files. */
export function notStored(error: unknown): Outcome {
  return { class: "fail", cause: "storage", exit_code: 125, reason: `It could not be set up: ${messageOf(error)}` };
}

const nothing: Output = Object.freeze({ total: 0, kept: 0 });

/** The result of `attempt`: its outcome, and what there was to harvest if it ran. */
export function resultOf(
  attempt: Pick<HeldAttempt, "attempt" | "started_ms">,
  outcome: Outcome,
  harvest: Harvest | undefined,
  ended_ms: number,
  host: string,
): Result {
  const result: Result = {
    outcome,
    stdout: harvest?.stdout ?? nothing,
    stderr: harvest?.stderr ?? nothing,
    attempt: attempt.attempt,
    started_ms: attempt.started_ms,
    ended_ms,
    host,
  };
  if (harvest?.cpu_ms !== undefined) result.cpu_ms = harvest.cpu_ms;
  if (harvest?.rss_max_kib !== undefined) result.rss_max_kib = harvest.rss_max_kib;
  const reply = harvest?.call?.reply;
  if (outcome.class === "ok" && reply?.value !== undefined) result.value = reply.value;
  if (outcome.cause === "exception" && reply?.exception !== undefined) result.exception = reply.exception;
  return result;
}
