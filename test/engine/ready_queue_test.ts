/** The queue of waiting tasks against a plain list. */
import { expect, test } from "bun:test";
import fc from "fast-check";
import { type ReadyEnvelope, ReadyQueue } from "../../core/engine/ready_queue.ts";
import { phase } from "../../core/task/lifecycle.ts";

function envelope(count: number, priority = 0): ReadyEnvelope & { name: number } {
  return { name: 0, header: { priority }, count, phases: new Uint8Array(count), fresh: 0, back: [], queued: false };
}

test("tasks come by priority, then in the order they were added, each once", () => {
  const sizes = fc.array(fc.tuple(fc.integer({ min: 1, max: 5 }), fc.integer({ min: -2, max: 2 })), { maxLength: 20 });
  fc.assert(
    fc.property(sizes, fc.integer({ min: 1, max: 7 }), (spec, batch) => {
      const queue = new ReadyQueue<ReadyEnvelope & { name: number }>();
      const wanted: [number, number, number][] = [];
      spec.forEach(([count, priority], name) => {
        queue.add({ ...envelope(count, priority), name });
        for (let index = 0; index < count; index++) wanted.push([-priority, name, index]);
      });
      wanted.sort((a, b) => a[0] - b[0] || a[1] - b[1] || a[2] - b[2]);
      const seen: [number, number][] = [];
      while (!queue.empty()) {
        let left = batch;
        queue.walk((item, index) => {
          if (left-- === 0) return "stop";
          item.phases[index] = phase.leased;
          seen.push([item.name, index]);
          return "take";
        });
      }
      expect(seen).toEqual(wanted.map(([, name, index]) => [name, index]));
    }),
  );
});

test("a parked task is out of the way until unpark, and comes back once", () => {
  const queue = new ReadyQueue();
  const item = envelope(3);
  queue.add(item);
  queue.walk((_, index) => (index === 1 ? "park" : "take"));
  expect(queue.empty()).toBe(true);
  expect(queue.isParked(item, 1)).toBe(true);
  queue.unpark();
  const seen: number[] = [];
  queue.walk((_, index) => {
    seen.push(index);
    return "take";
  });
  expect(seen).toEqual([1]);
});

test("what was removed is not shown", () => {
  const queue = new ReadyQueue();
  const [one, two] = [envelope(1), envelope(1)];
  queue.add(one);
  queue.add(two);
  queue.remove(one);
  let shown = 0;
  queue.walk((item) => {
    expect(item).toBe(two);
    shown++;
    return "take";
  });
  expect(shown).toBe(1);
});
