/** The least loaded of many workers. */
import { expect, test } from "bun:test";
import fc from "fast-check";
import { LeastLoaded } from "../../core/engine/least_loaded.ts";
import { Pool, type PoolWorker } from "../../core/engine/pool.ts";
import type { TaskId } from "../../core/task/id.ts";

function pool(shapes: readonly { slots: number; has: number }[]): PoolWorker[] {
  const pool = new Pool();
  return shapes.map(({ slots, has }, i) => {
    const worker = pool.add(String(i), 0);
    worker.slots = slots;
    for (let k = 0; k < has; k++) give(worker);
    return worker;
  });
}

function give(worker: PoolWorker): void {
  worker.assigned.set(`${worker.id} ${worker.assigned.size}` as TaskId, {} as never);
}

const hasRoom = ({ assigned, slots }: PoolWorker): boolean => assigned.size < slots;

test("gives every task to the worker that a look at all would choose, whatever else is given away meanwhile", () => {
  const shape = fc.record({ slots: fc.integer({ min: 1, max: 5 }), has: fc.integer({ min: 0, max: 5 }) });
  fc.assert(
    fc.property(fc.array(shape, { maxLength: 12 }), fc.array(fc.nat(), { maxLength: 40 }), (shapes, others) => {
      const workers = pool(shapes);
      const least = new LeastLoaded(workers, hasRoom);
      for (const other of others) {
        let wanted: PoolWorker | undefined;
        for (const one of workers) {
          if (!hasRoom(one)) continue;
          if (wanted === undefined || one.assigned.size - one.slots < wanted.assigned.size - wanted.slots) wanted = one;
        }
        expect(least.first()?.id).toBe(wanted?.id);
        if (wanted !== undefined) give(wanted);
        // A task of another kind goes to somebody else.
        const one = workers[other % Math.max(1, workers.length)];
        if (one !== undefined && other % 3 === 0) give(one);
      }
    }),
  );
});
