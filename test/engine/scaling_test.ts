/** How many blocks there should be. */
import { expect, test } from "bun:test";
import fc from "fast-check";
import { type BlockView, type ScalingRules, scale } from "../../core/engine/scaling.ts";

const rules: ScalingRules = {
  init_blocks: 0,
  min_blocks: 0,
  max_blocks: 4,
  nodes_per_block: 2,
  slots_per_node: 8,
  parallelism: 1,
  max_idle_ms: 120_000,
};
const up = (id: string, idle_since_ms?: number): BlockView => ({ id, stage: "up", planned_ms: 0, idle_since_ms });
const coming = (id: string, planned_ms = 0): BlockView => ({
  id,
  stage: "coming",
  planned_ms,
  idle_since_ms: undefined,
});

test("a block for every nodes × slots tasks, never more than max_blocks", () => {
  for (const [tasks, wanted] of [
    [0, 0],
    [1, 1],
    [16, 1],
    [17, 2],
    [64, 4],
    [1000, 4],
  ] as const) {
    expect(scale(rules, { waiting: tasks, running: 0 }, [], false, 0).more).toBe(wanted);
  }
});

test("parallelism below 1 asks for fewer; 0 asks for one", () => {
  expect(scale({ ...rules, parallelism: 0.5 }, { waiting: 64, running: 0 }, [], false, 0).more).toBe(2);
  expect(scale({ ...rules, parallelism: 0 }, { waiting: 64, running: 0 }, [], false, 0).more).toBe(1);
});

test("what is coming counts, and init_blocks only the first time", () => {
  expect(scale(rules, { waiting: 32, running: 0 }, [coming("a")], false, 0).more).toBe(1);
  expect(scale({ ...rules, init_blocks: 2 }, { waiting: 0, running: 0 }, [], true, 0).more).toBe(2);
  expect(scale({ ...rules, init_blocks: 2 }, { waiting: 0, running: 0 }, [], false, 0).more).toBe(0);
});

test("an idle block is given back after max_idletime, down to min_blocks, and not before", () => {
  const blocks = [up("a", 0), up("b", 0)];
  const early = scale(rules, { waiting: 0, running: 0 }, blocks, false, 119_999);
  expect(early).toMatchObject({ drain: [], look_again_ms: 120_000 });
  expect(scale(rules, { waiting: 0, running: 0 }, blocks, false, 120_000).drain).toEqual(["a", "b"]);
  expect(scale({ ...rules, min_blocks: 1 }, { waiting: 0, running: 0 }, blocks, false, 120_000).drain).toEqual(["a"]);
});

test("a busy block is never drained, and one that has not started is withdrawn only when nothing waits", () => {
  const stages = fc.constantFrom<BlockView["stage"]>("coming", "up", "leaving");
  const view = fc.record({ stage: stages, planned_ms: fc.nat(1000), idle: fc.option(fc.nat(1000)) });
  const args = [fc.array(view, { maxLength: 8 }), fc.nat(100), fc.nat(100), fc.nat(1_000_000)] as const;
  fc.assert(
    fc.property(...args, (views, waiting, running, now_ms) => {
      const blocks = views.map(({ stage, planned_ms, idle }, k) => {
        return { id: String(k), stage, planned_ms, idle_since_ms: stage === "up" ? (idle ?? undefined) : undefined };
      });
      const plan = scale(rules, { waiting, running }, blocks, false, now_ms);
      for (const id of plan.drain) expect(blocks[Number(id)]?.idle_since_ms).toBeDefined();
      for (const id of plan.withdraw) expect(blocks[Number(id)]?.stage).toBe("coming");
      if (waiting > 0) expect(plan.withdraw).toEqual([]);
      const live = blocks.filter(({ stage }) => stage !== "leaving").length;
      expect(live + plan.more).toBeLessThanOrEqual(Math.max(live, rules.max_blocks));
      expect(plan.more === 0 || (plan.drain.length === 0 && plan.withdraw.length === 0)).toBe(true);
    }),
  );
});
