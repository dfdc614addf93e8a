/**
 * Blocks: pilot jobs that are asked for, watched, drained and given back. A block is written down before the scheduler
 * hears of it, an unclear answer is looked up by the block's name and never repeated blindly, silence proves nothing,
 * and a block is over only when the scheduler says so and all its workers are buried.
 */
import { type BlockView, type ScalingRules, scale } from "../engine/scaling.ts";
import { barrenStartsMax } from "../limits.ts";
import type { Desk, EndpointEvent } from "./decision.ts";
import type { BlockRow } from "./memory.ts";

/** What a batch engine is set to do. */
export interface BatchSettings extends ScalingRules {
  readonly kind: "batch";
  readonly tasks_max: number;
  readonly walltime_s: number;
  /** So long before its end a block gets no more tasks. */
  readonly warn_s: number;
  /** Between two submissions. */
  readonly submit_gap_ms: number;
  /** Between two looks at the scheduler: while something is expected to change, and otherwise. */
  readonly poll_fast_ms: number;
  readonly poll_slow_ms: number;
  /** A block that is not listed counts as gone after so many looks in a row and so long after its submission. */
  readonly absent_polls: number;
  readonly absent_after_ms: number;
}

/** What is known of a block beyond the journal; made anew after a restart. */
interface Standing {
  stage: BlockView["stage"];
  /** The scheduler said that it is over; its workers are being buried. */
  ending: string | undefined;
  joined: boolean;
  unwanted: boolean;
  state: string;
  reason: string | undefined;
  started_ms: number | undefined;
  start_estimate_ms: number | undefined;
  idle_since_ms: number | undefined;
  absences: number;
  restarts: number;
}

type SentEvent = Extract<EndpointEvent, { t: "block_sent" }>;
type SeenEvent = Extract<EndpointEvent, { t: "blocks_seen" }>;
type Sight = SeenEvent["sights"][number]["sight"];

/** Submissions in a row that may fail before the engine pauses; fewer when trying again cannot help. */
const failuresMax = 10;
/** A name that was looked up so often, over so long, and never found was never accepted. */
const lostAfterLooks = 3;
const lostAfter_ms = 120_000;
/** Ends that say nothing about the tasks that were running. */
const blameless: ReadonlySet<string> = new Set(["timeout", "cancelled", "node_fail", "preempted", "launch_failed"]);

export class Blocks {
  private readonly settings: BatchSettings;
  private readonly makeId: () => { id: string; name: string };
  private readonly standings = new Map<string, Standing>();
  private next_submit_ms = Number.NEGATIVE_INFINITY;
  private failures = 0;
  private polling = false;
  private first: boolean;
  private stopping = false;
  /** Where the configuration does not say how many slots a node has, the first worker does. */
  private slots_seen = 0;

  /** `first`: no block is known yet, so that `init_blocks` counts. */
  constructor(settings: BatchSettings, makeId: () => { id: string; name: string }) {
    this.settings = settings;
    this.makeId = makeId;
    this.first = true;
  }

  /** After a replay: blocks may be anywhere; those without an id are looked up. */
  begin(desk: Desk): void {
    for (const id of desk.memory.blocks.keys()) this.standings.set(id, fresh());
    if (desk.memory.blocks.size > 0) this.first = false;
  }

  /** What should be done about blocks now; to be called after every event. */
  settle(desk: Desk, now_ms: number): void {
    this.watchIdleness(desk, now_ms);
    this.watchWalltime(desk, now_ms);
    if (this.stopping) this.giveAllBack(desk);
    else if (desk.memory.paused === undefined) this.adjust(desk, now_ms);
    this.poll(desk);
  }

  /** What became of a submission. */
  sent(desk: Desk, { block, outcome, now_ms }: SentEvent): void {
    const standing = this.standings.get(block);
    if (standing === undefined) return;
    if (outcome.is === "accepted") {
      this.failures = 0;
      desk.record({ t: "block_submitted", block, job: outcome.id });
      standing.state = "pending";
      if (this.stopping || standing.unwanted) desk.effect({ t: "cancel_block", block });
      return;
    }
    standing.reason = outcome.text;
    if (outcome.is === "ambiguous") {
      standing.state = "unclear";
      return;
    }
    this.failures++;
    this.next_submit_ms = now_ms + this.settings.submit_gap_ms * 2 ** Math.min(this.failures - 1, 6);
    this.over(desk, block, outcome.text);
    const hopeless = outcome.class === "config" || outcome.class === "policy";
    if (this.failures < (hopeless ? barrenStartsMax : failuresMax) || desk.memory.paused !== undefined) return;
    desk.record({ t: "paused", reason: `${this.failures} submissions in a row were refused: ${outcome.text}` });
  }

  /** What a look at the scheduler showed. */
  seen(desk: Desk, event: SeenEvent): void {
    this.polling = false;
    for (const { block, job } of event.found) {
      if (desk.memory.blocks.get(block)?.job === undefined) desk.record({ t: "block_submitted", block, job });
    }
    for (const { block, sight, last_words } of event.sights) {
      const standing = this.standings.get(block);
      const row = desk.memory.blocks.get(block);
      if (standing === undefined || row === undefined) continue;
      this.look(desk, block, row, standing, sight, last_words, event.now_ms);
    }
    if (!event.names_covered) return;
    for (const [block, row] of desk.memory.blocks) {
      const standing = this.standings.get(block);
      if (row.job !== undefined || standing === undefined || standing.state !== "unclear") continue;
      standing.absences++;
      const age_ms = event.now_ms - row.planned_ms;
      if (standing.absences < lostAfterLooks || age_ms < Math.min(lostAfter_ms, this.settings.absent_after_ms * 4))
        continue;
      this.over(desk, block, standing.reason ?? "the scheduler never heard of it");
    }
  }

  /** A worker of this block said its first word. */
  joined(desk: Desk, block: string, slots: number, now_ms: number): void {
    this.slots_seen = Math.max(this.slots_seen, slots);
    const standing = this.standings.get(block);
    if (standing === undefined) return;
    standing.joined = true;
    if (standing.stage === "coming") standing.stage = "up";
    standing.state = "running";
    standing.started_ms ??= now_ms;
    desk.pool.barren = 0;
  }

  /** A worker was buried; the last one of a block that is over takes the block with it. */
  buried(desk: Desk, block: string): void {
    const standing = this.standings.get(block);
    if (standing?.ending !== undefined && workersOf(desk, block).length === 0) this.over(desk, block, standing.ending);
  }

  /** Gives all blocks back. */
  stop(): void {
    this.stopping = true;
  }

  /** Why nothing runs, in the words of the scheduler; undefined when there is nothing to say. */
  excuse(desk: Desk): string | undefined {
    for (const [block, { stage, state, reason, start_estimate_ms }] of this.standings) {
      if (stage !== "coming") continue;
      const job = desk.memory.blocks.get(block)?.job ?? "not submitted yet";
      const when =
        start_estimate_ms === undefined ? "" : `, expected to start ${new Date(start_estimate_ms).toISOString()}`;
      return `Block ${job} is ${state}${reason === undefined ? "" : ` (${reason})`}${when}`;
    }
    return undefined;
  }

  /** For people. */
  list(desk: Desk): BlockInfo[] {
    return [...desk.memory.blocks].map(([id, row]) => {
      const standing = this.standings.get(id) ?? fresh();
      const { reason, started_ms } = standing;
      return {
        id,
        name: row.name,
        state: standing.stage === "leaving" ? "leaving" : standing.state,
        nodes: row.nodes,
        walltime_s: row.walltime_s,
        workers: workersOf(desk, id).length,
        ...(row.job === undefined ? {} : { job: row.job }),
        ...(reason === undefined ? {} : { reason }),
        ...(started_ms === undefined ? {} : { started_ms }),
      };
    });
  }

  private look(
    desk: Desk,
    block: string,
    row: BlockRow,
    standing: Standing,
    sight: Sight,
    last_words: string | undefined,
    now_ms: number,
  ): void {
    if (sight.seen === "uncovered") {
      standing.reason = sight.why;
      return;
    }
    if (sight.seen === "absent") {
      standing.absences++;
      const old = now_ms - row.planned_ms >= this.settings.absent_after_ms;
      if (standing.absences >= this.settings.absent_polls && old) this.ends(desk, block, standing, "ended", last_words);
      return;
    }
    standing.absences = 0;
    standing.reason = sight.reason;
    standing.start_estimate_ms = sight.start_estimate_ms;
    standing.state = sight.state.phase;
    if (sight.started_ms !== undefined || sight.state.phase === "running")
      standing.started_ms ??= sight.started_ms ?? now_ms;
    if (sight.state.phase === "done") return this.ends(desk, block, standing, sight.state.outcome, last_words);
    if ((sight.restarts ?? 0) <= standing.restarts) return;
    // The scheduler began it anew: whoever ran before is dead, and new workers introduce themselves.
    standing.restarts = sight.restarts ?? 0;
    for (const worker of workersOf(desk, block)) {
      if (desk.pool.workers.get(worker)?.state !== "ready") {
        desk.effect({ t: "bury", worker, blame: false, reason: "its block was started anew by the scheduler" });
      }
    }
  }

  /** The scheduler says that it is over: its workers are buried first. */
  private ends(desk: Desk, block: string, standing: Standing, outcome: string, last_words: string | undefined): void {
    if (standing.ending !== undefined) return;
    const words = last_words === undefined || last_words === "" ? "" : `: ${last_words}`;
    standing.ending = `${outcome}${standing.reason === undefined ? "" : ` (${standing.reason})`}${words}`;
    const workers = workersOf(desk, block);
    for (const worker of workers) {
      const reason = `its block ended: ${standing.ending}`;
      desk.effect({ t: "bury", worker, blame: !blameless.has(outcome), reason });
    }
    if (workers.length === 0) this.over(desk, block, standing.ending);
  }

  private over(desk: Desk, block: string, reason: string): void {
    const row = desk.memory.blocks.get(block);
    const standing = this.standings.get(block);
    if (row === undefined || standing === undefined) return;
    desk.record({ t: "block_over", block, reason });
    this.standings.delete(block);
    desk.effect({ t: "remove_block", name: row.name });
    desk.effect({
      t: "log",
      level: "info",
      event: "block.over",
      fields: { block: row.name, job: row.job ?? "", reason },
    });
    if (standing.joined || standing.unwanted || row.job === undefined || this.stopping) return;
    const barren = ++desk.pool.barren;
    if (barren < barrenStartsMax || desk.memory.paused !== undefined) return;
    desk.record({ t: "paused", reason: `${barren} blocks in a row ended before a worker was ready: ${reason}` });
  }

  private adjust(desk: Desk, now_ms: number): void {
    const views: BlockView[] = [...desk.memory.blocks].map(([id, row]) => {
      const standing = this.standings.get(id) ?? fresh();
      const stage = standing.ending === undefined ? standing.stage : "leaving";
      return { id, stage, planned_ms: row.planned_ms, idle_since_ms: standing.idle_since_ms };
    });
    let running = 0;
    for (const worker of desk.pool.workers.values()) running += worker.assigned.size;
    const waiting = Math.max(0, desk.memory.unfinished - running);
    const known = Number.isFinite(this.settings.slots_per_node) || this.slots_seen === 0;
    const rules = known ? this.settings : { ...this.settings, slots_per_node: this.slots_seen };
    const plan = scale(rules, { waiting, running }, views, this.first, now_ms);
    if (plan.more > 0) this.submit(desk, plan.more, now_ms);
    for (const block of plan.drain) this.drain(desk, block);
    for (const block of plan.withdraw) this.withdraw(desk, block);
    if (plan.look_again_ms !== undefined) desk.effect({ t: "wake", at_ms: plan.look_again_ms });
  }

  private submit(desk: Desk, more: number, now_ms: number): void {
    if (now_ms < this.next_submit_ms) return desk.effect({ t: "wake", at_ms: this.next_submit_ms });
    this.next_submit_ms = now_ms + this.settings.submit_gap_ms;
    this.first = false;
    const { id: block, name } = this.makeId();
    const { nodes_per_block: nodes, walltime_s } = this.settings;
    desk.record({ t: "block_planned", block, name, nodes, walltime_s, at_ms: now_ms });
    this.standings.set(block, fresh());
    desk.effect({ t: "submit_block", block, name });
    if (more > 1) desk.effect({ t: "wake", at_ms: this.next_submit_ms });
  }

  /** Its workers finish what they have and leave; then there is nothing left that keeps it. */
  private drain(desk: Desk, block: string): void {
    const standing = this.standings.get(block);
    if (standing === undefined || standing.stage === "leaving") return;
    standing.stage = "leaving";
    standing.unwanted = true;
    for (const id of workersOf(desk, block)) {
      const worker = desk.pool.workers.get(id);
      if (worker !== undefined) worker.stopping = true;
      desk.effect({ t: "to_worker", worker: id, messages: [{ t: "stop", how: "drain" }] });
    }
  }

  private withdraw(desk: Desk, block: string): void {
    const standing = this.standings.get(block);
    if (standing === undefined || standing.unwanted) return;
    standing.stage = "leaving";
    standing.unwanted = true;
    if (desk.memory.blocks.get(block)?.job !== undefined) desk.effect({ t: "cancel_block", block });
  }

  private giveAllBack(desk: Desk): void {
    for (const [block, standing] of this.standings) {
      if (standing.unwanted || workersOf(desk, block).length > 0) continue;
      this.withdraw(desk, block);
    }
  }

  private watchIdleness(desk: Desk, now_ms: number): void {
    for (const [block, standing] of this.standings) {
      if (standing.stage !== "up") continue;
      const workers = workersOf(desk, block).map((id) => desk.pool.workers.get(id));
      const busy = workers.some(
        (worker) => worker === undefined || worker.assigned.size > 0 || worker.state !== "ready",
      );
      standing.idle_since_ms = busy ? undefined : (standing.idle_since_ms ?? now_ms);
    }
  }

  private watchWalltime(desk: Desk, now_ms: number): void {
    for (const [block, { stage, started_ms }] of this.standings) {
      const row = desk.memory.blocks.get(block);
      if (stage !== "up" || started_ms === undefined || row === undefined) continue;
      const due_ms = started_ms + (row.walltime_s - this.settings.warn_s) * 1000;
      if (now_ms >= due_ms) this.drain(desk, block);
      else desk.effect({ t: "wake", at_ms: due_ms });
    }
  }

  private poll(desk: Desk): void {
    if (this.polling || desk.memory.blocks.size === 0) return;
    this.polling = true;
    const changing = this.stopping || [...this.standings.values()].some(({ stage }) => stage !== "up");
    const delay_ms = changing ? this.settings.poll_fast_ms : this.settings.poll_slow_ms;
    desk.effect({ t: "poll_blocks", delay_ms });
  }
}

/** One block as a person sees it. */
export interface BlockInfo {
  id: string;
  name: string;
  job?: string;
  state: string;
  reason?: string;
  nodes: number;
  walltime_s: number;
  started_ms?: number;
  workers: number;
}

function workersOf(desk: Desk, block: string): string[] {
  const ids: string[] = [];
  for (const [id, worker] of desk.memory.workers) if (worker.block === block) ids.push(id);
  return ids;
}

function fresh(): Standing {
  return {
    stage: "coming",
    ending: undefined,
    joined: false,
    unwanted: false,
    state: "unclear",
    reason: undefined,
    started_ms: undefined,
    start_estimate_ms: undefined,
    idle_since_ms: undefined,
    absences: 0,
    restarts: 0,
  };
}
