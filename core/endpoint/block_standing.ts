/**
 * What is known of a block beyond the journal, and how people are told of it. Volatile: made anew after a restart, from
 * the next look at the scheduler and from what workers say.
 */
import type { BlockFacts } from "../../providers/outcome.ts";
import { widestBlock } from "../engine/gang_dispatch.ts";
import type { BlockView, Demand } from "../engine/scaling.ts";
import type { BlockInfo } from "../schema/live_message.ts";
import type { Desk } from "./decision.ts";
import type { BlockRow } from "./memory.ts";

/** One block as it stands. */
export interface Standing {
  stage: BlockView["stage"];
  /** Since when this life of the endpoint knows of it. */
  known_ms: number;
  /** The scheduler said that it is over; its workers are being buried. */
  ending: string | undefined;
  joined: boolean;
  /** It is from an earlier life of this endpoint: whether a worker was ever ready is not known. */
  inherited: boolean;
  unwanted: boolean;
  /** When it was last told to go. */
  told_ms: number;
  state: string;
  reason: string | undefined;
  last_words: string | undefined;
  started_ms: number | undefined;
  /** When it began as the scheduler says: another time means that it was begun anew. */
  begun_ms: number | undefined;
  start_estimate_ms: number | undefined;
  idle_since_ms: number | undefined;
  /** Since when something waits for more nodes than are left of it, and no other block has them. */
  short_since_ms: number | undefined;
  absences: number;
  /** Looks in a row that showed it waiting although it had workers. */
  waits_again: number;
  restarts: number;
  /** Workers from before it was begun anew: dead, unless they answer. */
  readonly stale: Set<string>;
  looked_ms: number;
}

export function freshStanding(known_ms: number, inherited = false): Standing {
  return {
    stage: "coming",
    known_ms,
    ending: undefined,
    joined: false,
    inherited,
    unwanted: false,
    told_ms: 0,
    state: "unclear",
    reason: undefined,
    last_words: undefined,
    started_ms: undefined,
    begun_ms: undefined,
    start_estimate_ms: undefined,
    idle_since_ms: undefined,
    short_since_ms: undefined,
    absences: 0,
    waits_again: 0,
    restarts: 0,
    stale: new Set(),
    looked_ms: Number.NEGATIVE_INFINITY,
  };
}

/** The clock was set back by `by_ms`: what was noted from it moves along, or it would lie in the future for long. */
export function shiftTimes(standing: Standing, by_ms: number): void {
  standing.known_ms -= by_ms;
  standing.told_ms -= by_ms;
  standing.looked_ms -= by_ms;
  if (standing.started_ms !== undefined) standing.started_ms -= by_ms;
  if (standing.idle_since_ms !== undefined) standing.idle_since_ms -= by_ms;
  if (standing.short_since_ms !== undefined) standing.short_since_ms -= by_ms;
}

/** When a block began, by our clock: the scheduler's may be off, but it was not before the plan, and not after now. */
export function startedAt(said_ms: number | undefined, row: BlockRow, now_ms: number): number {
  return Math.min(now_ms, Math.max(said_ms ?? now_ms, row.planned_ms));
}

/** Workers of a block that are not buried. */
export function workersOf(desk: Desk, block: string): string[] {
  const ids: string[] = [];
  for (const [id, worker] of desk.memory.workers) if (worker.block === block) ids.push(id);
  return ids;
}

/** Whether one of its workers answers: that proves more than any list in which the block is missing. */
export function hasVoice(desk: Desk, block: string): boolean {
  return workersOf(desk, block).some((id) => desk.pool.workers.get(id)?.state === "ready");
}

/** Whether all its walltime is over. */
export function isSpent({ started_ms }: Standing, { walltime_s }: BlockRow, now_ms: number): boolean {
  return started_ms !== undefined && now_ms >= started_ms + walltime_s * 1000;
}

/** Tasks that workers of a block have. */
export function tasksOf(desk: Desk, block: string): number {
  let tasks = 0;
  for (const id of workersOf(desk, block)) tasks += desk.pool.workers.get(id)?.assigned.size ?? 0;
  return tasks;
}

/**
 * The scheduler may begin a block anew under the same id: whoever ran before is dead, unless they answer, and new
 * workers introduce themselves. Shown by a count, by another time of its start, or by its waiting again; the last only
 * when it is seen twice, because an answer may be older than the first word of a worker.
 */
export function noticeRestart(desk: Desk, block: string, standing: Standing, sight: BlockFacts): void {
  const waits = sight.state.phase === "pending" && standing.joined;
  standing.waits_again = waits ? standing.waits_again + 1 : 0;
  const counted = (sight.restarts ?? 0) > standing.restarts;
  const { begun_ms } = standing;
  const moved = begun_ms !== undefined && sight.started_ms !== undefined && sight.started_ms > begun_ms;
  if (!counted && !moved && standing.waits_again < 2) return;
  standing.restarts = sight.restarts ?? 0;
  for (const worker of workersOf(desk, block)) {
    const made_ms = desk.memory.workers.get(worker)?.made_ms ?? 0;
    if (waits || counted || made_ms <= standing.looked_ms) standing.stale.add(worker);
  }
  standing.started_ms = undefined;
  standing.begun_ms = undefined;
  if (!waits) return;
  standing.joined = false;
  standing.inherited = true;
  if (standing.stage === "up") standing.stage = "coming";
}

/** Workers from before a block was begun anew are dead, unless they answer. */
export function buryStale(desk: Desk, standing: Standing): void {
  for (const worker of standing.stale) {
    if (desk.pool.workers.get(worker)?.state === "ready") continue;
    standing.stale.delete(worker);
    const reason = "its block was started anew by the scheduler";
    if (desk.memory.workers.has(worker)) desk.effect({ t: "bury", worker, blame: false, reason });
  }
}

/** Whether it has workers, and none of them is silent. */
export function answers(desk: Desk, block: string): boolean {
  const workers = workersOf(desk, block);
  return workers.length > 0 && workers.every((id) => desk.pool.workers.get(id)?.state === "ready");
}

/** What there is to do. What a block that leaves still has is no reason for another one. */
export function demandOf(desk: Desk, nodes_per_block: number): Demand {
  let running = 0;
  let leaving = 0;
  const gangs: number[] = [];
  for (const { id, stopping, assigned } of desk.pool.workers.values()) {
    if (stopping) leaving += assigned.size;
    else running += assigned.size;
    const gang = stopping ? undefined : desk.pool.gangs.get(id);
    if (gang !== undefined && assigned.has(gang.tid)) gangs.push(gang.workers.length);
  }
  if (desk.memory.paused !== undefined) return { waiting: 0, running, whole: wholeOf(gangs, nodes_per_block) };
  for (const { nodes } of desk.pool.line.all()) gangs.push(nodes);
  const waiting = Math.max(0, desk.memory.unfinished - running - leaving);
  return { waiting, running, whole: wholeOf(gangs, nodes_per_block) };
}

/** Each counts as the share of a block that it takes when the block is full of its like: a node left over is lost. */
function wholeOf(gangs: readonly number[], nodes_per_block: number): { tasks: number; blocks: number } {
  const blocks = gangs.reduce((sum, nodes) => sum + 1 / Math.max(1, Math.floor(nodes_per_block / nodes)), 0);
  return { tasks: gangs.length, blocks };
}

/** A block as scaling sees it. */
export function viewOf(desk: Desk, id: string, standing: Standing): BlockView {
  const { ending, stage, known_ms, idle_since_ms, short_since_ms } = standing;
  const manned = workersOf(desk, id).length > 0;
  return {
    id,
    stage: ending === undefined ? stage : "leaving",
    planned_ms: known_ms,
    manned,
    idle_since_ms,
    short_since_ms,
  };
}

/** Since when no worker of a block that is up has a task, or is silent; and since when it has too few. */
export function noticeIdleness(desk: Desk, block: string, standing: Standing, now_ms: number): void {
  if (standing.stage !== "up") return;
  const workers = workersOf(desk, block).map((id) => desk.pool.workers.get(id));
  const busy = workers.some((worker) => worker?.state !== "ready" || worker.assigned.size > 0);
  standing.idle_since_ms = busy ? undefined : (standing.idle_since_ms ?? now_ms);
  const wanted = desk.pool.line.widest;
  const short = wanted > 0 && widestBlock(desk.pool) < wanted;
  standing.short_since_ms = short ? (standing.short_since_ms ?? now_ms) : undefined;
}

/** A block for people. */
export function blockInfo(desk: Desk, id: string, row: BlockRow, standing: Standing): BlockInfo {
  const { reason, started_ms, start_estimate_ms, last_words } = standing;
  const waits = started_ms === undefined && start_estimate_ms !== undefined;
  return {
    id,
    name: row.name,
    state: stateOf(row, standing),
    nodes: row.nodes,
    walltime_s: row.walltime_s,
    planned_ms: row.planned_ms,
    workers: workersOf(desk, id).length,
    running: tasksOf(desk, id),
    ...(row.job === undefined ? {} : { job: row.job }),
    ...(reason === undefined ? {} : { reason }),
    ...(started_ms === undefined ? {} : { started_ms }),
    ...(waits ? { start_estimate_ms } : {}),
    ...(last_words === undefined || last_words === "" ? {} : { last_words }),
  };
}

function stateOf(row: BlockRow, { ending, stage, state }: Standing): string {
  if (ending !== undefined) return "ending";
  if (stage === "leaving") return "leaving";
  if (row.job === undefined) return state === "unclear" ? "submitting" : state;
  return state === "unclear" ? "unknown" : state;
}

/** Why a block that is coming is not there yet, as a sentence. */
export function excuseOf(row: BlockRow, { state, reason, start_estimate_ms }: Standing): string {
  if (row.job === undefined) {
    const why = reason === undefined ? "" : ` (${reason})`;
    return `A block is being asked for, and the scheduler has not answered yet${why}`;
  }
  const when =
    start_estimate_ms === undefined ? "" : `, expected to start ${new Date(start_estimate_ms).toISOString()}`;
  const known = state === "unclear" ? "not seen yet" : state;
  return `Block ${row.job} is ${known}${reason === undefined ? "" : ` (${reason})`}${when}`;
}

/** Ends that say nothing about the tasks that were running. */
export const blameless: ReadonlySet<string> = new Set([
  "timeout",
  "cancelled",
  "node_fail",
  "preempted",
  "launch_failed",
]);

/** How a block ended, with why and its last words, as far as they are known. */
export function endingWords(outcome: string, { reason: why, last_words = "" }: Standing): string {
  return `${outcome}${why === undefined ? "" : ` (${why})`}${last_words === "" ? "" : `: ${last_words}`}`;
}
