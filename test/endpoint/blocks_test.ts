/** What an endpoint decides about blocks. */
import { expect, test } from "bun:test";
import type { EndpointEvent } from "../../core/endpoint/decision.ts";
import type { TaskSpec } from "../../core/schema/task.ts";
import { accepted, of, seen, settings, up, workerOf } from "./block_scene.ts";
import { Driver, owner, stranger, tasks, tid } from "./driver.ts";

/** A block with one worker that runs the two tasks of one envelope. */
function busy(): { driver: Driver; block: string; worker: string; mail: ReturnType<typeof tasks> } {
  const driver = new Driver(settings);
  const mail = tasks("1", [{}, {}]);
  driver.step(mail);
  const block = driver.block().id;
  driver.step(accepted(block), up(driver, block));
  return { driver, block, worker: workerOf(block), mail };
}

test("a block is in the journal in the turn that asks for it", () => {
  const driver = new Driver(settings);
  const effects = driver.step(tasks("1", [{}]));
  const [submit] = of(effects, "submit_block");
  expect(driver.records.some((record) => record.t === "block_planned" && record.block === submit?.block)).toBe(true);
  expect(submit?.name).toMatch(/^gc[a-z0-9]{12}$/);
});

test("more demand is more blocks, one submission in a while", () => {
  const driver = new Driver(settings);
  const first = driver.step(tasks("1", new Array(6).fill({})));
  expect(of(first, "submit_block")).toHaveLength(1);
  expect(of(first, "wake").some((wake) => wake.at_ms === 10_000)).toBe(true);
  expect(of(driver.step({ t: "tick", now_ms: 9999 }), "submit_block")).toHaveLength(0);
  expect(of(driver.step({ t: "tick", now_ms: 10_000 }), "submit_block")).toHaveLength(1);
});

test("tasks go to the workers of the block, and a worker of an unknown block gets none", () => {
  const { driver, worker, mail } = busy();
  expect(driver.runs().map((run) => [run.worker, run.tid])).toEqual([
    [worker, tid(mail, 0)],
    [worker, tid(mail, 1)],
  ]);
  const stranger = "99999999-0000-8000-8000-000000000000";
  const effects = driver.step(tasks("2", [{}]), up(driver, stranger));
  expect(driver.runs()).toEqual([]);
  expect(of(effects, "to_worker")[0]?.messages).toEqual([{ t: "stop", how: "now" }]);
});

test("after a restart a block is looked for, not asked for again; its worker is adopted", () => {
  const { driver, block, worker, mail } = busy();
  driver.restart();
  expect(of(driver.effects, "submit_block")).toEqual([]);
  expect(of(driver.effects, "poll_blocks")).toHaveLength(1);
  const event = driver.ready(worker, 2, [
    { tid: tid(mail, 0), attempt: 1, phase: "running" },
    { tid: tid(mail, 1), attempt: 1, phase: "running" },
  ]) as Extract<EndpointEvent, { t: "worker_up" }>;
  driver.step({ ...event, block });
  expect(driver.runs()).toEqual([]);
});

test("an unclear submission is looked up by name: found, it is adopted; never repeated meanwhile", () => {
  const driver = new Driver(settings);
  driver.step(tasks("1", [{}]));
  const { id: block } = driver.block();
  driver.step({ t: "block_sent", block, outcome: { is: "ambiguous", text: "timed out" }, now_ms: 0 });
  const look = { t: "blocks_seen", sights: [], found: [], names_covered: true, now_ms: 60_000 } as const;
  expect(of(driver.step(look), "submit_block")).toEqual([]);
  driver.step({ ...look, found: [{ block, job: "23" }] });
  expect(driver.records.at(-1)).toMatchObject({ t: "block_submitted", job: "23" });
  driver.step({ t: "block_sent", block, outcome: { is: "rejected", class: "config", text: "late" }, now_ms: 61_000 });
  expect(driver.records.some((record) => record.t === "block_over")).toBe(false);
});

test("an unclear submission that never shows is given up after some looks, and another block is asked for", () => {
  const driver = new Driver(settings);
  driver.step(tasks("1", [{}]));
  const { id: block } = driver.block();
  driver.step({ t: "block_sent", block, outcome: { is: "ambiguous", text: "timed out" }, now_ms: 0 });
  const look = (now_ms: number): EndpointEvent => {
    return { t: "blocks_seen", sights: [], found: [], names_covered: true, now_ms };
  };
  driver.step(look(50_000), look(90_000));
  expect(of(driver.step(look(130_000)), "submit_block")).toHaveLength(1);
  expect(driver.records.some((record) => record.t === "block_over" && record.block === block)).toBe(true);
});

test("a block that ran and went before its id was learnt: its worker is buried, its tasks run again", () => {
  const driver = new Driver(settings);
  const mail = tasks("1", [{}]);
  driver.step(mail);
  const { id: block } = driver.block();
  driver.step({ t: "block_sent", block, outcome: { is: "ambiguous", text: "timed out" }, now_ms: 0 });
  driver.step(up(driver, block));
  const worker = workerOf(block);
  const look = (now_ms: number): EndpointEvent => {
    return { t: "blocks_seen", sights: [], found: [], names_covered: true, now_ms };
  };
  for (const at of [130_000, 160_000, 190_000]) driver.step(look(at));
  expect(of(driver.effects, "bury")).toEqual([]);
  driver.step({ t: "worker_down", worker, now_ms: 200_000 });
  for (const at of [230_000, 260_000, 290_000]) driver.step(look(at));
  expect(of(driver.effects, "bury")).toMatchObject([{ worker }]);
  driver.step(driver.buried(worker));
  expect(driver.records.some((record) => record.t === "block_over" && record.block === block)).toBe(true);
  expect([...([...driver.state.memory.held.values()][0]?.phases ?? [])]).toEqual([0]);
});

test("a block that ends by its walltime takes no blame: its tasks run again and count no crash", () => {
  const { driver, block, worker, mail } = busy();
  driver.step(driver.started(worker, tid(mail, 0)));
  const effects = driver.step(seen(block, { phase: "done", outcome: "timeout" }));
  expect(of(effects, "bury")).toMatchObject([{ worker, blame: false }]);
  driver.step({ ...driver.buried(worker), blame: false } as EndpointEvent);
  const held = [...driver.state.memory.held.values()][0];
  expect([...(held?.crashes ?? [])]).toEqual([0, 0]);
  expect([...(held?.phases ?? [])]).toEqual([0, 0]);
  expect(driver.records.some((record) => record.t === "block_over")).toBe(true);
});

test("absence counts only after a while, more than once and without a worker that answers; silence never", () => {
  const { driver, block, worker } = busy();
  const sight = (seen: "absent" | "uncovered", now_ms: number): EndpointEvent => {
    const one = seen === "absent" ? { seen } : { seen, why: "timed out" };
    return { t: "blocks_seen", sights: [{ block, sight: one }], found: [], names_covered: false, now_ms };
  };
  for (let k = 0; k < 10; k++) driver.step(sight("uncovered", 40_000 + k * 30_000));
  expect(of(driver.effects, "bury")).toEqual([]);
  // The scheduler forgot it, and yet it runs.
  for (let k = 0; k < 10; k++) driver.step(sight("absent", 340_000 + k * 5000));
  expect(of(driver.effects, "bury")).toEqual([]);
  driver.step({ t: "worker_down", worker, now_ms: 395_000 }, sight("absent", 400_000));
  expect(of(driver.effects, "bury")).toEqual([]);
  driver.step(sight("absent", 430_000));
  expect(of(driver.effects, "bury")).toHaveLength(1);
});

test("three blocks that end before a worker is ready pause the engine with their last words", () => {
  const driver = new Driver({ ...settings, submit_gap_ms: 0 });
  driver.step(tasks("1", [{}]));
  for (let k = 0; k < 3; k++) {
    const { id } = driver.block();
    driver.step(accepted(id, String(k)));
    driver.step(seen(id, { phase: "done", outcome: "failed" }, k, "worker_init ended with exit code 1"));
  }
  expect(driver.state.memory.paused).toContain("worker_init ended with exit code 1");
  expect(driver.records.filter((record) => record.t === "block_planned")).toHaveLength(3);
});

test("refused submissions pause the engine: soon when trying again cannot help", () => {
  const driver = new Driver({ ...settings, submit_gap_ms: 1 });
  driver.step(tasks("1", [{}]));
  for (let k = 0; k < 3; k++) {
    const { id: block } = driver.block();
    const outcome = { is: "rejected", class: "config", text: "invalid partition" } as const;
    driver.step({ t: "block_sent", block, outcome, now_ms: k * 1000 });
    driver.step({ t: "tick", now_ms: k * 1000 + 500 });
  }
  expect(driver.state.memory.paused).toContain("invalid partition");
});

test("an idle block is drained, and its end is no failure", () => {
  const { driver, block, worker, mail } = busy();
  driver.step(
    driver.finished(worker, tid(mail, 0), undefined, 1, 1000),
    driver.finished(worker, tid(mail, 1), undefined, 1, 1000),
  );
  expect(of(driver.effects, "wake").map((wake) => wake.at_ms)).toContain(61_000);
  const effects = driver.step({ t: "tick", now_ms: 61_000 });
  expect(of(effects, "to_worker")[0]?.messages).toEqual([{ t: "stop", how: "drain" }]);
  driver.step(driver.buried(worker), seen(block, { phase: "done", outcome: "ok" }, 70_000));
  expect(driver.state.memory.blocks.size).toBe(0);
  expect(driver.state.pool.barren).toBe(0);
});

test("before its walltime ends a block gets no more tasks", () => {
  const { driver, worker } = busy();
  const due_ms = (3600 - 60) * 1000;
  const effects = driver.step({ t: "tick", now_ms: due_ms });
  expect(of(effects, "to_worker")).toMatchObject([{ worker, messages: [{ t: "stop", how: "drain" }] }]);
});

test("a stop gives everything back and ends when nothing is left", () => {
  const { driver, block, worker } = busy();
  const effects = driver.step({ t: "stop", how: "now", now_ms: 0 });
  expect(of(effects, "to_worker")[0]?.messages).toEqual([{ t: "stop", how: "now" }]);
  const buried = driver.step({ t: "worker_down", worker, now_ms: 0 }, driver.buried(worker));
  expect(of(buried, "cancel_block")).toMatchObject([{ block }]);
  expect(of(buried, "exit")).toEqual([]);
  const over = driver.step(seen(block, { phase: "done", outcome: "cancelled" }));
  expect(of(over, "exit")).toHaveLength(1);
});

test("what a leaving block still runs is no reason for another one, and it counts against max_blocks", () => {
  const { driver, block, worker, mail } = busy();
  driver.step(driver.started(worker, tid(mail, 0)), driver.started(worker, tid(mail, 1)));
  const drained = driver.step({ t: "tick", now_ms: (3600 - 60) * 1000 });
  expect(of(drained, "submit_block")).toEqual([]);
  expect(driver.state.memory.blocks.has(block)).toBe(true);
  const more = driver.step({ ...tasks("2", [{}]), now_ms: 3_541_000 });
  expect(of(more, "submit_block")).toHaveLength(1);
  const tight = new Driver({ ...settings, max_blocks: 1 });
  const first = tasks("1", [{}]);
  tight.step(first);
  const only = tight.block().id;
  tight.step(accepted(only), up(tight, only));
  tight.step({ t: "tick", now_ms: (3600 - 60) * 1000 });
  expect(of(tight.step({ ...tasks("2", [{}]), now_ms: 3_541_000 }), "submit_block")).toEqual([]);
});

test("a block that the scheduler begins anew keeps its id; old workers are buried, new ones are welcome", () => {
  const { driver, block, worker, mail } = busy();
  driver.step(seen(block, { phase: "running" }, 1000), { t: "worker_down", worker, now_ms: 1500 });
  driver.step(seen(block, { phase: "pending" }, 2000));
  expect(of(driver.effects, "bury")).toEqual([]);
  const effects = driver.step(seen(block, { phase: "pending" }, 3000));
  expect(of(effects, "bury")).toMatchObject([{ worker, blame: false }]);
  driver.step({ ...driver.buried(worker), blame: false } as EndpointEvent);
  expect(driver.state.memory.blocks.has(block)).toBe(true);
  const event = driver.ready(workerOf(block, 2), 2) as Extract<EndpointEvent, { t: "worker_up" }>;
  driver.step({ ...event, block });
  expect(driver.runs().map((run) => run.tid)).toEqual([tid(mail, 0), tid(mail, 1)]);
});

test("an order that got lost is given again, but not to a block that is busy", () => {
  const driver = new Driver(settings);
  const mail = tasks("1", [{}]);
  driver.step(mail);
  const { id: block } = driver.block();
  driver.step(accepted(block), { t: "stop", how: "now", now_ms: 0 });
  expect(of(driver.effects, "cancel_block")).toHaveLength(1);
  const still = (now_ms: number) => of(driver.step(seen(block, { phase: "pending" }, now_ms)), "cancel_block");
  expect(still(5000)).toHaveLength(0);
  expect(still(40_000)).toHaveLength(1);
});

test("a stop does not wait for workers that do not leave", () => {
  const { driver, block } = busy();
  expect(of(driver.step({ t: "stop", how: "now", now_ms: 0 }), "cancel_block")).toEqual([]);
  expect(of(driver.step({ t: "tick", now_ms: 10_000 }), "cancel_block")).toMatchObject([{ block }]);
  expect(of(driver.step({ t: "tick", now_ms: 11_000 }), "cancel_block")).toEqual([]);
});

test("a submission that a look finds while the endpoint stops is cancelled", () => {
  const driver = new Driver(settings);
  driver.step(tasks("1", [{}]));
  const { id: block } = driver.block();
  driver.step({ t: "block_sent", block, outcome: { is: "ambiguous", text: "timed out" }, now_ms: 0 });
  driver.step({ t: "stop", how: "now", now_ms: 1 });
  const found = { t: "blocks_seen", sights: [], found: [{ block, job: "5" }], names_covered: true, now_ms: 5 } as const;
  expect(of(driver.step(found), "cancel_block")).toMatchObject([{ block }]);
});

test("blocks of an earlier life that ended meanwhile do not pause the engine", () => {
  const driver = new Driver({ ...settings, submit_gap_ms: 0 });
  driver.step(tasks("1", new Array(8).fill({})));
  for (let k = 0; k < 3; k++) {
    driver.step(accepted(driver.block().id, String(k)), { t: "tick", now_ms: k + 1 });
  }
  driver.restart();
  for (const block of [...driver.state.memory.blocks.keys()])
    driver.step(seen(block, { phase: "done", outcome: "timeout" }));
  expect(driver.state.memory.paused).toBeUndefined();
});

test("a paused engine gives idle blocks back and asks for none", () => {
  const { driver, worker, mail } = busy();
  for (const index of [0, 1]) driver.step(driver.finished(worker, tid(mail, index), undefined, 1, 1000));
  driver.order("pause");
  driver.step(tasks("2", new Array(9).fill({})));
  const effects = driver.step({ t: "tick", now_ms: 61_000 });
  expect(of(effects, "submit_block")).toEqual([]);
  expect(of(effects, "to_worker")[0]?.messages).toEqual([{ t: "stop", how: "drain" }]);
});

test("the owner says how many blocks are kept: asked for at once, given back at once, also after a restart", () => {
  const driver = new Driver({ ...settings, submit_gap_ms: 0 });
  expect(driver.order("scale", 9)).toMatchObject({ ok: false, message: expect.stringContaining("max_blocks") });
  expect(driver.order("scale", 1)).toMatchObject({ ok: true });
  const { id: block } = driver.block();
  driver.step(accepted(block), up(driver, block));
  driver.step({ t: "tick", now_ms: 600_000 });
  expect(driver.state.memory.blocks.size).toBe(1);
  driver.restart();
  expect(driver.state.memory.blocks_kept).toBe(1);
  driver.step(up(driver, block));
  driver.order("scale", 0);
  expect(of(driver.effects, "to_worker").at(-1)?.messages).toEqual([{ t: "stop", how: "drain" }]);
});

test("a user sees why a task waits and how blocks are; what they printed is for the owner", () => {
  const driver = new Driver(settings);
  const mail = tasks("1", [{}], { from: stranger });
  driver.step(mail);
  const { id: block } = driver.block();
  driver.step(accepted(block));
  const sight = { seen: "seen" as const, state: { phase: "pending" as const }, raw: "PENDING", reason: "Resources" };
  const words = [{ block, sight, last_words: "secret" }];
  driver.step({ t: "blocks_seen", sights: words, found: [], names_covered: false, now_ms: 1 });
  const [answer] = driver.ask(stranger, { t: "ask_tasks", rid: 1, tids: [tid(mail)] });
  expect(answer).toMatchObject({ tasks: [{ reason: "Block 17 is pending (Resources)" }] });
  const status = (user: typeof owner) => driver.ask(user, { t: "ask_status", rid: 2 })[0];
  expect(status(owner)).toMatchObject({ blocks: [{ job: "17", state: "pending", last_words: "secret" }] });
  expect(JSON.stringify(status(stranger))).not.toContain("secret");
});

test("a worker whose node is taken away gets nothing more, also when it introduces itself again", () => {
  const { driver, block, worker, mail } = busy();
  driver.step({ t: "from_worker", worker, message: { t: "leaving" } });
  driver.step(driver.finished(worker, tid(mail, 0)));
  driver.step(tasks("2", [{}]));
  expect(driver.runs()).toEqual([]);
  driver.restart();
  const back = driver.ready(worker, 2) as Extract<EndpointEvent, { t: "worker_up" }>;
  driver.step({ ...back, block, ready: { ...back.ready, leaving: true } });
  expect(driver.runs().map((run) => run.tid)).toEqual([tid(mail, 1)]);
});

test("a task that no node will ever be large enough for is refused at once; others of its mail run", () => {
  const driver = new Driver({ ...settings, largest: { cores: 4, gpus: 0 } });
  const ask = (resources: NonNullable<TaskSpec["resources"]>) => ({ resources });
  const mail = tasks("1", [{}, ask({ cores: 8 }), ask({ gpus: 1 }), ask({ nodes: 2 }), ask({ memory_mib: 999_999 })]);
  driver.step(mail);
  const [held] = [...driver.state.memory.held.values()];
  expect([1, 2, 3].map((index) => held?.results[index]?.outcome)).toMatchObject([
    { class: "rejected", reason: "It asks for 8 cores, and the largest node here has 4" },
    { class: "rejected", reason: "It asks for 1 GPUs, and the largest node here has none" },
    { class: "rejected", reason: "It asks for 2 nodes, and a task runs on one node here" },
  ]);
  expect(driver.state.memory.unfinished).toBe(2);
});

test("a task that wants its node for itself shares it with no other", () => {
  const driver = new Driver(settings);
  const mail = tasks("1", [{ resources: { exclusive: true } }, {}, {}]);
  driver.step(mail);
  const { id: block } = driver.block();
  driver.step(accepted(block), up(driver, block));
  expect(driver.runs().map((run) => run.tid)).toEqual([tid(mail, 0)]);
  driver.step(driver.finished(workerOf(block), tid(mail, 0)));
  expect(driver.runs().map((run) => run.tid)).toEqual([tid(mail, 1), tid(mail, 2)]);
});

test("a clock that is set back by a day delays nothing by a day", () => {
  const driver = new Driver(settings);
  const day_ms = 86_400_000;
  driver.step({ ...tasks("1", [{}]), now_ms: 2 * day_ms });
  const { id: block } = driver.block();
  const outcome = { is: "rejected", class: "transient", text: "away" } as const;
  driver.step({ t: "block_sent", block, outcome, now_ms: 2 * day_ms });
  driver.step({ t: "tick", now_ms: day_ms });
  expect(of(driver.step({ t: "tick", now_ms: day_ms + 10_000 }), "submit_block")).toHaveLength(1);
});

test("a scheduler whose clock is wrong does not make a block leave early", () => {
  const { driver, block, worker } = busy();
  const sight = {
    seen: "seen" as const,
    state: { phase: "running" as const },
    raw: "RUNNING",
    started_ms: -86_400_000,
  };
  driver.step({ t: "blocks_seen", sights: [{ block, sight }], found: [], names_covered: false, now_ms: 1000 });
  expect(of(driver.effects, "to_worker").filter((effect) => effect.worker === worker)).toEqual([]);
});
