/**
 * Places that are not all alike: slot 3 has these processors and that accelerator. Only there where an endpoint binds
 * tasks or shares out accelerators; otherwise slots are a mere number (`slots.ts`). No accelerator and no group of
 * processors is ever lent twice.
 */
import { assert } from "../assert.ts";

/** What a task has while it runs. */
export interface Seat {
  /** Slots, lowest first; several when a task asked for more cores than one has. */
  readonly ranks: readonly number[];
  /** Empty: not bound. */
  readonly cpus: readonly number[];
  /** Undefined: accelerators are not shared out here, or the task is left to see all. */
  readonly accelerators: readonly string[] | undefined;
}

export interface SeatPlan {
  readonly slots: number;
  /** Processors of each slot; empty when nothing is bound. */
  readonly groups: readonly (readonly number[])[];
  /** Names, each once. */
  readonly accelerators: readonly string[];
  /** Every task gets one, and one that asked for none sees none. Otherwise only those that ask are held to theirs. */
  readonly accelerator_each: boolean;
}

export class Seats {
  readonly #plan: SeatPlan;
  readonly #ranks: Set<number>;
  readonly #accelerators: Set<string>;

  constructor(plan: SeatPlan) {
    this.#plan = plan;
    this.#ranks = new Set(Array.from({ length: plan.slots }, (_, rank) => rank));
    this.#accelerators = new Set(plan.accelerators);
  }

  fits(cores: number, gpus: number): boolean {
    return gpus <= this.#accelerators.size && this.#choose(cores, gpus) !== undefined;
  }

  /** Only after `fits`. */
  take(cores: number, gpus: number): Seat {
    const ranks = this.#choose(cores, gpus);
    assert(ranks !== undefined && gpus <= this.#accelerators.size, "A seat is only taken where one is free");
    const { groups, accelerators, accelerator_each } = this.#plan;
    const own = ranks.map((rank) => accelerators[rank]).filter((name) => this.#isFree(name));
    const free = new Set([...own, ...accelerators.filter((name) => this.#isFree(name))] as string[]);
    const lent = [...free].slice(0, gpus);
    for (const rank of ranks) this.#ranks.delete(rank);
    for (const name of lent) this.#accelerators.delete(name);
    const cpus = ranks.flatMap((rank) => groups[rank] ?? []);
    return { ranks, cpus, accelerators: gpus > 0 || accelerator_each ? lent : undefined };
  }

  give(seat: Seat): void {
    for (const rank of seat.ranks) this.#ranks.add(rank);
    for (const name of seat.accelerators ?? []) this.#accelerators.add(name);
  }

  /**
   * Slots for so many cores. First those whose own accelerator is free, for who needs one, and those whose is not, for
   * who does not: near to each other is why people write their list in this order.
   */
  #choose(cores: number, gpus: number): number[] | undefined {
    const { groups, accelerators } = this.#plan;
    const ordered = [...this.#ranks].sort((a, b) => a - b);
    const suits = (rank: number): boolean => this.#isFree(accelerators[rank]) === gpus > 0;
    const candidates = [...ordered.filter(suits), ...ordered.filter((rank) => !suits(rank))];
    if (groups.length === 0) return candidates.slice(0, 1).length === 0 ? undefined : candidates.slice(0, 1);
    const most = groups.reduce((sum, group) => sum + group.length, 0);
    const wanted = Math.min(cores, most);
    const chosen: number[] = [];
    let have = 0;
    for (const rank of candidates) {
      chosen.push(rank);
      have += groups[rank]?.length ?? 0;
      if (have >= wanted) return chosen.sort((a, b) => a - b);
    }
    return undefined;
  }

  #isFree(name: string | undefined): boolean {
    return name !== undefined && this.#accelerators.has(name);
  }
}
