/** What an endpoint decides about tasks on whole nodes. */
import { describe, expect, test } from "bun:test";
import type { EndpointEffect, EndpointEvent, LiveAsk } from "../../core/endpoint/decision.ts";
import type { Ready, Run } from "../../core/schema/worker_message.ts";
import { Driver, owner, result, tasks, tid } from "./driver.ts";
import { nodesPerBlock, settings } from "./gang_world.ts";

type Mail = ReturnType<typeof tasks>;
const wide = (nodes: number, more = {}) => ({ resources: { nodes }, ...more });

/** An endpoint with one block, and as many of its workers as are named. */
class Cluster {
  readonly driver: Driver;
  readonly block: string;

  constructor(first: Mail, workers = nodesPerBlock, max_idle_ms = settings.max_idle_ms) {
    this.driver = new Driver({ ...settings, min_blocks: 1, max_blocks: 1, max_idle_ms });
    this.driver.step({ t: "relay_up", epoch: "e", now_ms: 0 }, { t: "tick", now_ms: 0 });
    this.block = this.driver.block().id;
    this.driver.step({ t: "block_sent", block: this.block, outcome: { is: "accepted", id: "17" }, now_ms: 0 });
    for (let k = 1; k <= workers; k++) this.driver.step(this.up(k));
    this.driver.step(first);
  }

  worker(k: number): string {
    return `${this.block.slice(0, 28)}0000000${k}`;
  }

  up(k: number, holding: Ready["holding"] = []): EndpointEvent {
    const event = this.driver.ready(this.worker(k), 2, holding) as Extract<EndpointEvent, { t: "worker_up" }>;
    return { ...event, block: this.block, ready: { ...event.ready, host: `n${k}` } };
  }

  /** Which worker got which tasks in the last turn, with the workers they run on. */
  runs(): { worker: string; tid: string; workers: string[] | undefined; nodes: string[] | undefined }[] {
    return this.driver.effects.flatMap((effect) => {
      if (effect.t !== "to_worker") return [];
      const runs = effect.messages.filter((message): message is Run => message.t === "run");
      return runs.flatMap(({ lots }) =>
        lots.flatMap((lot) =>
          lot.tasks.map(({ tid: id, workers, nodes }) => ({ worker: effect.worker, tid: id, workers, nodes })),
        ),
      );
    });
  }

  told(effects: EndpointEffect[], worker: string): unknown[] {
    return effects.flatMap((effect) => (effect.t === "to_worker" && effect.worker === worker ? effect.messages : []));
  }

  /** Why a task waits, as `gc why` tells it. */
  why(task: string): string {
    const ask: LiveAsk = { t: "ask_tasks", rid: 1, tids: [task] };
    const [answer] = this.driver.ask(owner, ask);
    return answer?.t === "answer_tasks" ? (answer.tasks[0]?.reason ?? "") : "";
  }

  outcomes(): string[] {
    return this.driver.deposits().map(({ result: said }) => `${said.outcome.class}: ${said.outcome.reason}`);
  }
}

describe("who gets which nodes", () => {
  test("the first worker alone is told to run it, with the hosts and ids of all, next to each other", () => {
    const mail = tasks("1", [wide(3)]);
    const cluster = new Cluster(mail);
    const workers = [1, 2, 3].map((k) => cluster.worker(k));
    expect(cluster.runs()).toEqual([{ worker: cluster.worker(1), tid: tid(mail), workers, nodes: ["n1", "n2", "n3"] }]);
    expect(cluster.driver.records.at(-1)).toMatchObject({ t: "leased", workers, nodes: ["n1", "n2", "n3"] });
  });

  test("ranks name nodes as well", () => {
    const cluster = new Cluster(tasks("1", [{ resources: { ranks: 8, ranks_per_node: 4 } }]));
    expect(cluster.runs()[0]?.nodes).toEqual(["n1", "n2"]);
  });

  test("ordinary tasks share the block, on the other nodes only", () => {
    const mail = tasks("1", [wide(3), {}, {}, {}]);
    const cluster = new Cluster(mail);
    const ordinary = cluster.runs().filter(({ workers }) => workers === undefined);
    expect(ordinary.map(({ worker }) => worker)).toEqual([cluster.worker(4), cluster.worker(4)]);
    cluster.driver.step(cluster.driver.finished(cluster.worker(1), tid(mail, 0)));
    expect(cluster.runs()).toHaveLength(1);
  });

  test("a task does not wait for a free block when it fits beside others", () => {
    const cluster = new Cluster(tasks("1", [wide(2), wide(1), wide(1)]));
    expect(cluster.runs().flatMap(({ nodes }) => nodes)).toHaveLength(4);
  });

  test("on this machine a task of one node has its worker to itself", () => {
    const driver = new Driver();
    const worker = driver.withWorker(2);
    const mail = tasks("1", [wide(1), {}]);
    driver.step(mail);
    expect(driver.runs()).toEqual([{ worker, tid: tid(mail, 0), attempt: 1 }]);
    driver.step(driver.finished(worker, tid(mail, 0)));
    expect(driver.runs()).toEqual([{ worker, tid: tid(mail, 1), attempt: 1 }]);
  });
});

describe("nodes that are kept free", () => {
  /** A block whose slots are all taken, a task of a higher priority for two of its nodes, and ordinary ones below. */
  function full(walltime_s: number, next: object): { cluster: Cluster; mail: Mail; wanted: Mail } {
    const mail = tasks("1", new Array(8).fill({ walltime_s }));
    const cluster = new Cluster(mail);
    const wanted = tasks("2", [wide(2)], { priority: 5 });
    cluster.driver.step(wanted);
    cluster.driver.step(tasks("3", [next, next]));
    return { cluster, mail, wanted };
  }
  const endOf = (cluster: Cluster, mail: Mail, k: number): void => {
    const index = mail.arrival.body.tasks.findIndex((_, at) => {
      return cluster.driver.state.memory.heldOf(tid(mail, at) as never)?.workers[at] === cluster.worker(k);
    });
    cluster.driver.step(cluster.driver.finished(cluster.worker(k), tid(mail, index)));
  };

  test("take nothing of a lower priority, and go to their task when the last of them is free", () => {
    const { cluster, mail, wanted } = full(1000, { walltime_s: 2000 });
    for (const k of [1, 1, 2]) {
      endOf(cluster, mail, k);
      expect(cluster.runs()).toEqual([]);
    }
    expect(cluster.why(tid(wanted))).toContain("(1 free, some of them kept for a task that waited longer)");
    endOf(cluster, mail, 2);
    expect(cluster.runs().map(({ tid: task, nodes }) => [task, nodes])).toEqual([[tid(wanted), ["n1", "n2"]]]);
    endOf(cluster, mail, 3);
    expect(cluster.runs()).toHaveLength(1);
  });

  test("take what ends, as declared, before the last of them is free", () => {
    const { cluster, mail } = full(1000, { walltime_s: 10 });
    endOf(cluster, mail, 1);
    expect(cluster.runs().map(({ worker }) => worker)).toEqual([cluster.worker(1)]);
  });

  test("take nothing of unknown length, and nothing where somebody's end is unknown", () => {
    const one = full(1000, {});
    endOf(one.cluster, one.mail, 1);
    expect(one.cluster.runs()).toEqual([]);
  });
});

describe("what can never run", () => {
  test("is refused at once with both numbers", () => {
    const cluster = new Cluster(tasks("1", [{}]));
    cluster.driver.step(tasks("2", [wide(5), wide(4)]));
    expect(cluster.outcomes()).toEqual(["rejected: It asks for 5 nodes, and a block here has 4 (nodes_per_block)"]);
    cluster.driver.step(tasks("3", [{ resources: { ranks: 7, nodes: 2 } }]));
    expect(cluster.outcomes()).toEqual([
      "rejected: It cannot be laid out: 7 ranks cannot be shared out evenly over 2 nodes",
    ]);
  });

  test("on this machine that is more than one node", () => {
    const driver = new Driver();
    driver.step({ t: "relay_up", epoch: "e", now_ms: 0 }, tasks("1", [wide(2)]));
    const [refused] = driver.deposits();
    expect(refused?.result.outcome.reason).toBe("It asks for 2 nodes, and a task runs on one node here");
  });
});

describe("loss", () => {
  test("of a companion ends the task where it is led, counts as lost, and leaves others of the block alone", () => {
    const mail = tasks("1", [wide(2), wide(1)]);
    const cluster = new Cluster(mail);
    const { driver } = cluster;
    const lead = cluster.worker(1);
    driver.step(driver.started(lead, tid(mail, 0)), driver.started(cluster.worker(3), tid(mail, 1)));
    const effects = driver.step(driver.buried(cluster.worker(2)));
    expect(cluster.told(effects, lead)).toEqual([{ t: "cancel", tid: tid(mail, 0), attempt: 1, cause: "interrupt" }]);
    expect(cluster.told(effects, cluster.worker(3))).toEqual([]);
    // Its nodes are free only when it has ended on all of them.
    expect(cluster.runs()).toEqual([]);
    driver.step(driver.finished(lead, tid(mail, 0), result("lost", 125)));
    expect(driver.records.some((record) => record.t === "requeued" && record.why === "crash")).toBe(true);
    expect(cluster.runs().map(({ nodes }) => nodes)).toEqual([["n1", "n4"]]);
  });

  test("of a companion when it may be started only once: the result says why", () => {
    const mail = tasks("1", [wide(2, { on_lost: "fail" })]);
    const cluster = new Cluster(mail);
    cluster.driver.step(cluster.driver.started(cluster.worker(1), tid(mail)), cluster.driver.buried(cluster.worker(2)));
    cluster.driver.step(cluster.driver.finished(cluster.worker(1), tid(mail), result("lost", 125)));
    expect(cluster.outcomes()).toEqual([
      "lost: One of its nodes was lost, and the task may be started only once (on_lost: fail)",
    ]);
  });

  test("of a node three times is blamed on the task", () => {
    const mail = tasks("1", [wide(2)]);
    const cluster = new Cluster(mail);
    const { driver } = cluster;
    for (let attempt = 1; attempt <= 3; attempt++) {
      const [run] = cluster.runs();
      const [lead = "", companion = ""] = run?.workers ?? [];
      driver.step(driver.started(lead, tid(mail), attempt), driver.buried(companion));
      driver.step(cluster.up(4 + attempt));
      driver.step(driver.finished(lead, tid(mail), { ...result("lost", 125), attempt }, attempt));
      expect(cluster.runs()).toHaveLength(attempt < 3 ? 1 : 0);
    }
    expect(cluster.outcomes()).toEqual([
      "poisoned: 3 workers died while they ran this task, so it is not started again",
    ]);
  });

  test("of a companion while the lead is away: it is told when it is back", () => {
    const mail = tasks("1", [wide(2)]);
    const cluster = new Cluster(mail, 2);
    const lead = cluster.worker(1);
    cluster.driver.step({ t: "worker_down", worker: lead, now_ms: 0 }, cluster.driver.buried(cluster.worker(2)));
    const workers = [lead, cluster.worker(2)];
    const effects = cluster.driver.step(cluster.up(1, [{ tid: tid(mail), attempt: 1, phase: "running", workers }]));
    expect(cluster.told(effects, lead)).toEqual([{ t: "cancel", tid: tid(mail), attempt: 1, cause: "interrupt" }]);
  });

  test("of the lead frees the others once it is buried", () => {
    const mail = tasks("1", [wide(3)]);
    const cluster = new Cluster(mail);
    cluster.driver.step(tasks("2", [wide(3)]), { t: "worker_down", worker: cluster.worker(1), now_ms: 0 });
    expect(cluster.runs()).toEqual([]);
    cluster.driver.step(cluster.driver.buried(cluster.worker(1)));
    expect(cluster.runs().map(({ nodes }) => nodes)).toEqual([["n2", "n3", "n4"]]);
  });

  test("a companion that has to leave its node takes the task along", () => {
    const mail = tasks("1", [wide(2)]);
    const cluster = new Cluster(mail, 2);
    const event = { t: "from_worker", worker: cluster.worker(2), message: { t: "leaving" } } as const;
    expect(cluster.told(cluster.driver.step(event), cluster.worker(1))).toMatchObject([{ cause: "interrupt" }]);
  });
});

describe("end", () => {
  test("a cancel goes to the lead, and the nodes are free when it has ended there", () => {
    const mail = tasks("1", [wide(4)]);
    const cluster = new Cluster(mail);
    const { driver } = cluster;
    const header = { ...mail.arrival.header, kind: "cancel" as const, re: mail.arrival.header.id, indices: [] };
    driver.step(tasks("2", [wide(4)]));
    const effects = driver.step({ t: "cancel", seq: 2, header, now_ms: 0 });
    expect(effects.filter(({ t }) => t === "to_worker")).toHaveLength(1);
    expect(cluster.told(effects, cluster.worker(1))).toMatchObject([{ t: "cancel", cause: "cancel" }]);
    expect(cluster.runs()).toEqual([]);
    driver.step(driver.finished(cluster.worker(1), tid(mail), result("cancelled", 143)));
    expect(cluster.runs()).toHaveLength(1);
  });

  test("workers of a block that is given back leave only after the task that they are kept for", () => {
    const mail = tasks("1", [wide(2)]);
    const cluster = new Cluster(mail, 2);
    const { driver } = cluster;
    // Its walltime ends soon.
    const effects = driver.step({ t: "tick", now_ms: (settings.walltime_s - settings.warn_s) * 1000 });
    expect(cluster.told(effects, cluster.worker(1))).toContainEqual({ t: "stop", how: "drain" });
    expect(cluster.told(effects, cluster.worker(2))).toEqual([]);
    const after = driver.step(driver.finished(cluster.worker(1), tid(mail)));
    expect(cluster.told(after, cluster.worker(2))).toContainEqual({ t: "stop", how: "drain" });
  });
});

describe("after a restart", () => {
  test("a companion that comes up before its lead gets nothing", () => {
    const mail = tasks("1", [wide(2), wide(1)]);
    const cluster = new Cluster(mail, 2);
    cluster.driver.restart();
    cluster.driver.step(cluster.up(2));
    expect(cluster.runs()).toEqual([]);
    const workers = [cluster.worker(1), cluster.worker(2)];
    cluster.driver.step(cluster.up(1, [{ tid: tid(mail), attempt: 1, phase: "running", workers }]));
    expect(cluster.runs()).toEqual([]);
    cluster.driver.step(cluster.driver.finished(cluster.worker(1), tid(mail)));
    expect(cluster.runs()).toHaveLength(1);
  });

  test("a lead that never got its task gets it again, with the same nodes", () => {
    const mail = tasks("1", [wide(2)]);
    const cluster = new Cluster(mail, 2);
    const before = cluster.runs();
    cluster.driver.restart();
    cluster.driver.step(cluster.up(1));
    expect(cluster.runs()).toEqual(before);
  });

  test("what a lead still ends keeps its nodes, although the endpoint has a result", () => {
    const mail = tasks("1", [wide(2), wide(2)]);
    const cluster = new Cluster(mail, 2);
    const { driver } = cluster;
    const [lead, companion] = [cluster.worker(1), cluster.worker(2)];
    driver.step(driver.finished(lead, tid(mail, 0)));
    driver.restart();
    const workers = [lead, companion];
    const effects = driver.step(cluster.up(1, [{ tid: tid(mail, 0), attempt: 1, phase: "running", workers }]));
    expect(cluster.told(effects, lead)).toContainEqual({
      t: "cancel",
      tid: tid(mail, 0),
      attempt: 1,
      cause: "interrupt",
    });
    driver.step(cluster.up(2));
    expect(driver.state.pool.gangOf(companion)?.workers).toEqual(workers);
  });
});

describe("people", () => {
  test("are told how many free nodes of one block a task waits for", () => {
    const mail = tasks("1", [wide(3), wide(2)]);
    const cluster = new Cluster(mail);
    expect(cluster.why(tid(mail, 1))).toBe("It waits for 2 free nodes of one block (1 free)");
  });

  test("are told when no block is large enough now", () => {
    const mail = tasks("1", [wide(3)]);
    const cluster = new Cluster(mail, 2);
    expect(cluster.why(tid(mail))).toStartWith("It waits for a block with 3 nodes; the largest one has 2 now");
  });
});

test("a block that lost a node that something needs is given back when idle, and another one is asked for", () => {
  const cluster = new Cluster(tasks("1", [wide(4)]), 3, 60_000);
  const { driver } = cluster;
  const due_ms = 60_001;
  driver.step({ t: "tick", now_ms: due_ms - 1 });
  expect(cluster.told(driver.effects, cluster.worker(1))).toEqual([]);
  const effects = driver.step({ t: "tick", now_ms: due_ms });
  expect(cluster.told(effects, cluster.worker(1))).toContainEqual({ t: "stop", how: "drain" });
  for (let k = 1; k <= 3; k++) driver.step({ ...driver.buried(cluster.worker(k)), now_ms: due_ms } as EndpointEvent);
  const sight = { seen: "seen" as const, state: { phase: "done" as const, outcome: "ok" as const }, raw: "X" };
  const sights = [{ block: cluster.block, sight }];
  driver.step({ t: "blocks_seen", sights, found: [], names_covered: false, now_ms: due_ms });
  expect(driver.block().id).not.toBe(cluster.block);
});

test("demand counts whole nodes of one block", () => {
  const driver = new Driver({ ...settings, max_blocks: 9 });
  const asked = (specs: object[]): number => {
    const effects = driver.step(tasks(String(asked.length + specs.length), specs));
    return effects.filter(({ t }) => t === "submit_block").length;
  };
  // Of three nodes one fits into a block of four, of two two do; eight ordinary ones fill another.
  expect(asked([wide(3), wide(3), wide(2), wide(2), ...new Array(8).fill({})])).toBe(1);
  for (let k = 0; k < 9; k++) driver.step({ t: "tick", now_ms: k });
  expect(driver.records.filter(({ t }) => t === "block_planned")).toHaveLength(4);
});
