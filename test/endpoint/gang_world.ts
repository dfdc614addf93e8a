/**
 * Workers of blocks as an endpoint would meet them, without machines: what it tells them is done in a table, and every
 * promise about whole nodes is checked whenever a task is given away. For tests with invented sequences of events.
 */
import type { BatchSettings } from "../../core/endpoint/batch_settings.ts";
import type { EndpointEffect, EndpointEvent } from "../../core/endpoint/decision.ts";
import type { Result } from "../../core/schema/result.ts";
import type { Resources, TaskSpec } from "../../core/schema/task.ts";
import type { Ready, Run } from "../../core/schema/worker_message.ts";
import { Driver, result, tasks, tid } from "./driver.ts";

export const nodesPerBlock = 4;
export const slots = 2;

export const settings: BatchSettings = {
  kind: "batch",
  tasks_max: 10_000,
  largest: { nodes: nodesPerBlock },
  init_blocks: 0,
  min_blocks: 0,
  max_blocks: 2,
  nodes_per_block: nodesPerBlock,
  slots_per_node: slots,
  parallelism: 1,
  max_idle_ms: 1e12,
  walltime_s: 1e9,
  warn_s: 60,
  submit_gap_ms: 0,
  poll_fast_ms: 5000,
  poll_slow_ms: 30_000,
  absent_polls: 2,
  absent_after_ms: 30_000,
};

/** A task on a worker that was not told to end it, or has not ended it yet. */
export interface Held {
  readonly tid: string;
  readonly attempt: number;
  readonly workers: readonly string[] | undefined;
  ending: "cancel" | "interrupt" | undefined;
  started: boolean;
}

export interface WorldWorker {
  readonly id: string;
  readonly block: string;
  readonly host: string;
  linked: boolean;
  readonly holds: Map<string, Held>;
}

/** What an endpoint decided that it may not. */
export class Broken extends Error {}

export class GangWorld {
  readonly driver = new Driver(settings);
  readonly workers = new Map<string, WorldWorker>();
  readonly asked = new Map<string, Resources>();
  readonly cancelled = new Set<string>();
  now_ms = 0;
  private envelopes = 0;
  private made = 0;

  constructor() {
    this.step({ t: "relay_up", epoch: "e", now_ms: 0 });
  }

  step(...events: EndpointEvent[]): void {
    for (const effect of this.driver.step(...events)) this.perform(effect);
  }

  submit(specs: TaskSpec[], priority = 0): string[] {
    const mail = tasks(String(++this.envelopes).padStart(32, "0"), specs, { priority });
    const ids = specs.map((spec, index) => {
      const id = tid(mail, index);
      this.asked.set(id, spec.resources ?? {});
      return id;
    });
    this.step({ ...mail, now_ms: this.now_ms });
    return ids;
  }

  /** A worker of a block says its first word. */
  join(block: string): void {
    const k = String(++this.made).padStart(8, "0");
    const worker = { id: `${block.slice(0, 28)}${k}`, block, host: `n${this.made}`, linked: false, holds: new Map() };
    this.workers.set(worker.id, worker);
    this.link(worker);
  }

  /** A worker introduces itself, with all that it has. */
  link(worker: WorldWorker): void {
    worker.linked = true;
    const holding: Ready["holding"] = [...worker.holds.values()].map(({ tid: task, attempt, workers, started }) => ({
      tid: task,
      attempt,
      phase: started ? "running" : "queued",
      ...(workers === undefined ? {} : { workers: [...workers] }),
    }));
    const { id, block, host } = worker;
    const resources = { cores: slots };
    const ready: Ready = { t: "ready", host, pid: 1, slots, prefetch: 0, resources, holding };
    this.step({ t: "worker_up", worker: id, block, ready, now_ms: this.now_ms });
  }

  unlink(worker: WorldWorker): void {
    worker.linked = false;
    this.step({ t: "worker_down", worker: worker.id, now_ms: this.now_ms });
  }

  start(worker: WorldWorker, held: Held): void {
    held.started = true;
    if (!worker.linked) return;
    const report = { t: "report" as const, started: [{ tid: held.tid, attempt: held.attempt }], finished: [] };
    this.step({ t: "report", worker: worker.id, report, now_ms: this.now_ms });
  }

  /** A task ends on its worker as it was told to, or by itself. */
  end(worker: WorldWorker, held: Held): void {
    if (!worker.linked) return;
    worker.holds.delete(held.tid);
    const said: Result =
      held.ending === undefined ? result() : result(held.ending === "cancel" ? "cancelled" : "lost", 125);
    const one = { tid: held.tid, attempt: held.attempt, result: { ...said, attempt: held.attempt } };
    const report = { t: "report" as const, started: [], finished: [one] };
    this.step({ t: "report", worker: worker.id, report, now_ms: this.now_ms });
  }

  /** Its process is proved dead. */
  lose(worker: WorldWorker): void {
    this.workers.delete(worker.id);
    const started = [...worker.holds.values()].filter((held) => held.started);
    worker.linked = false;
    this.step({ t: "worker_down", worker: worker.id, now_ms: this.now_ms });
    // Blame would end tasks as poisoned after a few losses; here they have to come through.
    const blame = false;
    const { id } = worker;
    this.step({ t: "buried", worker: id, started, finished: [], reason: "lost", blame, now_ms: this.now_ms });
  }

  /** The endpoint ends at once and begins anew; workers have to say who they are again. */
  restart(): void {
    for (const worker of this.workers.values()) worker.linked = false;
    this.driver.restart();
    for (const effect of this.driver.effects) this.perform(effect);
    this.step({ t: "relay_up", epoch: "e", now_ms: this.now_ms });
  }

  /** Tasks that have no result. */
  open(): number {
    return this.driver.state.memory.unfinished;
  }

  private perform(effect: EndpointEffect): void {
    if (effect.t === "submit_block") {
      const outcome = { is: "accepted" as const, id: effect.name };
      return this.step({ t: "block_sent", block: effect.block, outcome, now_ms: this.now_ms });
    }
    if (effect.t !== "to_worker") return;
    const worker = this.workers.get(effect.worker);
    if (worker?.linked !== true) return;
    for (const message of effect.messages) {
      if (message.t === "run") for (const lot of message.lots) for (const task of lot.tasks) this.take(worker, task);
      if (message.t !== "cancel") continue;
      const held = worker.holds.get(message.tid);
      if (held !== undefined && held.attempt === message.attempt) held.ending ??= message.cause;
    }
  }

  private take(worker: WorldWorker, task: Run["lots"][number]["tasks"][number]): void {
    const { tid: id, attempt, workers, nodes } = task;
    const again = worker.holds.get(id);
    if (again?.attempt === attempt) return;
    const needs = this.asked.get(id) ?? {};
    const taken = this.taken();
    if (needs.nodes === undefined) {
      if (taken.has(worker.id))
        throw new Broken(`${id} goes to ${worker.id}, which is a node of ${taken.get(worker.id)}`);
      if (worker.holds.size >= slots) throw new Broken(`${worker.id} gets more than it has slots`);
    } else this.checkGang(worker, id, needs.nodes, workers ?? [], nodes ?? [], taken);
    worker.holds.set(id, { tid: id, attempt, workers, ending: undefined, started: false });
  }

  private checkGang(
    lead: WorldWorker,
    id: string,
    count: number,
    workers: readonly string[],
    hosts: readonly string[],
    taken: ReadonlyMap<string, string>,
  ): void {
    if (workers[0] !== lead.id) throw new Broken(`${id} is led by ${lead.id}, and the first of its workers is another`);
    if (new Set(workers).size !== count || hosts.length !== count) {
      throw new Broken(`${id} wants ${count} nodes and gets ${workers.length}`);
    }
    for (const [k, one] of workers.entries()) {
      const member = this.workers.get(one);
      const by = taken.get(one) ?? [...(member?.holds.keys() ?? [])][0];
      if (by !== undefined && by !== id) throw new Broken(`${id} gets ${one}, which is with ${by}`);
      if (member !== undefined && (member.block !== lead.block || member.host !== hosts[k])) {
        throw new Broken(`${id} gets ${one}, which is of another block or host`);
      }
    }
  }

  /** Worker → the task on whole nodes that has it, by what the leads hold. */
  private taken(): Map<string, string> {
    const taken = new Map<string, string>();
    for (const { holds } of this.workers.values()) {
      for (const { tid: id, workers } of holds.values()) for (const one of workers ?? []) taken.set(one, id);
    }
    return taken;
  }
}
