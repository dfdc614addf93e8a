/**
 * The life of a task as one table: every step it may take, who owns the step, what triggers it and what fences it. The
 * endpoint checks its steps against this table (`legalStep`), the simulation counts how often each row was walked, and
 * the diagram in docs/LIFECYCLE.md is drawn from it (`scripts/lifecycle.ts`). Only the owner of a step writes it down;
 * everybody else sees a copy.
 */
import { assert } from "../assert.ts";

/** Where a task can stand, over all rooms. */
export type Phase =
  | "outbox"
  | "queued"
  | "offered"
  | "expired"
  | "ready"
  | "leased"
  | "running"
  | "finished"
  | "reported"
  | "receipted"
  | "gone";

export interface Step {
  readonly from: Phase | "nothing";
  readonly to: Phase;
  readonly owner: "client" | "relay" | "endpoint";
  /** What happens. */
  readonly on: string;
  /** What must hold for it to count. */
  readonly fence: string;
}

/** All legal steps (reliability-security.md §3.3). */
export const lifecycle: readonly Step[] = [
  { from: "nothing", to: "outbox", owner: "client", on: "submit", fence: "envelope on disk; nonce chosen once" },
  { from: "outbox", to: "queued", owner: "relay", on: "submit frame", fence: "envelope id unknown, or same bytes" },
  { from: "queued", to: "offered", owner: "relay", on: "endpoint has room", fence: "endpoint session is current" },
  {
    from: "offered",
    to: "queued",
    owner: "relay",
    on: "session lost, or no accept in time",
    fence: "no limit on offers",
  },
  { from: "queued", to: "expired", owner: "relay", on: "time to live over", fence: "clock of the relay" },
  { from: "offered", to: "expired", owner: "relay", on: "time to live over", fence: "clock of the relay" },
  {
    from: "offered",
    to: "ready",
    owner: "endpoint",
    on: "mail",
    fence: "signature, access and commands checked; journalled before the signed accept",
  },
  {
    from: "ready",
    to: "leased",
    owner: "endpoint",
    on: "a worker has room",
    fence: "attempt n+1 journalled before it is sent",
  },
  { from: "ready", to: "finished", owner: "endpoint", on: "cancel, refusal, too many crashes", fence: "journalled" },
  { from: "leased", to: "running", owner: "endpoint", on: "started(n)", fence: "n is the current attempt" },
  {
    from: "leased",
    to: "ready",
    owner: "endpoint",
    on: "worker proved dead, no start marker",
    fence: "not counted as a crash",
  },
  { from: "leased", to: "finished", owner: "endpoint", on: "result(n)", fence: "first durable result wins" },
  {
    from: "running",
    to: "ready",
    owner: "endpoint",
    on: "worker proved dead, or a retry is left",
    fence: "spool read; on_lost is rerun; crash counted unless interrupted",
  },
  {
    from: "running",
    to: "finished",
    owner: "endpoint",
    on: "result(n), or lost with on_lost fail",
    fence: "first durable result wins; lost needs proof of death",
  },
  { from: "finished", to: "reported", owner: "endpoint", on: "stored", fence: "the relay has it on stable storage" },
  { from: "reported", to: "finished", owner: "endpoint", on: "new relay epoch", fence: "deposited again" },
  { from: "finished", to: "receipted", owner: "endpoint", on: "receipt", fence: "signed by the user" },
  { from: "reported", to: "receipted", owner: "endpoint", on: "receipt", fence: "signed by the user" },
  {
    from: "receipted",
    to: "gone",
    owner: "endpoint",
    on: "all tasks of the envelope have receipts",
    fence: "the id is remembered 30 days more",
  },
  {
    from: "reported",
    to: "gone",
    owner: "endpoint",
    on: "14 days without a receipt",
    fence: "the id is remembered 30 days more",
  },
];

/** Phases that an endpoint keeps for each task it holds, as small numbers: they fill typed arrays. */
export const phase = { ready: 0, leased: 1, running: 2, finished: 3, reported: 4, receipted: 5 } as const;
export type PhaseCode = (typeof phase)[keyof typeof phase];

const names: readonly Phase[] = ["ready", "leased", "running", "finished", "reported", "receipted"];
const legal = new Uint8Array(36);
for (const step of lifecycle) {
  const from = names.indexOf(step.from as Phase);
  const to = names.indexOf(step.to);
  if (from >= 0 && to >= 0) legal[from * 6 + to] = 1;
}

/** The name of a phase code. */
export function phaseName(code: number): Phase {
  return names[code] ?? "gone";
}

/** Throws BrokenInvariant unless the table has a step between these phase codes. */
export function legalStep(from: number, to: number): void {
  assert(legal[from * 6 + to] === 1, `A task may not go from ${phaseName(from)} to ${phaseName(to)}`);
}
