/** What really happened, as nobody in the world knows it, and what must hold of it. */
import type { Result } from "../../core/schema/result.ts";
import type { TaskSpec } from "../../core/schema/task.ts";
import { type Life, Violation, type World } from "./world.ts";

/** One run of a task's command. */
export interface Execution {
  tid: string;
  attempt: number;
  worker: Life;
  /** Ids of the workers it has; `whole`: for itself alone. */
  on: readonly string[];
  whole: boolean;
  output: string;
  /** Its result is where a crash cannot take it. */
  spooled: boolean;
  /** It was taken for dead although it lived. */
  zombie: boolean;
  state: "running" | "ended" | "interrupted";
}

export interface Asked {
  spec: TaskSpec;
  cancelled: boolean;
}

export class Oracle {
  readonly asked = new Map<string, Asked>();
  readonly executions = new Map<string, Execution[]>();
  readonly results = new Map<string, Result>();
  /** Workers that were called dead although they live. What they start after that counts for nobody. */
  readonly zombies = new Set<Life>();
  /** (tid, attempt) → worker that it was first given to. */
  private readonly given = new Map<string, string>();
  private readonly world: World;

  constructor(world: World) {
    this.world = world;
  }

  ask(tid: string, spec: TaskSpec): void {
    this.asked.set(tid, { spec, cancelled: false });
  }

  /** A worker starts a task now. */
  execute(tid: string, attempt: number, worker: Life, on: readonly string[], whole: boolean): Execution {
    const key = `${tid}.${attempt}`;
    const before = this.given.get(key);
    if (before !== undefined)
      throw new Violation(`attempt ${attempt} of ${tid} ran on ${before} and on ${worker.name}`);
    this.given.set(key, worker.name);
    const others = this.executions.get(tid) ?? [];
    const zombie = this.zombies.has(worker);
    for (const other of zombie ? [] : others) {
      if (other.zombie) continue;
      if (other.worker.alive && other.state === "running") {
        throw new Violation(`${tid} runs twice at the same time, on ${other.worker.name} and on ${worker.name}`);
      }
      const retries = this.asked.get(tid)?.spec.retries ?? 0;
      if (other.state === "ended" && other.spooled && retries === 0) {
        throw new Violation(`${tid} runs again on ${worker.name} although ${other.worker.name} had its result`);
      }
    }
    const spec = this.asked.get(tid)?.spec;
    if (
      spec?.on_lost === "fail" &&
      (spec.retries ?? 0) === 0 &&
      others.some((other) => !other.zombie && other.state !== "interrupted") &&
      !zombie
    ) {
      throw new Violation(`${tid} may be started once, and starts a second time`);
    }
    this.checkNodes(tid, on, whole, zombie);
    const output = `${tid} ${attempt} ${worker.name}`;
    const execution: Execution = { tid, attempt, worker, on, whole, output, spooled: false, zombie, state: "running" };
    others.push(execution);
    this.executions.set(tid, others);
    this.world.note(output);
    return execution;
  }

  /** What takes whole nodes shares none of them, and gets as many as it asked for. */
  private checkNodes(tid: string, on: readonly string[], whole: boolean, zombie: boolean): void {
    const { nodes } = this.asked.get(tid)?.spec.resources ?? {};
    if (new Set(on).size !== (nodes ?? 1)) throw new Violation(`${tid} wants ${nodes} nodes and has ${on.join(" ")}`);
    if (zombie) return;
    for (const other of [...this.executions.values()].flat()) {
      if (other.zombie || !other.worker.alive || other.state !== "running" || !(whole || other.whole)) continue;
      const both = other.on.find((id) => on.includes(id));
      if (both !== undefined) throw new Violation(`${tid} starts on ${both}, where ${other.tid} has the whole node`);
    }
  }

  /** A client got a result. */
  receive(tid: string, result: Result): void {
    const asked = this.asked.get(tid);
    if (asked === undefined) throw new Violation(`a result of ${tid}, which nobody asked for`);
    const known = this.results.get(tid);
    if (known !== undefined) {
      if (JSON.stringify(known) !== JSON.stringify(result)) throw new Violation(`${tid} has two different results`);
      return;
    }
    this.results.set(tid, result);
    this.world.note(`${tid} ${result.outcome.class}`);
    this.judge(tid, asked, result);
  }

  private judge(tid: string, asked: Asked, result: Result): void {
    const executions = this.executions.get(tid) ?? [];
    const { class: kind } = result.outcome;
    switch (kind) {
      case "ok":
      case "fail":
        if (executions.some((one) => one.output === result.stdout.text && one.attempt === result.attempt)) return;
        throw new Violation(`the result of ${tid} is of no run: ${JSON.stringify(result)}`);
      case "cancelled":
        if (asked.cancelled) return;
        throw new Violation(`${tid} was cancelled by nobody`);
      case "lost":
        if (asked.spec.on_lost === "fail" && executions.length > 0) return;
        throw new Violation(
          `${tid} is called lost: ${JSON.stringify({ asked, executions: executions.length, result })}`,
        );
      case "poisoned":
        if (executions.length >= 3) return;
        throw new Violation(`${tid} is called poisoned after ${executions.length} runs`);
      case "rejected":
        throw new Violation(`${tid} was rejected: ${result.outcome.reason}`);
    }
  }

  /** Tasks that still have no result. */
  missing(): string[] {
    return [...this.asked.keys()].filter((tid) => !this.results.has(tid));
  }
}
