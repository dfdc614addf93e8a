/** With many workers, what follows from a report is done for several at once. */
import { describe, expect, test } from "bun:test";
import type { EndpointEvent } from "../../core/endpoint/decision.ts";
import { accepted, settings } from "./block_scene.ts";
import { Driver, result, tasks, tid } from "./driver.ts";

/** A block with so many workers of one slot each, all busy with the first tasks of a mail that has twice as many. */
function field(workers: number): { driver: Driver; ids: string[]; mail: ReturnType<typeof tasks> } {
  const driver = new Driver({ ...settings, tasks_max: 10_000, max_blocks: 1, slots_per_node: 1000 });
  const mail = tasks("1", new Array(workers * 2).fill({}));
  driver.step(mail);
  const { id } = driver.block();
  driver.step(accepted(id));
  const ids = Array.from({ length: workers }, (_, i) => `${id.slice(0, 28)}${(i + 1).toString(16).padStart(8, "0")}`);
  for (const worker of ids) {
    const up = driver.ready(worker, 1) as Extract<EndpointEvent, { t: "worker_up" }>;
    driver.step({ ...up, block: id });
  }
  return { driver, ids, mail };
}

describe("with many workers", () => {
  const wakes = (driver: Driver) => driver.effects.filter((effect) => effect.t === "wake");

  test("reports that follow closely are answered at once, and their workers get new tasks together", () => {
    const { driver, ids, mail } = field(40);
    const [one = "", two = "", three = ""] = ids;
    driver.step(driver.finished(one, tid(mail, 0), result(), 1, 1000));
    expect(driver.runs().map(({ worker }) => worker)).toEqual([one]);
    for (const [worker, index] of [
      [two, 1],
      [three, 2],
    ] as const) {
      driver.step(driver.finished(worker, tid(mail, index), result(), 1, 1001));
      expect(driver.runs()).toEqual([]);
      expect(wakes(driver)).toEqual([{ t: "wake", at_ms: 1005 }]);
      expect(driver.effects).toContainEqual({
        t: "to_worker",
        worker,
        messages: [{ t: "result_ack", done: [{ tid: tid(mail, index), attempt: 1 }] }],
      });
    }
    driver.step({ t: "tick", now_ms: 1005 });
    expect(driver.runs().map(({ worker }) => worker)).toEqual([two, three]);
  });

  test("a few workers get theirs with every report", () => {
    const { driver, ids, mail } = field(3);
    for (const [index, worker] of ids.entries()) {
      driver.step(driver.finished(worker, tid(mail, index), result(), 1, 1000));
      expect(driver.runs().map((run) => run.worker)).toEqual([worker]);
    }
  });
});
