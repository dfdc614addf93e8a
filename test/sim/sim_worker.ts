/** A worker of the simulated world: production decisions; tasks are entries in the oracle's book that take time. */
import { runInTurns, type Turns } from "../../core/host/turn.ts";
import type { Result } from "../../core/schema/result.ts";
import type { ToWorker } from "../../core/schema/worker_message.ts";
import type { Frameable } from "../../core/wire/codec.ts";
import type { KeptLink } from "../../core/wire/link.ts";
import type { Exit } from "../../core/worker/attempt.ts";
import type { WorkerEffect, WorkerEvent, WorkerRecord } from "../../core/worker/decision.ts";
import { WorkerState } from "../../core/worker/state.ts";
import type { Door, Network } from "./network.ts";
import type { Execution, Oracle } from "./oracle.ts";
import { Died, Life, type World } from "./world.ts";

/** What a worker's process leaves on disk. */
export interface Spool {
  started: { tid: string; attempt: number }[];
  finished: { tid: string; attempt: number; result: Result }[];
  /** Start markers that a power cut would leave. */
  synced: number;
}

export class SimWorker {
  readonly id: string;
  readonly life: Life;
  /** It left by itself, with everything told. */
  left = false;
  readonly spool: Spool = { started: [], finished: [], synced: 0 };
  private readonly running = new Map<string, { execution: Execution; stop: () => void }>();
  private readonly gangs = new Map<string, readonly string[]>();
  private readonly oracle: Oracle;
  private readonly turns: Turns<WorkerEvent>;
  private readonly kept: KeptLink;
  private stopWake: () => void = () => {};

  constructor(world: World, network: Network, oracle: Oracle, id: string, name: string, door: () => Door | undefined) {
    this.id = id;
    this.oracle = oracle;
    this.life = new Life(world, name, world.dice.chance(0.1) ? world.dice.between(-86_400_000, 86_400_000) : 0);
    const slots = world.dice.between(1, 3);
    const resources = { cores: slots };
    const state = new WorkerState({ host: "sim", pid: 1, slots, prefetch: world.dice.between(0, 5), resources });
    this.turns = runInTurns<WorkerEvent, WorkerRecord, WorkerEffect>(
      {
        decide: (event, out) => state.decide(event, out),
        keep: (records) => this.keep(records),
        perform: (effects) => this.perform(effects),
      },
      this.life.soon,
      (error) => {
        if (!(error instanceof Died)) throw error;
        this.life.die();
      },
    );
    const self = { role: "worker", id, instance: name, local: true } as const;
    this.kept = network.keep(this.life, self, door, {
      up: () => this.turns.push({ t: "up" }),
      messages: (_, messages) => {
        this.note(messages as unknown as ToWorker[]);
        this.turns.push({ t: "messages", messages: messages as unknown as ToWorker[], now: this.now() });
      },
      down: () => this.turns.push({ t: "down" }),
    });
    // The machine it ran on is gone with everything that was not on stable storage.
    this.life.onDeath(() => {
      if (world.dice.chance(0.3)) this.spool.started.length = this.spool.synced;
    });
  }

  /** What this worker runs at the moment counts as run by a dead one from now on. */
  becomeZombie(): void {
    this.oracle.zombies.add(this.life);
    for (const executions of this.oracle.executions.values()) {
      for (const execution of executions) if (execution.worker === this.life) execution.zombie = true;
    }
  }

  private keep(records: readonly WorkerRecord[]): void {
    for (const record of records) {
      if (record.t === "started") {
        this.spool.started.push({ tid: record.tid, attempt: record.attempt });
        if (record.sync) this.spool.synced = this.spool.started.length;
        continue;
      }
      for (const item of record.finished) {
        this.spool.finished.push(item);
        const execution = this.running.get(`${item.tid}.${item.attempt}`)?.execution;
        if (execution !== undefined) execution.spooled = true;
        this.running.delete(`${item.tid}.${item.attempt}`);
      }
    }
  }

  private perform(effects: readonly WorkerEffect[]): void {
    const { life } = this;
    for (const effect of effects) {
      switch (effect.t) {
        case "send":
          this.kept.link()?.send(effect.messages as Frameable[]);
          break;
        case "report": {
          const { started, finished } = effect;
          this.kept.link()?.send([{ t: "report", started, finished } as Frameable]);
          break;
        }
        case "start":
          this.start(effect);
          break;
        case "signal":
          this.end(effect.key, { code: null, signal: effect.signal }, "interrupted");
          break;
        case "collect":
          this.end(effect.key, { code: 0, signal: null }, "ended");
          break;
        case "wake":
          this.stopWake();
          this.stopWake = life.after(effect.at_ms - life.world.now_ms, () =>
            this.turns.push({ t: "tick", now: this.now() }),
          );
          break;
        case "gather":
          life.after(effect.delay_ms, () => this.turns.push({ t: "flush" }));
          break;
        case "exit":
          this.left = true;
          life.die();
          break;
        default:
          break;
      }
    }
  }

  /** Which workers a task on whole nodes has: the worker itself only needs to know its hosts. */
  private note(messages: readonly ToWorker[]): void {
    for (const message of messages) {
      if (message.t !== "run") continue;
      for (const { tid, attempt, workers } of message.lots.flatMap(({ tasks }) => tasks)) {
        if (workers !== undefined) this.gangs.set(`${tid}.${attempt}`, workers);
      }
    }
  }

  private start({ key, tid, attempt, spec }: Extract<WorkerEffect, { t: "start" }>): void {
    const { dice } = this.life.world;
    const gang = this.gangs.get(`${tid}.${attempt}`);
    const execution = this.oracle.execute(tid, attempt, this.life, gang ?? [this.id], gang !== undefined);
    this.turns.push({ t: "started", key, now: this.now() });
    const code = (spec.retries ?? 0) > 0 && dice.chance(0.5) ? 3 : 0;
    const takes_ms = dice.chance(0.1) ? dice.between(1000, 20_000) : dice.between(1, 800);
    const stop = this.life.after(takes_ms, () => this.end(key, { code, signal: null }, "ended"));
    this.running.set(`${tid}.${attempt}`, { execution, stop });
  }

  private end(key: string, exit: Exit, state: "ended" | "interrupted"): void {
    const name = this.running.has(key) ? key : `${key}.1`;
    const run = this.running.get(name);
    if (run === undefined || run.execution.state !== "running") return;
    run.stop();
    run.execution.state = state;
    const text = run.execution.output;
    const stdout = { total: text.length, kept: text.length, text };
    const harvest = { stdout, stderr: { total: 0, kept: 0 } };
    this.turns.push({ t: "ended", key, exit, harvest, now: this.now() });
  }

  private now(): { wall_ms: number; mono_ms: number } {
    const { clock } = this.life.host();
    return { wall_ms: clock.now(), mono_ms: clock.monotonic() };
  }
}
