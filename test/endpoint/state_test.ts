/** What an endpoint decides about tasks, workers and results. */
import { describe, expect, test } from "bun:test";
import type { EndpointEffect } from "../../core/endpoint/decision.ts";
import { Driver, owner, result, stranger, tasks, tid } from "./driver.ts";

const ofKind = <T extends EndpointEffect["t"]>(effects: EndpointEffect[], t: T) =>
  effects.filter((effect): effect is Extract<EndpointEffect, { t: T }> => effect.t === t);

const up = { t: "relay_up", epoch: "e1", now_ms: 0 } as const;

describe("mail", () => {
  test("a task envelope is journalled in the turn that acknowledges it", () => {
    const driver = new Driver();
    const effects = driver.step(tasks("1", [{ argv: ["true"] }]));
    expect(driver.records.map((record) => record.t)).toContain("accepted");
    expect(ofKind(effects, "ack_mail")[0]?.accepts).toHaveLength(1);
  });

  test("the same envelope twice is accepted twice and held once", () => {
    const driver = new Driver();
    const mail = tasks("1", [{ argv: ["true"] }]);
    driver.step(mail);
    const effects = driver.step(mail);
    expect(driver.records.filter((record) => record.t === "accepted")).toHaveLength(1);
    expect(ofKind(effects, "ack_mail")[0]?.accepts).toHaveLength(1);
  });

  test("other bytes under a known id are not accepted", () => {
    const driver = new Driver();
    const mail = tasks("1", [{ argv: ["true"] }]);
    driver.step(mail);
    const effects = driver.step({ ...mail, arrival: { ...mail.arrival, digest: "other" } });
    expect(ofKind(effects, "ack_mail")[0]?.accepts).toEqual([]);
  });

  test("a refused envelope ends at once with the reason, and is never leased", () => {
    const driver = new Driver();
    driver.withWorker();
    driver.step(up, tasks("1", [{ argv: ["rm"] }, { argv: ["rm"] }], { refused: "Not allowed" }));
    expect(driver.deposits().map((one) => one.result.outcome.class)).toEqual(["rejected", "rejected"]);
    expect(driver.runs()).toEqual([]);
  });

  test("an envelope whose receipts all came is remembered, and a late copy does not run", () => {
    const driver = new Driver();
    const worker = driver.withWorker();
    const mail = tasks("1", [{ argv: ["true"] }]);
    driver.step(up, mail);
    driver.step(driver.finished(worker, tid(mail)));
    const [deposit] = ofKind(driver.effects, "deposit");
    driver.step({ t: "stored", ids: [deposit?.id ?? ""], now_ms: 0 });
    const header = { ...mail.arrival.header, kind: "receipt" as const, re: mail.arrival.header.id, indices: [0] };
    driver.step({ t: "receipt", seq: 2, header, now_ms: 0 });
    expect(driver.state.memory.held.size).toBe(0);
    driver.restart();
    driver.step(driver.ready(worker));
    const effects = driver.step(mail);
    expect(ofKind(effects, "ack_mail")[0]?.accepts).toHaveLength(1);
    expect(driver.runs()).toEqual([]);
  });

  test("a cancel that comes before its envelope counts, also after a restart", () => {
    const driver = new Driver();
    const worker = driver.withWorker();
    const mail = tasks("1", [{ argv: ["sleep", "9"] }]);
    const header = { ...mail.arrival.header, kind: "cancel" as const, re: mail.arrival.header.id, indices: [] };
    driver.step({ t: "cancel", seq: 1, header, now_ms: 0 });
    driver.restart();
    driver.step(driver.ready(worker), up, mail);
    expect(driver.runs()).toEqual([]);
    expect(driver.deposits().map((one) => one.result.outcome.class)).toEqual(["cancelled"]);
  });

  test("a cancel by somebody else changes nothing", () => {
    const driver = new Driver();
    const worker = driver.withWorker();
    const mail = tasks("1", [{ argv: ["sleep", "9"] }]);
    driver.step(mail);
    const header = { ...mail.arrival.header, kind: "cancel" as const, re: mail.arrival.header.id, indices: [] };
    const effects = driver.step({ t: "cancel", seq: 1, header: { ...header, from: stranger.id }, now_ms: 0 });
    expect(ofKind(effects, "to_worker")).toEqual([]);
    driver.step(up, driver.finished(worker, tid(mail)));
    expect(driver.deposits()[0]?.result.outcome.class).toBe("ok");
  });
});

describe("leases", () => {
  test("tasks go out in order of priority, then as they came, as many as there is room for", () => {
    const driver = new Driver();
    const low = tasks("1", [{}, {}, {}]);
    const high = tasks("2", [{}, {}], { priority: 5 });
    driver.step(low, high);
    const worker = driver.worker();
    driver.step(driver.ready(worker, 3));
    expect(driver.runs().map((run) => run.tid)).toEqual([tid(high, 0), tid(high, 1), tid(low, 0)]);
  });

  test("a lease is journalled in the turn that sends it", () => {
    const driver = new Driver();
    driver.withWorker();
    driver.step(tasks("1", [{}]));
    expect(driver.records.at(-1)).toMatchObject({ t: "leased", indices: [0], attempts: [1] });
    expect(driver.runs()).toHaveLength(1);
  });

  test("a task that no worker is large enough for waits aside and holds nobody up", () => {
    const driver = new Driver();
    driver.withWorker(2);
    const large = tasks("1", [{ resources: { cores: 64 } }]);
    const small = tasks("2", [{}]);
    driver.step(large, small);
    expect(driver.runs().map((run) => run.tid)).toEqual([tid(small)]);
    const asker = { user: owner, session: "s" };
    const ask = { t: "ask_tasks", rid: 1, tids: [tid(large)] } as const;
    const [answer] = ofKind(
      driver.step({ t: "live", asker, message: { ...ask, tids: [...ask.tids] }, now_ms: 0 }),
      "answer",
    );
    expect(JSON.stringify(answer?.message)).toContain("the largest worker has 2 cores");
  });

  test("a task of two cores waits for both and is not overtaken", () => {
    const driver = new Driver();
    const worker = driver.withWorker(2);
    const first = tasks("1", [{}]);
    const wide = tasks("2", [{ resources: { cores: 2 } }]);
    const later = tasks("3", [{}]);
    driver.step(first, wide, later);
    expect(driver.runs().map((run) => run.tid)).toEqual([tid(first)]);
    driver.step(driver.finished(worker, tid(first)));
    expect(driver.runs().map((run) => run.tid)).toEqual([tid(wide)]);
  });
});

describe("results", () => {
  test("the first result of a task stays; a second is acknowledged and dropped", () => {
    const driver = new Driver();
    const worker = driver.withWorker();
    const mail = tasks("1", [{}]);
    driver.step(up, mail);
    driver.step(driver.finished(worker, tid(mail), result("ok", 0, "first")));
    const effects = driver.step(driver.finished(worker, tid(mail), result("fail", 3, "second")));
    expect(ofKind(effects, "to_worker")[0]?.messages[0]?.t).toBe("result_ack");
    driver.step({ t: "relay_down" }, up);
    expect(driver.deposits().map((one) => one.result.stdout.text)).toEqual(["first"]);
  });

  test("a result is deposited until the relay has it, across restarts of either", () => {
    const driver = new Driver();
    const worker = driver.withWorker();
    const mail = tasks("1", [{}]);
    driver.step(mail, driver.finished(worker, tid(mail)));
    expect(driver.deposits()).toEqual([]);
    driver.restart();
    driver.step(up);
    expect(driver.deposits()).toHaveLength(1);
    driver.step({ t: "relay_down" }, up);
    const [deposit] = ofKind(driver.effects, "deposit");
    driver.step({ t: "stored", ids: [deposit?.id ?? ""], now_ms: 0 });
    driver.restart();
    driver.step(up);
    expect(driver.deposits()).toEqual([]);
  });

  test("results gather while deposits are unanswered", () => {
    const driver = new Driver();
    const worker = driver.withWorker(8);
    const mail = tasks("1", new Array(8).fill({}));
    driver.step(up, mail);
    const sent: string[][] = [];
    for (let index = 0; index < 6; index++) {
      const effects = driver.step(driver.finished(worker, tid(mail, index)));
      sent.push(ofKind(effects, "deposit").map((deposit) => deposit.id));
    }
    expect(sent.map((ids) => ids.length)).toEqual([1, 1, 0, 0, 0, 0]);
    const [gathered] = ofKind(driver.step({ t: "stored", ids: sent[0] ?? [], now_ms: 0 }), "deposit");
    expect(gathered?.indices).toEqual([2, 3, 4, 5]);
  });

  test("a new epoch of the relay brings envelopes and unreceipted results back", () => {
    const driver = new Driver();
    const worker = driver.withWorker();
    const mail = tasks("1", [{}]);
    driver.step(up, mail);
    driver.step(driver.finished(worker, tid(mail), result("ok", 0, "out")));
    const [deposit] = ofKind(driver.effects, "deposit");
    driver.step({ t: "stored", ids: [deposit?.id ?? ""], now_ms: 0 });
    const effects = driver.step({ t: "relay_down" }, { t: "relay_up", epoch: "e2", now_ms: 0 });
    const [announce] = ofKind(effects, "announce");
    expect([...(announce?.recall.entries() ?? [])]).toEqual([[mail.arrival.header.id as never, [0]]]);
    driver.step({
      t: "recalled",
      re: mail.arrival.header.id as never,
      indices: [0],
      results: [result("ok", 0, "out")],
    });
    expect(driver.deposits().map((one) => one.result.stdout.text)).toEqual(["out"]);
  });

  test("a failed task with retries is run again, and its last result counts", () => {
    const driver = new Driver();
    const worker = driver.withWorker();
    const mail = tasks("1", [{ retries: 1 }]);
    driver.step(up, mail);
    driver.step(driver.finished(worker, tid(mail), result("fail", 3)));
    expect(driver.runs()).toEqual([{ worker, tid: tid(mail), attempt: 2 }]);
    expect(driver.deposits()).toEqual([]);
    driver.step(driver.finished(worker, tid(mail), result("fail", 4), 2));
    expect(driver.deposits().map((one) => one.result.outcome.exit_code)).toEqual([4]);
  });

  test("a copy of a result that led to a retry ends nothing", () => {
    const driver = new Driver();
    const worker = driver.withWorker();
    const mail = tasks("1", [{ retries: 1 }]);
    driver.step(up, mail);
    driver.step(driver.finished(worker, tid(mail), result("fail", 3)));
    driver.restart();
    driver.step(up, driver.ready(worker, 2, [{ tid: tid(mail), attempt: 2, phase: "running" }]));
    driver.step(driver.finished(worker, tid(mail), result("fail", 3)));
    expect(driver.deposits()).toEqual([]);
    driver.step(driver.finished(worker, tid(mail), result("ok", 0), 2));
    expect(driver.deposits().map((one) => one.result.outcome.exit_code)).toEqual([0]);
  });
});

describe("workers", () => {
  test("silence of a worker takes nothing away from it", () => {
    const driver = new Driver({ workers: 1 });
    const worker = driver.withWorker();
    const mail = tasks("1", [{}]);
    driver.step(mail);
    const effects = driver.step({ t: "worker_down", worker, now_ms: 0 });
    expect(ofKind(effects, "examine")).toHaveLength(1);
    expect(driver.records.some((record) => record.t === "requeued")).toBe(false);
  });

  test("after a restart a worker's running task is adopted, not run again", () => {
    const driver = new Driver();
    const worker = driver.withWorker();
    const mail = tasks("1", [{}]);
    driver.step(mail);
    driver.restart();
    expect(ofKind(driver.effects, "start_worker")).toEqual([]);
    driver.step(driver.ready(worker, 2, [{ tid: tid(mail), attempt: 1, phase: "running" }]));
    expect(driver.runs()).toEqual([]);
    driver.step(up, driver.finished(worker, tid(mail)));
    expect(driver.deposits()).toHaveLength(1);
  });

  test("a worker that came back without a task that was on its way gets the same attempt again", () => {
    const driver = new Driver();
    const worker = driver.withWorker();
    const mail = tasks("1", [{}]);
    driver.step(mail);
    driver.step({ t: "worker_down", worker, now_ms: 0 }, driver.ready(worker));
    expect(driver.runs()).toEqual([{ worker, tid: tid(mail), attempt: 1 }]);
  });

  test("a dead worker's spool speaks first", () => {
    const driver = new Driver();
    const worker = driver.withWorker();
    const mail = tasks("1", [{}, {}]);
    driver.step(up, mail);
    driver.step(driver.buried(worker, { finished: [{ tid: tid(mail, 0), attempt: 1, result: result() }] }));
    expect(driver.deposits().map((one) => one.index)).toEqual([0]);
    const next = driver.worker();
    expect(next).not.toBe(worker);
    driver.step(driver.ready(next));
    expect(driver.runs()).toEqual([{ worker: next, tid: tid(mail, 1), attempt: 2 }]);
  });

  test("on_lost fail: a task that was started is lost with its worker, one that was not runs elsewhere", () => {
    const driver = new Driver();
    const worker = driver.withWorker();
    const mail = tasks("1", [{}, {}], { on_lost: "fail" });
    driver.step(up, mail);
    driver.step(driver.buried(worker, { started: [{ tid: tid(mail, 0), attempt: 1 }] }));
    expect(driver.deposits().map((one) => [one.index, one.result.outcome.class])).toEqual([[0, "lost"]]);
    const next = driver.worker();
    driver.step(driver.ready(next));
    expect(driver.runs().map((run) => run.tid)).toEqual([tid(mail, 1)]);
  });

  test("a task that kills three workers is poisoned, and after the first death it runs alone", () => {
    const driver = new Driver();
    const mail = tasks("1", [{}]);
    const neighbour = tasks("2", [{}]);
    let worker = driver.withWorker();
    driver.step(up, mail);
    for (let death = 1; death <= 2; death++) {
      driver.step(driver.started(worker, tid(mail), death));
      driver.step(driver.buried(worker));
      worker = driver.worker();
      driver.step(driver.ready(worker));
      expect(driver.runs()).toEqual([{ worker, tid: tid(mail), attempt: death + 1 }]);
    }
    driver.step(neighbour);
    expect(driver.runs()).toEqual([]);
    driver.step(driver.started(worker, tid(mail), 3));
    driver.step(driver.buried(worker));
    expect(driver.deposits().map((one) => one.result.outcome.class)).toEqual(["poisoned"]);
    driver.step(driver.ready(driver.worker()));
    expect(driver.runs()).toMatchObject([{ tid: tid(neighbour), attempt: 1 }]);
  });

  test("workers that end before they are ready pause the engine with the reason, until the owner resumes it", () => {
    const driver = new Driver();
    driver.step({ t: "tick", now_ms: 0 });
    for (let k = 0; k < 3; k++) driver.step(driver.buried(driver.worker(), { reason: "no such library" }));
    expect(driver.state.memory.paused).toContain("no such library");
    expect(ofKind(driver.effects, "start_worker")).toEqual([]);
    const order = { t: "order", rid: 1, boot: "boot0", what: "resume" } as const;
    const effects = driver.step({ t: "live", asker: { user: owner, session: "s" }, message: order, now_ms: 0 });
    expect(ofKind(effects, "start_worker")).toHaveLength(1);
  });

  test("only the owner gives orders, and only to this start of the endpoint", () => {
    const driver = new Driver();
    driver.withWorker();
    const order = { t: "order", rid: 1, boot: "boot0", what: "stop" } as const;
    for (const [user, boot] of [
      [stranger, "boot0"],
      [owner, "boot7"],
    ] as const) {
      const asker = { user, session: "s" };
      const [answer] = ofKind(driver.step({ t: "live", asker, message: { ...order, boot }, now_ms: 0 }), "answer");
      expect(answer?.message).toMatchObject({ t: "done", ok: false });
    }
    expect(driver.state.pool.workers.size).toBe(1);
  });

  test("a stop ends workers; what they were running is interrupted and waits for the next start", () => {
    const driver = new Driver();
    const worker = driver.withWorker();
    const mail = tasks("1", [{}]);
    driver.step(mail);
    const stopping = driver.step({ t: "stop", how: "now", now_ms: 0 });
    expect(ofKind(stopping, "to_worker")[0]?.messages).toEqual([{ t: "stop", how: "now" }]);
    driver.step(driver.finished(worker, tid(mail), result("lost", 125)));
    expect(driver.runs()).toEqual([]);
    const effects = driver.step({ t: "worker_down", worker, now_ms: 0 }, driver.buried(worker));
    expect(ofKind(effects, "exit")).toHaveLength(1);
    driver.restart();
    driver.step(driver.ready(driver.worker()));
    expect(driver.runs()).toMatchObject([{ tid: tid(mail), attempt: 2 }]);
  });

  test("a cancel reaches the worker, and again when it was away", () => {
    const driver = new Driver();
    const worker = driver.withWorker();
    const mail = tasks("1", [{}]);
    driver.step(mail);
    driver.step({ t: "worker_down", worker, now_ms: 0 });
    const header = { ...mail.arrival.header, kind: "cancel" as const, re: mail.arrival.header.id, indices: [0] };
    driver.step({ t: "cancel", seq: 3, header, now_ms: 0 });
    const holding = [{ tid: tid(mail), attempt: 1, phase: "running" as const }];
    const effects = driver.step(driver.ready(worker, 2, holding));
    expect(ofKind(effects, "to_worker")[0]?.messages).toMatchObject([{ t: "cancel", cause: "cancel", attempt: 1 }]);
  });
});
