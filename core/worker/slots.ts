/**
 * What the tasks of one worker share: slots, cores, memory, GPUs. The endpoint decides which task comes here; this
 * only keeps two tasks from getting the same thing. Which of them a task gets matters only where there are seats.
 */
import type { Resources } from "../schema/task.ts";
import { rankFault, rankShape } from "../task/ranks.ts";
import { type Seat, type SeatPlan, Seats } from "./seats.ts";

/** What one task takes. */
export interface Needs {
  cores: number;
  memory_mib: number;
  gpus: number;
}

/** Nearly all tasks need this, and share it. */
const ordinary: Needs = Object.freeze({ cores: 1, memory_mib: 0, gpus: 0 });

/** How slots are told apart, and what a task takes that does not say. */
export interface Sharing {
  /** Share of one slot; 1, 0 and 0 where it is not said. */
  each?: Partial<Needs>;
  seats?: SeatPlan;
}

/** What is free, and what there is at all. */
export class Slots {
  readonly #total: Needs & { slots: number };
  #free: Needs & { slots: number };
  readonly #each: Needs;
  readonly #seats: Seats | undefined;

  /** Where `resources` does not say, there are as many cores as slots, any amount of memory, and no GPU. */
  constructor(slots: number, resources: Resources, sharing: Sharing = {}) {
    this.#total = {
      slots,
      cores: Math.max(resources.cores ?? slots, slots),
      memory_mib: resources.memory_mib ?? Number.POSITIVE_INFINITY,
      gpus: resources.gpus ?? 0,
    };
    this.#free = { ...this.#total };
    const { cores, memory_mib, gpus } = { ...ordinary, ...sharing.each };
    // A node that is smaller than one share has one slot all the same.
    this.#each = Object.freeze({
      cores: Math.min(Math.max(1, Math.floor(cores)), this.#total.cores),
      memory_mib: Math.min(memory_mib, this.#total.memory_mib),
      gpus: Math.min(gpus, this.#total.gpus),
    });
    this.#seats = sharing.seats === undefined ? undefined : new Seats(sharing.seats);
  }

  /** What a task takes that asks for `resources`. */
  needsOf(resources: Resources | undefined): Needs {
    if (resources === undefined) return this.#each;
    const { cores, memory_mib, gpus } = this.#each;
    return {
      cores: this.#ofRanks(resources) ?? resources.cores ?? cores,
      memory_mib: resources.memory_mib ?? memory_mib,
      gpus: resources.gpus ?? gpus,
    };
  }

  /** Ranks may share cores, and a program on several nodes has each of them to itself. */
  #ofRanks(resources: Resources): number | undefined {
    const shape = rankFault(resources) === undefined ? rankShape(resources) : undefined;
    if (shape === undefined) return undefined;
    if (shape.nodes > 1) return this.#total.cores;
    return Math.min(this.#total.cores, shape.ranks * (resources.cores ?? 1));
  }

  /** Why these needs can never be met here, as the end of a sentence; undefined when they can. */
  impossible(needs: Needs): string | undefined {
    const total = this.#total;
    if (needs.cores > total.cores) return `it needs ${needs.cores} cores and this worker has ${total.cores}`;
    if (needs.gpus > total.gpus) return `it needs ${needs.gpus} GPUs and this worker has ${total.gpus}`;
    if (needs.memory_mib > total.memory_mib) {
      return `it needs ${needs.memory_mib} MiB of memory and this worker has ${total.memory_mib}`;
    }
    return undefined;
  }

  /** Whether there is room now. */
  fits(needs: Needs): boolean {
    const free = this.#free;
    return (
      free.slots >= 1 &&
      needs.cores <= free.cores &&
      needs.memory_mib <= free.memory_mib &&
      needs.gpus <= free.gpus &&
      (this.#seats === undefined || this.#seats.fits(needs.cores, needs.gpus))
    );
  }

  /** Only after `fits`. Returns the seat, where there are any: to be given back with the rest. */
  take(needs: Needs): Seat | undefined {
    this.#change(needs, -1);
    return this.#seats?.take(needs.cores, needs.gpus);
  }

  give(needs: Needs, seat: Seat | undefined): void {
    this.#change(needs, 1);
    if (seat !== undefined) this.#seats?.give(seat);
  }

  #change(needs: Needs, sign: 1 | -1): void {
    const free = this.#free;
    free.slots += sign;
    free.cores += sign * needs.cores;
    free.memory_mib += sign * needs.memory_mib;
    free.gpus += sign * needs.gpus;
  }
}
