/**
 * The least loaded of many workers, again and again while one turn gives tasks away: a heap, because looking at every
 * worker for every task costs more than all the rest when there are a thousand. For tasks that ask for one core and
 * nothing else: a worker that has no room for one of them has none for the next.
 */
import type { PoolWorker } from "./pool.ts";

interface Entry {
  readonly worker: PoolWorker;
  /** Its place among the workers: of equal ones the first is taken. */
  readonly order: number;
  load: number;
}

export class LeastLoaded {
  /** The workers it was made of. */
  readonly of: readonly PoolWorker[];
  private readonly hasRoom: (worker: PoolWorker) => boolean;
  private readonly heap: Entry[] = [];

  constructor(workers: readonly PoolWorker[], hasRoom: (worker: PoolWorker) => boolean) {
    this.of = workers;
    this.hasRoom = hasRoom;
    let order = 0;
    // Mostly all are busy but for the one that has just reported.
    for (const worker of workers) if (hasRoom(worker)) this.heap.push({ worker, order: order++, load: loadOf(worker) });
    for (let at = (this.heap.length >> 1) - 1; at >= 0; at--) this.sink(at);
  }

  /** The least loaded worker that has room. What was given away since is seen; nothing may have been taken back. */
  first(): PoolWorker | undefined {
    for (let top = this.heap[0]; top !== undefined; top = this.heap[0]) {
      const load = loadOf(top.worker);
      if (load !== top.load) top.load = load;
      else if (this.hasRoom(top.worker)) return top.worker;
      else this.dropFirst();
      this.sink(0);
    }
    return undefined;
  }

  private dropFirst(): void {
    const last = this.heap.pop();
    if (last !== undefined && this.heap.length > 0) this.heap[0] = last;
  }

  private sink(from: number): void {
    const { heap } = this;
    for (let at = from; ; ) {
      let least = at;
      for (let child = 2 * at + 1; child <= 2 * at + 2; child++) if (before(heap[child], heap[least])) least = child;
      if (least === at) return;
      [heap[at], heap[least]] = [heap[least] as Entry, heap[at] as Entry];
      at = least;
    }
  }
}

function before(a: Entry | undefined, b: Entry | undefined): boolean {
  if (a === undefined || b === undefined) return false;
  return a.load < b.load || (a.load === b.load && a.order < b.order);
}

function loadOf({ assigned, slots }: PoolWorker): number {
  return assigned.size - slots;
}
