/**
 * One task envelope as an endpoint holds it: what was asked for, and a few numbers per task. Its durable numbers change
 * only by journal records (`endpoint/memory.ts`).
 */
import { assert } from "../assert.ts";
import type { TaskHeader } from "../schema/envelope.ts";
import type { Result } from "../schema/result.ts";
import type { TaskBody, TaskSpec } from "../schema/task.ts";
import { type EnvelopeId, prefixOf, type TaskId, taskId } from "../task/id.ts";
import { legalStep } from "../task/lifecycle.ts";

/** A task envelope that came in, verified and opened. */
export interface Arrival {
  header: TaskHeader;
  body: TaskBody;
  /** sha256 of the envelope's bytes, hexadecimal; the accept names it. */
  digest: string;
}

/** One task envelope and where each of its tasks stands. */
export class HeldEnvelope {
  readonly id: EnvelopeId;
  /** How the ids of all its tasks begin. */
  readonly prefix: string;
  readonly header: Arrival["header"];
  readonly digest: string;
  readonly accepted_ms: number;
  readonly count: number;
  readonly base: TaskSpec;
  private readonly overs: TaskSpec[];
  readonly phases: Uint8Array;
  readonly attempts: Uint16Array;
  readonly crashes: Uint8Array;
  readonly retried: Uint16Array;
  /** The newest attempt whose result was looked at and led to another attempt: a copy of it says nothing new. */
  readonly spent: Uint16Array;
  /** Results that the relay does not have yet. */
  readonly results: (Result | undefined)[];
  /** Who has the current attempt. */
  readonly workers: (string | undefined)[];
  /** Tasks on whole nodes that somebody has: host names and ids of all their workers, the lead's first. */
  readonly gangs = new Map<number, { readonly nodes: readonly string[]; readonly workers: readonly string[] }>();
  /** Tasks on whole nodes that are being ended because one of their workers is dead. True: the task may be why. */
  readonly broken = new Map<number, boolean>();
  /** Tasks that the user wants ended. */
  readonly cancelling = new Set<number>();
  /** Tasks whose output is larger than their result holds: it lies in files until the receipt. */
  readonly spilled = new Set<number>();
  unfinished: number;
  unreceipted: number;
  /** For the ready queue: tasks from here on were never leased; `back` came back. */
  fresh = 0;
  readonly back: number[] = [];
  queued = false;

  constructor(arrival: Arrival, accepted_ms: number) {
    const { header, body, digest } = arrival;
    this.id = header.id as EnvelopeId;
    this.prefix = prefixOf(this.id);
    this.header = header;
    this.digest = digest;
    this.accepted_ms = accepted_ms;
    this.count = header.count;
    this.base = body.base;
    this.overs = body.tasks;
    this.phases = new Uint8Array(this.count);
    this.attempts = new Uint16Array(this.count);
    this.crashes = new Uint8Array(this.count);
    this.retried = new Uint16Array(this.count);
    this.spent = new Uint16Array(this.count);
    this.results = new Array<Result | undefined>(this.count);
    this.workers = new Array<string | undefined>(this.count);
    this.unfinished = this.count;
    this.unreceipted = this.count;
  }

  /** What task `index` says beyond `base`; undefined when nothing. */
  over(index: number): TaskSpec | undefined {
    const over = this.overs[index];
    if (over === undefined) return undefined;
    for (const _ in over) return over;
    return undefined;
  }

  spec(index: number): TaskSpec {
    const over = this.over(index);
    return over === undefined ? this.base : { ...this.base, ...over };
  }

  tid(index: number): TaskId {
    return taskId(this.id, index);
  }

  onLost(index: number): "rerun" | "fail" {
    return this.overs[index]?.on_lost ?? this.base.on_lost ?? this.header.on_lost;
  }

  step(index: number, to: number): void {
    const from = this.phases[index];
    assert(from !== undefined, "a task index lies inside its envelope");
    legalStep(from, to);
    this.phases[index] = to;
  }
}

/** Whether a task wrote more than its result holds, so that its worker left the whole of it in files. */
export function spills({ stdout, stderr }: Result): boolean {
  return stdout.total > stdout.kept || stderr.total > stderr.kept;
}
