/** One task that runs, as the worker knows it from its start until nothing of it is left. */
import type { TaskSpec } from "../schema/task.ts";
import type { AttemptKey, Exit } from "./attempt.ts";
import type { Berth } from "./berth.ts";
import type { Nodes } from "./decision.ts";
import type { TaskInput } from "./input.ts";
import type { Program } from "./program.ts";
import type { Tty } from "./pty.ts";
import type { RunningCall } from "./python_tasks.ts";
import type { Seat } from "./seats.ts";

export interface RunningTask {
  readonly key: AttemptKey;
  readonly tid: string;
  readonly attempt: number;
  readonly spec: TaskSpec;
  readonly seat: Seat | undefined;
  readonly berth: Berth;
  pid: number;
  process: Bun.Subprocess | undefined;
  exit: Exit | undefined;
  /** The main process ended and others have not: the state knows. */
  clearing: boolean;
  tty: Tty | undefined;
  input: TaskInput | undefined;
  trouble: string | undefined;
  /** Somebody follows, or followed, its output. */
  followed: boolean;
  /** Memory it asked for; 0 when it did not. */
  readonly limit_mib: number;
  /** Where the container that runs it beside us has its id. */
  cidfile: string | undefined;
  /** That container may live on after its client. */
  cid_doubtful: boolean;
  /** It is a call of a Python function. */
  call: RunningCall | undefined;
  /** Host names of what it was given, where it runs on several nodes. */
  readonly nodes: Nodes;
  /** It is a program of several ranks. */
  program: Program | undefined;
  /** Its launcher was told to end, or was ended, so its ranks may go on without it. */
  ranks_doubtful: boolean;
}

/** A task that is about to start. */
export function newRunningTask(
  start: Pick<RunningTask, "key" | "tid" | "attempt" | "spec" | "seat" | "berth" | "nodes">,
): RunningTask {
  return {
    ...start,
    pid: 0,
    process: undefined,
    exit: undefined,
    clearing: false,
    tty: undefined,
    input: undefined,
    trouble: undefined,
    followed: start.spec.attach === true,
    limit_mib: start.spec.resources?.memory_mib ?? 0,
    cidfile: undefined,
    cid_doubtful: false,
    call: undefined,
    program: undefined,
    ranks_doubtful: false,
  };
}
