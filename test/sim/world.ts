/**
 * A world in one process: one clock that jumps from event to event, one source of randomness, processes that die and
 * links that break. The same seed gives the same history.
 */
import type { Host, Random } from "../../core/host/host.ts";

/** Mulberry32: small, fast, good enough to choose faults. */
export class Dice implements Random {
  private state: number;

  constructor(seed: number) {
    this.state = (seed * 2654435761) >>> 0;
  }

  uniform(): number {
    this.state = (this.state + 0x6d2b79f5) >>> 0;
    let t = this.state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  }

  bytes(count: number): Uint8Array {
    const bytes = new Uint8Array(count);
    for (let k = 0; k < count; k++) bytes[k] = Math.floor(this.uniform() * 256);
    return bytes;
  }

  /** An integer from `low` to `high`, both included. */
  between(low: number, high: number): number {
    return low + Math.floor(this.uniform() * (high - low + 1));
  }

  chance(share: number): boolean {
    return this.uniform() < share;
  }

  pick<T>(items: readonly T[]): T {
    const item = items[Math.floor(this.uniform() * items.length)];
    if (item === undefined) throw new Error("nothing to pick from");
    return item;
  }
}

interface Planned {
  at_ms: number;
  order: number;
  act: () => void;
}

/** Thrown where a process dies at a crash point. */
export class Died extends Error {
  override name = "Died";
}

/** A property that must hold and did not. */
export class Violation extends Error {
  override name = "Violation";
}

export class World {
  readonly dice: Dice;
  now_ms = 1000;
  events = 0;
  /** FNV-1a over what happened: two runs of one seed must agree. */
  hash = 2166136261;
  private heap: Planned[] = [];
  private order = 0;

  constructor(seed: number) {
    this.dice = new Dice(seed);
  }

  after(delay_ms: number, act: () => void): () => void {
    const planned = { at_ms: this.now_ms + Math.max(0, delay_ms), order: this.order++, act };
    this.insert(planned);
    return () => {
      planned.act = () => {};
    };
  }

  note(what: string): void {
    for (let k = 0; k < what.length; k++) this.hash = Math.imul(this.hash ^ what.charCodeAt(k), 16777619) >>> 0;
  }

  /** Runs until `done` says so or the clock passes `until_ms`; whether `done` was reached. */
  run(until_ms: number, done: () => boolean): boolean {
    for (;;) {
      const next = this.heap[0];
      if (next === undefined || next.at_ms > until_ms) {
        this.now_ms = until_ms;
        return done();
      }
      this.take();
      this.now_ms = next.at_ms;
      this.events++;
      next.act();
      if ((this.events & 15) === 0 && done()) return true;
    }
  }

  private insert(planned: Planned): void {
    const { heap } = this;
    let at = heap.push(planned) - 1;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      const above = heap[parent] as Planned;
      if (!before(planned, above)) break;
      heap[at] = above;
      at = parent;
    }
    heap[at] = planned;
  }

  private take(): void {
    const { heap } = this;
    const last = heap.pop() as Planned;
    if (heap.length === 0) return;
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= heap.length) break;
      if (child + 1 < heap.length && before(heap[child + 1] as Planned, heap[child] as Planned)) child++;
      if (!before(heap[child] as Planned, last)) break;
      heap[at] = heap[child] as Planned;
      at = child;
    }
    heap[at] = last;
  }
}

function before(a: Planned, b: Planned): boolean {
  return a.at_ms < b.at_ms || (a.at_ms === b.at_ms && a.order < b.order);
}

/** One life of a process: when it is over, nothing that it had planned happens any more. */
export class Life {
  readonly world: World;
  readonly name: string;
  /** How far its wall clock is off. */
  skew_ms: number;
  alive = true;
  private readonly atDeath: (() => void)[] = [];

  constructor(world: World, name: string, skew_ms = 0) {
    this.world = world;
    this.name = name;
    this.skew_ms = skew_ms;
  }

  after(delay_ms: number, act: () => void): () => void {
    return this.world.after(delay_ms, () => {
      if (this.alive) this.survive(act);
    });
  }

  /** Runs `act`; a death at a crash point within ends this life and nothing else. */
  survive(act: () => void): void {
    try {
      act();
    } catch (error) {
      if (!(error instanceof Died)) throw error;
      this.die();
    }
  }

  die(): void {
    if (!this.alive) return;
    this.alive = false;
    this.world.note(`${this.name} dies`);
    for (const act of this.atDeath) act();
  }

  onDeath(act: () => void): void {
    this.atDeath.push(act);
  }

  host(): Host {
    const silent = (): void => {};
    return {
      clock: {
        now: () => Math.floor(1_700_000_000_000 + this.world.now_ms + this.skew_ms),
        monotonic: () => this.world.now_ms,
        after: (delay_ms, fire) => this.after(delay_ms, fire),
      },
      random: this.world.dice,
      log: { debug: silent, info: silent, warn: silent, error: silent },
      env: {},
      hostname: "sim",
    };
  }

  /** Plans the next turn of a part of this process. */
  readonly soon = (turn: () => void): void => {
    this.after(this.world.dice.uniform() * 0.5, turn);
  };
}
