/**
 * Blocks: pilot jobs that are asked for, watched, drained and given back. A block is written down before the scheduler
 * hears of it, an unclear answer is looked up by the block's name and never repeated blindly, silence proves nothing,
 * and a block is over only when the scheduler says so and all its workers are buried.
 */
import { type BlockView, scale } from "../engine/scaling.ts";
import { barrenStartsMax, refusedSubmissionsMax } from "../limits.ts";
import type { BlockInfo } from "../schema/live_message.ts";
import type { BatchSettings } from "./batch_settings.ts";
import {
  answers,
  blameless,
  blockInfo,
  buryStale,
  demandOf,
  endingWords,
  excuseOf,
  freshStanding,
  hasVoice,
  isSpent,
  noticeIdleness,
  noticeRestart,
  type Standing,
  shiftTimes,
  startedAt,
  tasksOf,
  viewOf,
  workersOf,
} from "./block_standing.ts";
import type { Desk, EndpointEvent } from "./decision.ts";
import type { BlockRow } from "./memory.ts";
import { closedWords, type Opening } from "./opening_hours.ts";

type SentEvent = Extract<EndpointEvent, { t: "block_sent" }>;
type SeenEvent = Extract<EndpointEvent, { t: "blocks_seen" }>;
type Sight = SeenEvent["sights"][number]["sight"];

/** A name that was looked up so often, over so long, and never found was never accepted. */
const lostAfterLooks = 3;
const lostAfter_ms = 120_000;
/** A block that was told to go and is still there is told again after this time. */
const tellAgain_ms = 30_000;
/** At a stop workers get so long to leave by themselves before their blocks are cancelled. */
const leaveWithin_ms = 10_000;
/** Blocks that ended lately and are still shown. */
const pastMax = 5;
/** Events that overtake each other set no clock back. */
const clockSlack_ms = 1000;

export class Blocks {
  private readonly settings: BatchSettings;
  private readonly makeId: () => { id: string; name: string };
  private readonly standings = new Map<string, Standing>();
  private next_submit_ms = Number.NEGATIVE_INFINITY;
  private latest_ms = Number.NEGATIVE_INFINITY;
  private failures = 0;
  private polling: "no" | "soon" | "later" = "no";
  /** No block is known yet, so that `init_blocks` counts. */
  private first = true;
  private stopping_ms: number | undefined;
  private hurry = false;
  private readonly past: BlockInfo[] = [];
  /** Where the configuration does not say how many slots a node has, the first worker does. */
  private slots_seen = 0;
  private opening: Opening | undefined;

  constructor(settings: BatchSettings, makeId: () => { id: string; name: string }) {
    this.settings = settings;
    this.makeId = makeId;
  }

  /** After a replay: blocks may be anywhere; those without an id are looked up. */
  begin(desk: Desk, now_ms: number): void {
    for (const id of desk.memory.blocks.keys()) this.standings.set(id, freshStanding(now_ms, true));
    if (desk.memory.blocks.size > 0) this.first = false;
  }

  /** What should be done about blocks now; to be called after every event. */
  settle(desk: Desk, now_ms: number): void {
    this.watchClock(now_ms);
    for (const [block, standing] of this.standings) noticeIdleness(desk, block, standing, now_ms);
    this.watchWalltime(desk, now_ms);
    if (this.stopping_ms !== undefined) this.giveAllBack(desk, this.stopping_ms, now_ms);
    else this.adjust(desk, now_ms);
    this.remind(desk, now_ms);
    this.poll(desk);
  }

  /** What became of a submission. */
  sent(desk: Desk, { block, outcome, now_ms }: SentEvent): void {
    const standing = this.standings.get(block);
    // Once it was found by its name, a submission that says at last that it failed is wrong.
    const found = desk.memory.blocks.get(block)?.job !== undefined;
    if (standing === undefined || (found && outcome.is !== "accepted")) return;
    if (outcome.is === "accepted") {
      this.failures = 0;
      desk.record({ t: "block_submitted", block, job: outcome.id });
      standing.state = "pending";
      if (this.stopping_ms !== undefined || standing.unwanted) this.cancel(desk, block, standing, now_ms);
      return;
    }
    standing.reason = outcome.text;
    if (outcome.is === "ambiguous") {
      standing.state = "unclear";
      return;
    }
    this.failures++;
    this.next_submit_ms = now_ms + this.settings.submit_gap_ms * 2 ** Math.min(this.failures - 1, 6);
    this.over(desk, block, outcome.text, now_ms);
    const hopeless = outcome.class === "config" || outcome.class === "policy";
    if (this.failures < (hopeless ? barrenStartsMax : refusedSubmissionsMax) || desk.memory.paused !== undefined)
      return;
    desk.record({ t: "paused", reason: `${this.failures} submissions in a row were refused: ${outcome.text}` });
  }

  /** What a look at the scheduler showed. */
  seen(desk: Desk, event: SeenEvent): void {
    this.polling = "no";
    for (const { block, job } of event.found) {
      const standing = this.standings.get(block);
      if (standing === undefined || desk.memory.blocks.get(block)?.job !== undefined) continue;
      desk.record({ t: "block_submitted", block, job });
      standing.state = "pending";
      standing.reason = undefined;
      standing.absences = 0;
      if (this.stopping_ms !== undefined || standing.unwanted) this.cancel(desk, block, standing, event.now_ms);
    }
    for (const { block, sight, last_words } of event.sights) {
      const [standing, row] = [this.standings.get(block), desk.memory.blocks.get(block)];
      if (standing === undefined || row === undefined) continue;
      this.look(desk, block, row, standing, sight, last_words, event.now_ms);
    }
    if (!event.names_covered) return;
    for (const [block, { job }] of desk.memory.blocks) {
      const standing = this.standings.get(block);
      if (job === undefined && standing !== undefined) this.unnamed(desk, block, standing, event.now_ms);
    }
  }

  /** The owner wants so many blocks kept; undefined: as many as the configuration says. Idle ones go at once. */
  scale(desk: Desk, blocks: number | undefined): { ok: boolean; words: string } {
    const { max_blocks, min_blocks } = this.settings;
    if (blocks !== undefined && blocks > max_blocks) {
      return { ok: false, words: `${blocks} is more than max_blocks, which is ${max_blocks} in its configuration` };
    }
    desk.record({ t: "scaled", ...(blocks === undefined ? {} : { blocks }) });
    this.hurry = true;
    const kept = blocks ?? min_blocks;
    return { ok: true, words: `Keeps ${kept} ${kept === 1 ? "block" : "blocks"}; with demand up to ${max_blocks}` };
  }

  /** A worker of this block said a word. */
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
  buried(desk: Desk, block: string, now_ms: number): void {
    const standing = this.standings.get(block);
    if (standing?.ending === undefined || workersOf(desk, block).length > 0) return;
    this.over(desk, block, standing.ending, now_ms);
  }

  /** Gives all blocks back. */
  stop(now_ms: number): void {
    this.stopping_ms ??= now_ms;
  }

  /** The owner says that whatever was wrong is repaired. */
  resume(): void {
    this.failures = 0;
    this.next_submit_ms = Number.NEGATIVE_INFINITY;
  }

  /** Why no more tasks run, in the words of the scheduler; undefined when there is nothing to say. */
  excuse(desk: Desk): string | undefined {
    const closed = this.closed();
    if (closed !== undefined) return `Its endpoint is ${closed}`;
    for (const [block, standing] of this.standings) {
      const row = desk.memory.blocks.get(block);
      if (row !== undefined && standing.stage === "coming") return excuseOf(row, standing);
    }
    const [last] = this.past;
    if (desk.memory.blocks.size > 0 || last?.reason === undefined || this.failures === 0) return undefined;
    return `The last block was refused (${last.reason}); another one is asked for soon`;
  }

  /** Why it asks for no blocks whatever waits; undefined while it may. */
  closed(): string | undefined {
    return closedWords(this.opening);
  }

  /** For people: those that live, then those that ended lately. */
  list(desk: Desk): BlockInfo[] {
    const living = [...desk.memory.blocks].map(([id, row]) => {
      return blockInfo(desk, id, row, this.standings.get(id) ?? freshStanding(row.planned_ms));
    });
    return [...living, ...this.past];
  }

  /** Blocks that are kept when there is nothing to do. */
  kept(desk: Desk): number {
    return desk.memory.blocks_kept ?? this.settings.min_blocks;
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
    if (last_words !== undefined) standing.last_words = last_words;
    if (sight.seen === "uncovered") {
      standing.reason = sight.why;
      return;
    }
    if (sight.seen === "absent") {
      if (hasVoice(desk, block)) return;
      standing.absences++;
      const old = now_ms - standing.known_ms >= this.settings.absent_after_ms;
      if (standing.absences < this.settings.absent_polls || !old) return;
      return this.ends(desk, block, standing, isSpent(standing, row, now_ms) ? "timeout" : "ended", now_ms);
    }
    standing.absences = 0;
    standing.reason = sight.reason;
    standing.start_estimate_ms = sight.start_estimate_ms;
    standing.state = sight.state.phase;
    if (sight.state.phase === "done") return this.ends(desk, block, standing, sight.state.outcome, now_ms);
    noticeRestart(desk, block, standing, sight);
    if (sight.started_ms !== undefined || sight.state.phase === "running")
      standing.started_ms ??= startedAt(sight.started_ms, row, now_ms);
    standing.begun_ms = sight.started_ms ?? standing.begun_ms;
    standing.looked_ms = now_ms;
    buryStale(desk, standing);
  }

  /** The scheduler says that it is over: its workers are buried first. */
  private ends(desk: Desk, block: string, standing: Standing, outcome: string, now_ms: number): void {
    if (standing.ending !== undefined) return;
    standing.ending = endingWords(outcome, standing);
    const workers = workersOf(desk, block);
    const reason = `its block ended: ${standing.ending}`;
    for (const worker of workers) desk.effect({ t: "bury", worker, blame: !blameless.has(outcome), reason });
    if (workers.length === 0) this.over(desk, block, standing.ending, now_ms);
  }

  /** Its name is not listed and its id was never learnt. */
  private unnamed(desk: Desk, block: string, standing: Standing, now_ms: number): void {
    if (hasVoice(desk, block)) return;
    const young = now_ms - standing.known_ms < Math.min(lostAfter_ms, this.settings.absent_after_ms * 4);
    if (++standing.absences < lostAfterLooks || young) return;
    if (workersOf(desk, block).length > 0) return this.ends(desk, block, standing, "ended", now_ms);
    this.over(desk, block, standing.reason ?? "the scheduler never heard of it", now_ms);
  }

  private over(desk: Desk, block: string, reason: string, now_ms: number): void {
    const [standing, row] = [this.standings.get(block), desk.memory.blocks.get(block)];
    if (row === undefined || standing === undefined) return;
    this.past.unshift({ ...blockInfo(desk, block, row, standing), state: "over", reason, ended_ms: now_ms });
    this.past.length = Math.min(this.past.length, pastMax);
    desk.record({ t: "block_over", block, reason });
    this.standings.delete(block);
    desk.effect({ t: "remove_block", name: row.name });
    const fields = { block: row.name, job: row.job ?? "", reason };
    desk.effect({ t: "log", level: "info", event: "block.over", fields });
    const { joined, inherited, unwanted } = standing;
    if (joined || inherited || unwanted || row.job === undefined || this.stopping_ms !== undefined) return;
    const barren = ++desk.pool.barren;
    if (barren < barrenStartsMax || desk.memory.paused !== undefined) return;
    desk.record({ t: "paused", reason: `${barren} blocks in a row ended before a worker was ready: ${reason}` });
  }

  /** More blocks, or fewer. While the engine is paused only fewer. */
  private adjust(desk: Desk, now_ms: number): void {
    const views: BlockView[] = [...desk.memory.blocks].map(([id, row]) => {
      return viewOf(desk, id, this.standings.get(id) ?? freshStanding(row.planned_ms));
    });
    const paused = desk.memory.paused !== undefined;
    const known = Number.isFinite(this.settings.slots_per_node) || this.slots_seen === 0;
    this.opening = this.settings.hours?.at(now_ms);
    const { is: hours = "open", changes_ms } = this.opening ?? {};
    if (changes_ms !== undefined) desk.effect({ t: "wake", at_ms: changes_ms });
    const rules = {
      ...this.settings,
      ...(hours === "open" ? {} : { closed: this.settings.hours?.running_blocks ?? "keep" }),
      min_blocks: paused ? 0 : this.kept(desk),
      ...(known ? {} : { slots_per_node: this.slots_seen }),
      ...(this.hurry ? { max_idle_ms: 0 } : {}),
    };
    this.hurry = false;
    const plan = scale(rules, demandOf(desk, this.settings.nodes_per_block), views, this.first, now_ms);
    if (plan.more > 0 && !paused) this.submit(desk, plan.more, now_ms);
    for (const block of plan.drain) this.drain(desk, block, now_ms);
    for (const block of plan.withdraw) this.withdraw(desk, block, now_ms);
    if (plan.look_again_ms !== undefined) desk.effect({ t: "wake", at_ms: plan.look_again_ms });
  }

  private submit(desk: Desk, more: number, now_ms: number): void {
    if (now_ms < this.next_submit_ms) return desk.effect({ t: "wake", at_ms: this.next_submit_ms });
    this.next_submit_ms = now_ms + this.settings.submit_gap_ms;
    this.first = false;
    const { id: block, name } = this.makeId();
    const { nodes_per_block: nodes, walltime_s } = this.settings;
    desk.record({ t: "block_planned", block, name, nodes, walltime_s, at_ms: now_ms });
    this.standings.set(block, freshStanding(now_ms));
    desk.effect({ t: "submit_block", block, name });
    if (more > 1) desk.effect({ t: "wake", at_ms: this.next_submit_ms });
  }

  /** Its workers finish what they have and leave; then there is nothing left that keeps it. */
  private drain(desk: Desk, block: string, now_ms: number): void {
    const standing = this.standings.get(block);
    if (standing === undefined || standing.stage === "leaving") return;
    standing.stage = "leaving";
    standing.unwanted = true;
    standing.told_ms = now_ms;
    for (const id of workersOf(desk, block)) {
      const worker = desk.pool.workers.get(id);
      if (worker !== undefined) worker.stopping = true;
      // One that is kept for a task which another worker leads has nothing to finish, and would go at once.
      if ((desk.pool.gangOf(id)?.workers[0] ?? id) !== id) continue;
      desk.effect({ t: "to_worker", worker: id, messages: [{ t: "stop", how: "drain" }] });
    }
  }

  private withdraw(desk: Desk, block: string, now_ms: number): void {
    const standing = this.standings.get(block);
    if (standing === undefined) return;
    standing.stage = "leaving";
    standing.unwanted = true;
    if (desk.memory.blocks.get(block)?.job !== undefined) this.cancel(desk, block, standing, now_ms);
  }

  private cancel(desk: Desk, block: string, standing: Standing, now_ms: number): void {
    standing.told_ms = now_ms;
    desk.effect({ t: "cancel_block", block });
  }

  /** An order to the scheduler may be lost, and a worker may not hear that it should go. */
  private remind(desk: Desk, now_ms: number): void {
    for (const [block, standing] of this.standings) {
      if (!standing.unwanted || standing.ending !== undefined) continue;
      if (desk.memory.blocks.get(block)?.job === undefined || tasksOf(desk, block) > 0) continue;
      if (now_ms >= standing.told_ms + tellAgain_ms) this.cancel(desk, block, standing, now_ms);
      else desk.effect({ t: "wake", at_ms: standing.told_ms + tellAgain_ms });
    }
  }

  private giveAllBack(desk: Desk, since_ms: number, now_ms: number): void {
    const late = now_ms >= since_ms + leaveWithin_ms;
    if (!late) desk.effect({ t: "wake", at_ms: since_ms + leaveWithin_ms });
    for (const [block, standing] of this.standings) {
      const busy = workersOf(desk, block).length > 0;
      if (standing.unwanted ? !late || standing.told_ms >= since_ms + leaveWithin_ms : busy && !late) continue;
      this.withdraw(desk, block, now_ms);
    }
  }

  /** Time is the wall's, because the journal and the scheduler have no other; it may be set back. */
  private watchClock(now_ms: number): void {
    const back_ms = this.latest_ms - now_ms;
    this.latest_ms = Math.max(this.latest_ms, now_ms);
    if (!(back_ms > clockSlack_ms)) return;
    this.latest_ms = now_ms;
    this.next_submit_ms -= back_ms;
    if (this.stopping_ms !== undefined) this.stopping_ms -= back_ms;
    for (const standing of this.standings.values()) shiftTimes(standing, back_ms);
  }

  private watchWalltime(desk: Desk, now_ms: number): void {
    for (const [block, { stage, started_ms }] of this.standings) {
      const row = desk.memory.blocks.get(block);
      if (stage !== "up" || started_ms === undefined || row === undefined) continue;
      const due_ms = started_ms + (row.walltime_s - this.settings.warn_s) * 1000;
      if (now_ms >= due_ms) this.drain(desk, block, now_ms);
      else desk.effect({ t: "wake", at_ms: due_ms });
    }
  }

  /** Looks at the scheduler again: soon while something is expected to change, or did where none was expected. */
  private poll(desk: Desk): void {
    if (this.polling === "soon" || desk.memory.blocks.size === 0) return;
    const changing =
      this.stopping_ms !== undefined ||
      [...this.standings].some(([block, { stage }]) => stage !== "up" || !answers(desk, block));
    if (this.polling === "later" && !changing) return;
    this.polling = changing ? "soon" : "later";
    desk.effect({ t: "poll_blocks", delay_ms: changing ? this.settings.poll_fast_ms : this.settings.poll_slow_ms });
  }
}
