/** What a worker hears, keeps and does: the events, records and effects of `state.ts`. */
import type { Outcome, Output } from "../schema/result.ts";
import type { Resources, TaskSpec } from "../schema/task.ts";
import type { FromWorker, ToWorker } from "../schema/worker_message.ts";
import type { AttemptKey, Exit, FinishedAttempt } from "./attempt.ts";
import type { FailedRank } from "./failed_rank.ts";
import type { ChunkOrder } from "./followers.ts";
import type { CallEnd } from "./python_outcome.ts";
import type { Seat } from "./seats.ts";
import type { Sharing } from "./slots.ts";

/** What a worker knows about itself from the start. */
export interface WorkerFacts {
  host: string;
  pid: number;
  slots: number;
  prefetch: number;
  resources: Resources;
  sharing?: Sharing;
}

/** Host names of what a task on several nodes was given, the lead first. */
export type Nodes = readonly string[] | undefined;

/** Both clocks at the time of an event, in milliseconds. */
export interface Now {
  wall_ms: number;
  mono_ms: number;
}

/** What a task used and wrote, known once nothing of it is left. */
export interface Harvest {
  stdout: Output;
  stderr: Output;
  cpu_ms?: number;
  rss_max_kib?: number;
  out_of_memory?: boolean;
  /** For a call of a Python function. */
  call?: CallEnd;
  /** Of a program of several ranks: the one that failed first. */
  failed_rank?: FailedRank;
  /** The same: a node of its piece that died. */
  lost_node?: string;
  /** Some of the output could not be written or read; as a sentence. */
  trouble?: string;
}

export type WorkerEvent =
  /** The link to the endpoint is up, or down. */
  | { t: "up" }
  | { t: "down" }
  | { t: "messages"; messages: readonly ToWorker[]; now: Now }
  /** The process of a task runs. */
  | { t: "started"; key: AttemptKey; now: Now }
  /** It could not be made. */
  | { t: "not_started"; key: AttemptKey; outcome: Outcome; now: Now }
  /** The start has to wait, because its marker cannot be stored. */
  | { t: "start_held"; key: AttemptKey }
  /** The main process has ended, but it left some behind: they are dealt with first. */
  | { t: "exited"; key: AttemptKey; exit: Exit; now: Now }
  /** All is over. */
  | { t: "ended"; key: AttemptKey; exit: Exit; harvest: Harvest; now: Now }
  | { t: "grown"; key: AttemptKey; stdout: number; stderr: number }
  | { t: "input_taken"; key: AttemptKey; offset: number; closed: boolean }
  /** It uses more memory than it asked for. */
  | { t: "over_memory"; key: AttemptKey; used_mib: number; now: Now }
  /** The time that a `wake` named has come. */
  | { t: "tick"; now: Now }
  /** The time that a `gather` named has come. */
  | { t: "flush" }
  /** Results could not be stored: they stay in memory, and no task is started until they are. */
  | { t: "unsafe"; finished: readonly FinishedAttempt[] }
  /** What could not be stored is stored now. */
  | { t: "storage_works" }
  /** The operating system asks us to leave (SIGTERM), or the endpoint's directory is gone: nobody will acknowledge. */
  | { t: "leave"; now: Now; how: "drain" | "now" };

export type WorkerRecord =
  /** Written before the start, so that whoever buries this worker knows; `sync`: on stable storage before it. */
  | { t: "started"; tid: string; attempt: number; sync: boolean }
  /** On stable storage before it is reported. */
  | { t: "finished"; finished: readonly FinishedAttempt[] };

export type WorkerEffect =
  | { t: "send"; messages: FromWorker[] }
  /**
   * Like `send`, but the finished ones only once they are stored; or `unsafe`. `hurry`: nothing else is going on here,
   * so that standing still for a slow disk delays nobody.
   */
  | { t: "report"; started: { tid: string; attempt: number }[]; finished: FinishedAttempt[]; hurry: boolean }
  /** Make the process; answers by `started`, `not_started` or `start_held`. */
  | { t: "start"; key: AttemptKey; tid: string; attempt: number; spec: TaskSpec; seat: Seat | undefined; nodes: Nodes }
  /** `group`: the process group of the task. `tree`: whatever can be found of it. Nothing happens if it is gone. */
  | { t: "signal"; key: AttemptKey; signal: NodeJS.Signals; scope: "group" | "tree" }
  /** Do not wait for what is left of it: answer by `ended` now. */
  | { t: "collect"; key: AttemptKey }
  | { t: "input"; key: AttemptKey; bytes: Uint8Array | undefined; end: boolean }
  | { t: "resize"; key: AttemptKey; columns: number; rows: number }
  /** Tell by `grown`, at once and then whenever its output grew, or stop telling. */
  | { t: "watch"; key: AttemptKey; on: boolean }
  /** Read and send. The task may be over by now. */
  | { t: "chunk"; order: ChunkOrder }
  /** The endpoint has the result: what only served to make it may go. */
  | { t: "forget"; tid: string; attempt: number; failed: boolean }
  /** Push `tick` at this monotonic time; replaces the wake before. */
  | { t: "wake"; at_ms: number }
  /** Push `flush` after this time; replaces the gather before. */
  | { t: "gather"; delay_ms: number }
  /** Answer by `storage_works` or by `unsafe`. */
  | { t: "try_storage" }
  | { t: "exit" };
