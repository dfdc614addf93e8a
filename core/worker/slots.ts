/**
 * What the tasks of one worker share: slots, cores, memory, GPUs. The endpoint decides which task comes here; this
 * only keeps two tasks from getting the same thing.
 */
import type { Resources } from "../schema/task.ts";

/** What one task takes. */
export interface Needs {
  cores: number;
  memory_mib: number;
  gpus: number;
}

/** Nearly all tasks need this, and share it. */
const ordinary: Needs = Object.freeze({ cores: 1, memory_mib: 0, gpus: 0 });

/** What a task takes that asks for `resources`. */
export function needsOf(resources: Resources | undefined): Needs {
  if (resources === undefined) return ordinary;
  return { cores: resources.cores ?? 1, memory_mib: resources.memory_mib ?? 0, gpus: resources.gpus ?? 0 };
}

/** What is free, and what there is at all. */
export class Slots {
  readonly #total: Needs & { slots: number };
  #free: Needs & { slots: number };

  /** Where `resources` does not say, there are as many cores as slots, any amount of memory, and no GPU. */
  constructor(slots: number, resources: Resources) {
    this.#total = {
      slots,
      cores: Math.max(resources.cores ?? slots, slots),
      memory_mib: resources.memory_mib ?? Number.POSITIVE_INFINITY,
      gpus: resources.gpus ?? 0,
    };
    this.#free = { ...this.#total };
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
      free.slots >= 1 && needs.cores <= free.cores && needs.memory_mib <= free.memory_mib && needs.gpus <= free.gpus
    );
  }

  take(needs: Needs): void {
    this.#change(needs, -1);
  }

  give(needs: Needs): void {
    this.#change(needs, 1);
  }

  #change(needs: Needs, sign: 1 | -1): void {
    const free = this.#free;
    free.slots += sign;
    free.cores += sign * needs.cores;
    free.memory_mib += sign * needs.memory_mib;
    free.gpus += sign * needs.gpus;
  }
}
