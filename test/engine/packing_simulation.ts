/**
 * A block without machines: tasks on whole nodes that last as long as they are told to, the real queue, pool and
 * dispatcher, and a clock that jumps from one end of a task to the next. For tests of packing, and for bench B12.
 */
import { dispatch } from "../../core/engine/dispatch.ts";
import { HeldEnvelope } from "../../core/engine/held_envelope.ts";
import { Pool, type PoolWorker } from "../../core/engine/pool.ts";
import { ReadyQueue } from "../../core/engine/ready_queue.ts";
import type { TaskSpec } from "../../core/schema/task.ts";
import { phase } from "../../core/task/lifecycle.ts";

/** A task of a mix. `nodes` undefined: an ordinary one, of one slot. */
export interface MixTask {
  readonly at_s: number;
  readonly nodes: number | undefined;
  readonly lasts_s: number;
  readonly walltime_s?: number;
  readonly priority?: number;
}

/** One task as it went. */
export interface Ran extends MixTask {
  readonly started_s: number;
  /** Tasks of its size, itself included, that were there and not over when it came. */
  readonly of_size: number;
  readonly hosts: readonly string[];
}

/** Numbers below 1 from a seed (mulberry32). */
export function dice(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let word = Math.imul(state ^ (state >>> 15), state | 1);
    word ^= word + Math.imul(word ^ (word >>> 7), word | 61);
    return ((word ^ (word >>> 14)) >>> 0) / 4_294_967_296;
  };
}

/** Seconds, lognormal: the logarithm has its mean at that of `median_s` and deviates by `sigma`. */
export function lognormal(roll: () => number, median_s: number, sigma: number): number {
  return median_s * Math.exp(sigma * Math.sqrt(-2 * Math.log(1 - roll())) * Math.cos(2 * Math.PI * roll()));
}

/** An envelope of tasks as an endpoint holds it. */
export function envelope(number: number, specs: TaskSpec[], at_ms: number, priority = 0): HeldEnvelope {
  const id = `${number.toString(16).padStart(8, "0")}-0000-8000-8000-000000000000`;
  const header = { id, count: specs.length, priority, on_lost: "rerun" };
  const arrival = { header, body: { base: {}, tasks: specs }, digest: "" };
  return new HeldEnvelope(arrival as unknown as ConstructorParameters<typeof HeldEnvelope>[0], at_ms);
}

/** Workers of a block that are ready, one per node. */
export function block(pool: Pool, name: string, nodes: number, slots: number): PoolWorker[] {
  return Array.from({ length: nodes }, (_, k) => {
    const worker = pool.add(`${name}-${k}`, 0, name);
    const resources = { cores: slots };
    const ready = { t: "ready" as const, host: `${name}n${k}`, pid: 1, slots, prefetch: 0, resources, holding: [] };
    pool.introduce(worker, ready);
    return worker;
  });
}

/** One block and its queue; tasks end when they have lasted. */
export class PackingSimulation {
  readonly pool = new Pool();
  readonly ran: Ran[] = [];
  now_s = 0;
  private readonly ready = new ReadyQueue<HeldEnvelope>();
  private readonly ends: { at_s: number; end: () => void }[] = [];
  private waiting = 0;
  private readonly nodes: number;
  private busy_nodes = 0;
  /** Node-seconds while something waited that could have run: what there was, and what was used. */
  private offered = 0;
  private used = 0;
  private readonly queue: MixTask[];
  private readonly line: MixTask[] = [];
  private readonly tasks: (MixTask & { of_size: number })[] = [];
  private readonly alike = new Map<number | undefined, number>();

  constructor(nodes: number, slots: number, tasks: readonly MixTask[]) {
    this.nodes = nodes;
    block(this.pool, "b", nodes, slots);
    this.queue = tasks.toSorted((a, b) => a.at_s - b.at_s);
  }

  /** Share of the block that was used while something waited. */
  get utilisation(): number {
    return this.offered === 0 ? 1 : this.used / this.offered;
  }

  /** Runs until all is done; returns the seconds that took. */
  run(): number {
    for (let number = 0; this.queue.length > 0 || this.ends.length > 0; ) {
      const next_s = Math.min(this.queue[0]?.at_s ?? Infinity, this.ends[0]?.at_s ?? Infinity);
      this.pass(next_s);
      while (this.ends[0] !== undefined && this.ends[0].at_s <= next_s) this.ends.shift()?.end();
      const arrived: MixTask[] = [];
      while (this.queue[0] !== undefined && this.queue[0].at_s <= next_s) arrived.push(this.queue.shift() as MixTask);
      for (const task of arrived) this.arrive(task, number++);
      this.dispatch();
    }
    return this.now_s;
  }

  private arrive(task: MixTask, number: number): void {
    const { nodes, walltime_s, priority } = task;
    const spec: TaskSpec = {
      ...(nodes === undefined ? {} : { resources: { nodes } }),
      ...(walltime_s === undefined ? {} : { walltime_s }),
    };
    this.ready.add(envelope(number, [spec], this.now_s * 1000, priority));
    const alike = (this.alike.get(nodes) ?? 0) + 1;
    this.alike.set(nodes, alike);
    this.tasks.push({ ...task, of_size: alike });
    this.line.push(task);
    this.waiting++;
  }

  private dispatch(): void {
    dispatch(this.ready, this.pool, 100_000, this.now_s * 1000, ({ worker, held, index, gang }, needs) => {
      const task = this.tasks[Number.parseInt(held.id.slice(0, 8), 16)];
      if (task === undefined) throw new Error(`nobody submitted ${held.id}`);
      const tid = held.tid(index);
      held.step(index, phase.leased);
      this.pool.assign(worker, tid, { held, index, attempt: 1, needs, since_ms: this.now_s * 1000 });
      if (gang !== undefined)
        this.pool.reserve(
          tid,
          gang.map(({ id }) => id),
        );
      const hosts = (gang ?? [worker]).map(({ host }) => host);
      this.ran.push({ ...task, started_s: this.now_s, hosts });
      this.waiting--;
      this.line.splice(
        this.line.findIndex((one) => one.nodes === task.nodes),
        1,
      );
      const nodes = gang?.length ?? 1 / worker.slots;
      this.busy_nodes += nodes;
      this.endAt(this.now_s + task.lasts_s, () => {
        this.busy_nodes -= nodes;
        this.alike.set(task.nodes, (this.alike.get(task.nodes) ?? 1) - 1);
        held.step(index, phase.finished);
        this.pool.release(worker, tid);
      });
    });
  }

  private endAt(at_s: number, end: () => void): void {
    let low = 0;
    for (let high = this.ends.length; low < high; ) {
      const middle = (low + high) >> 1;
      if ((this.ends[middle]?.at_s ?? 0) <= at_s) low = middle + 1;
      else high = middle;
    }
    this.ends.splice(low, 0, { at_s, end });
  }

  private pass(until_s: number): void {
    const passed_s = until_s - this.now_s;
    this.now_s = until_s;
    if (this.waiting === 0) return;
    this.used += passed_s * this.busy_nodes;
    this.offered += passed_s * (this.hopeless() ? this.busy_nodes : this.nodes);
  }

  /** Whether all that waits needs more than half of the block while such a task runs: nobody could start any of it. */
  private hopeless(): boolean {
    if (this.line.some(({ nodes = 0 }) => nodes * 2 <= this.nodes)) return false;
    return [...this.pool.gangs.values()].some(({ workers }) => workers.length * 2 > this.nodes);
  }
}
