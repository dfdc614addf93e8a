/**
 * A batch scheduler of the simulated world: takes blocks, starts their workers, ends them at their walltime. It delays,
 * loses answers and orders, is away for a while, begins blocks anew, kills them, and says of living ones that they are
 * over. It outlives the endpoint.
 */
import type { BatchSettings } from "../../core/endpoint/batch_settings.ts";
import type { EndpointEffect, EndpointEvent } from "../../core/endpoint/decision.ts";
import type { BlockRow } from "../../core/endpoint/memory.ts";
import type { BlockState, DoneOutcome, Sighting, SubmitOutcome } from "../../providers/outcome.ts";
import type { Door, Network } from "./network.ts";
import type { Oracle } from "./oracle.ts";
import { SimWorker } from "./sim_worker.ts";
import type { Dice, Life, World } from "./world.ts";

interface Job {
  readonly id: string;
  readonly block: string;
  readonly name: string;
  state: BlockState;
  started_ms: number | undefined;
  workers: SimWorker[];
  /** It is said to be over although it lives. */
  lied: boolean;
  /** It ended so long ago that nothing is known of it. */
  forgotten: boolean;
}

/** What the scheduler needs of the endpoint whose blocks it has. */
export interface Tenant {
  readonly name: string;
  readonly workers: Map<string, SimWorker>;
  readonly door: () => Door | undefined;
  readonly push: (event: EndpointEvent) => void;
  readonly blocks: () => ReadonlyMap<string, BlockRow>;
}

/** How blocks behave in this world: all times are short, as a war lasts half a minute. */
export function simBatch(dice: Dice): BatchSettings {
  const settings = shapeless(dice);
  return { ...settings, largest: { nodes: settings.nodes_per_block } };
}

function shapeless(dice: Dice): BatchSettings {
  return {
    kind: "batch",
    tasks_max: dice.pick([3, 10, 50]),
    init_blocks: 0,
    min_blocks: 0,
    max_blocks: dice.between(1, 3),
    nodes_per_block: dice.between(1, 2),
    slots_per_node: 2,
    parallelism: 1,
    max_idle_ms: dice.between(200, 5000),
    walltime_s: dice.between(5, 60),
    warn_s: 2,
    submit_gap_ms: 200,
    poll_fast_ms: 300,
    poll_slow_ms: 1500,
    absent_polls: 2,
    absent_after_ms: 2000,
  };
}

export class SimScheduler {
  private readonly jobs = new Map<string, Job>();
  private away_ms = 0;
  private made = 0;
  private stopLook: () => void = () => {};
  /** Workers that may not come in any more. */
  readonly buried = new Set<string>();
  private readonly world: World;
  private readonly network: Network;
  private readonly oracle: Oracle;
  private readonly settings: BatchSettings;
  private readonly tenant: Tenant;

  constructor(world: World, network: Network, oracle: Oracle, settings: BatchSettings, tenant: Tenant) {
    this.world = world;
    this.network = network;
    this.oracle = oracle;
    this.settings = settings;
    this.tenant = tenant;
  }

  /** Performs what is about blocks; false for everything else. */
  perform(life: Life, effect: EndpointEffect): boolean {
    const { dice } = this.world;
    switch (effect.t) {
      case "submit_block":
        this.submit(life, effect.block, effect.name);
        return true;
      case "cancel_block": {
        const job = this.jobOf(effect.block);
        if (job !== undefined && !this.unlucky(0.2)) {
          this.world.after(dice.between(5, 300), () => this.end(job, "cancelled"));
        }
        return true;
      }
      case "poll_blocks":
        this.stopLook();
        this.stopLook = life.after(effect.delay_ms, () => this.look(life));
        return true;
      case "bury":
        life.after(dice.between(1, 200), () => this.bury(life, effect));
        return true;
      case "wake":
        life.after(Math.max(0, effect.at_ms - life.host().clock.now()), () => {
          this.tenant.push({ t: "tick", now_ms: life.host().clock.now() });
        });
        return true;
      case "remove_block":
        return true;
      default:
        return false;
    }
  }

  /** Something befalls a block, or the scheduler itself. */
  fault(): void {
    const { dice } = this.world;
    const living = [...this.jobs.values()].filter(({ state }) => state.phase !== "done");
    if (living.length === 0 || dice.chance(0.3)) {
      this.away_ms = this.world.now_ms + dice.between(200, 8000);
      return;
    }
    const job = dice.pick(living);
    const what = dice.between(0, 3);
    if (what === 0) this.end(job, dice.pick(["cancelled", "node_fail", "preempted", "failed", "oom"]));
    else if (what === 1) this.beginAnew(job);
    else if (what === 2) job.lied = true;
    else this.end(job, "timeout");
  }

  /** Blocks that live although the endpoint knows nothing of them and was told nothing false. */
  orphans(): string[] {
    const known = new Set([...this.tenant.blocks().values()].map(({ name }) => name));
    return [...this.jobs.values()]
      .filter(({ name, state, lied }) => state.phase !== "done" && !lied && !known.has(name))
      .map(({ name }) => name);
  }

  private submit(life: Life, block: string, name: string): void {
    const { dice } = this.world;
    const delay_ms = dice.between(5, 400);
    const answer = (outcome: SubmitOutcome): void => {
      life.after(delay_ms, () => {
        this.tenant.push({ t: "block_sent", block, outcome, now_ms: life.host().clock.now() });
      });
    };
    if (this.isAway() || this.unlucky(0.1)) {
      return answer({ is: "rejected", class: "transient", text: "Unable to contact the controller" });
    }
    if (this.unlucky(0.1)) return answer({ is: "ambiguous", text: "timed out, and was never taken" });
    const id = String(++this.made);
    // Whether or not somebody lives to hear the answer.
    this.world.after(dice.between(1, delay_ms), () => this.accept(id, block, name));
    answer(this.unlucky(0.1) ? { is: "ambiguous", text: "timed out, but was taken" } : { is: "accepted", id });
  }

  private accept(id: string, block: string, name: string): void {
    const state: BlockState = { phase: "pending" };
    const job: Job = { id, block, name, state, started_ms: undefined, workers: [], lied: false, forgotten: false };
    this.jobs.set(name, job);
    this.world.after(this.world.dice.between(10, 3000), () => this.begin(job));
  }

  private begin(job: Job): void {
    if (job.state.phase !== "pending") return;
    const { world } = this;
    job.state = { phase: "running" };
    job.started_ms = 1_700_000_000_000 + world.now_ms;
    const { started_ms } = job;
    if (this.unlucky(0.05)) {
      world.after(world.dice.between(1, 200), () => this.end(job, "failed"));
      return;
    }
    const workers: SimWorker[] = [];
    for (let k = 0; k < this.settings.nodes_per_block; k++) {
      const id = `${job.block.slice(0, 28)}${String(++this.made).padStart(8, "0")}`;
      const name = `${this.tenant.name}b${this.made}`;
      const worker = new SimWorker(world, this.network, this.oracle, id, name, this.tenant.door);
      this.tenant.workers.set(id, worker);
      workers.push(worker);
      worker.life.onDeath(() => {
        if (workers.some(({ life }) => life.alive) || job.workers !== workers) return;
        const outcome = workers.every(({ left }) => left) ? "ok" : "failed";
        world.after(world.dice.between(10, 500), () => {
          if (job.workers === workers) this.end(job, outcome);
        });
      });
    }
    job.workers = workers;
    world.after(this.settings.walltime_s * 1000, () => {
      if (job.started_ms === started_ms) this.end(job, "timeout");
    });
  }

  private end(job: Job, outcome: DoneOutcome): void {
    if (job.state.phase === "done") return;
    job.state = { phase: "done", outcome };
    for (const { life } of job.workers) life.die();
    this.world.after(this.world.dice.between(500, 20_000), () => {
      job.forgotten = true;
    });
  }

  private beginAnew(job: Job): void {
    if (job.state.phase !== "running") return;
    const { workers } = job;
    job.workers = [];
    job.state = { phase: "pending" };
    job.started_ms = undefined;
    for (const { life } of workers) life.die();
    this.world.after(this.world.dice.between(10, 5000), () => this.begin(job));
  }

  /** What is seen now is told a little later. */
  private look(life: Life): void {
    const rows = [...this.tenant.blocks()];
    const away = this.isAway();
    const sights = rows.flatMap(([block, { job, name }]) => {
      return job === undefined ? [] : [{ block, sight: this.sight(name, away) }];
    });
    const found = rows.flatMap(([block, { job, name }]) => {
      const there = this.jobs.get(name);
      return job !== undefined || there === undefined || there.forgotten || away ? [] : [{ block, job: there.id }];
    });
    life.after(this.world.dice.between(1, 200), () => {
      const now_ms = life.host().clock.now();
      this.tenant.push({ t: "blocks_seen", sights, found, names_covered: !away, now_ms });
    });
  }

  private sight(name: string, away: boolean): Sighting {
    if (away || this.unlucky(0.05)) return { seen: "uncovered", why: "the controller does not answer" };
    const job = this.jobs.get(name);
    if (job === undefined || job.forgotten) return { seen: "absent" };
    if (job.lied) return { seen: "seen", state: { phase: "done", outcome: "failed" }, raw: "FAILED" };
    const { state, started_ms } = job;
    return { seen: "seen", state, raw: state.phase, ...(started_ms === undefined ? {} : { started_ms }) };
  }

  private bury(life: Life, { worker: id, blame, reason }: Extract<EndpointEffect, { t: "bury" }>): void {
    const worker = this.tenant.workers.get(id);
    this.buried.add(id);
    if (worker?.life.alive === true) {
      worker.becomeZombie();
      this.network.cutAll(worker.life.name);
    }
    const { started, finished } = worker?.spool ?? { started: [], finished: [] };
    const now_ms = life.host().clock.now();
    this.tenant.push({
      t: "buried",
      worker: id,
      started: [...started],
      finished: [...finished],
      reason,
      blame,
      now_ms,
    });
  }

  private jobOf(block: string): Job | undefined {
    return [...this.jobs.values()].find((job) => job.block === block);
  }

  private isAway(): boolean {
    return !this.network.healed && this.world.now_ms < this.away_ms;
  }

  private unlucky(share: number): boolean {
    return !this.network.healed && this.world.dice.chance(share);
  }
}
