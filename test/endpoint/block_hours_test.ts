/** What an endpoint decides about blocks when it is outside the hours of its schedule. */
import { expect, test } from "bun:test";
import type { BatchSettings } from "../../core/endpoint/batch_settings.ts";
import { OpeningHours } from "../../core/endpoint/opening_hours.ts";
import type { BlockState } from "../../providers/outcome.ts";
import { accepted, of, seen, settings, up, workerOf } from "./block_scene.ts";
import { Driver, owner, tasks, tid } from "./driver.ts";

/** Open from 00:00 to 00:30 UTC of every day: at the beginning of time, for half an hour. */
function nightly(running_blocks: "keep" | "drain"): BatchSettings {
  const windows = [{ from: "0 0 * * *", for_s: 1800 }];
  return { ...settings, hours: new OpeningHours({ timezone: "UTC", windows, pauses: [], running_blocks }) };
}
const closes_ms = 1800_000;
const day_ms = 24 * 3600_000;

test("outside its window no block is asked for, and it wakes up when the window opens", () => {
  const driver = new Driver(nightly("keep"));
  const effects = driver.step(tasks("1", [{}]), { t: "tick", now_ms: closes_ms + 1000 });
  expect(of(effects, "submit_block")).toHaveLength(1);
  const late = new Driver(nightly("keep"));
  const mail = { ...tasks("1", [{}]), now_ms: closes_ms + 1000 };
  const closed = late.step(mail);
  expect(of(closed, "submit_block")).toHaveLength(0);
  expect(of(closed, "wake").map(({ at_ms }) => at_ms)).toEqual([day_ms]);
  const why = late.ask(owner, { t: "ask_tasks", rid: 1, tids: [tid(mail)] })[0];
  const words = "outside its availability window, opens at 1970-01-02T00:00:00.000Z";
  expect(why).toMatchObject({ tasks: [{ phase: "waiting", reason: `Its endpoint is ${words}` }] });
  expect(late.ask(owner, { t: "ask_status", rid: 2 })[0]).toMatchObject({ state: "running", reason: words });
  expect(of(late.step({ t: "tick", now_ms: day_ms }), "submit_block")).toHaveLength(1);
  expect(late.ask(owner, { t: "ask_status", rid: 2 })[0]).not.toHaveProperty("reason");
});

test("when its window closes, a block that has not started is taken back, and one that runs goes on", () => {
  const driver = new Driver(nightly("keep"));
  driver.step(tasks("1", new Array(4).fill({})));
  const first = driver.block().id;
  driver.step(accepted(first), up(driver, first));
  driver.step({ t: "tick", now_ms: 10_000 });
  const second = driver.block().id;
  driver.step(accepted(second, "18"), seen(second, { phase: "pending" } as BlockState, 11_000));
  const effects = driver.step({ t: "tick", now_ms: closes_ms });
  expect(of(effects, "cancel_block").map(({ block }) => block)).toEqual([second]);
  expect(driver.state.pool.workers.get(workerOf(first))?.stopping).not.toBe(true);
});

test("running_blocks: drain lets the blocks that run finish what they have when the window closes", () => {
  const driver = new Driver(nightly("drain"));
  driver.step(tasks("1", [{}, {}]));
  const block = driver.block().id;
  driver.step(accepted(block), up(driver, block, closes_ms - 1));
  expect(driver.step({ t: "tick", now_ms: closes_ms })).toContainEqual({
    t: "to_worker",
    worker: workerOf(block),
    messages: [{ t: "stop", how: "drain" }],
  });
});

test("a restart outside the window takes no block back that has workers", () => {
  const { driver, block } = restartable();
  driver.restart();
  const effects = driver.step({ t: "tick", now_ms: closes_ms + 1000 });
  expect(of(effects, "cancel_block")).toEqual([]);
  expect(driver.state.memory.blocks.has(block)).toBe(true);
});

function restartable(): { driver: Driver; block: string } {
  const driver = new Driver(nightly("keep"));
  driver.step(tasks("1", [{}, {}]));
  const block = driver.block().id;
  driver.step(accepted(block), up(driver, block));
  return { driver, block };
}
