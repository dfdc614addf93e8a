/**
 * The one gc process of this program (`gc sdk serve`), and what is on its way through it. When gc dies, another one is
 * started and gets everything again that had no answer, under the same keys; results of tasks that are known are asked
 * for again. The program may end as soon as nothing is on its way and nobody waits.
 */
import { randomUUID } from "node:crypto";
import type { ComputeFuture, FutureKeeper } from "./compute_future.ts";
import { ComputeError, TaskExecutionFailed } from "./errors.ts";
import { GcProcess } from "./gc_process.ts";
import type { Answer, Request, TaskResult } from "./messages.ts";

/** A task on its way. */
export interface TaskOnItsWay {
  readonly future: ComputeFuture<unknown>;
  /** JSON of the task. */
  readonly spec: string;
  group: string;
  readonly read: (result: TaskResult) => unknown;
}

/** A batch without an answer. */
interface OpenSubmit {
  readonly t: "submit";
  readonly key: string;
  readonly head: string;
  readonly tasks: readonly TaskOnItsWay[];
}

/** A question without an answer. */
interface OpenAsk {
  readonly t: "ask";
  readonly request: Request;
  readonly resolve: (answer: Answer) => void;
  readonly reject: (error: Error) => void;
}

const lineCharsMax = 2 * 1024 * 1024;
const unansweredMax = 8;
/** While something is on its way, a moment's patience makes larger batches of what follows. */
const gather_ms = 8;
const deathsMax = 6;
const batchOfIds = 10_000;

export class Connection implements FutureKeeper {
  private readonly queues = new Map<string, { batchSize: number; tasks: TaskOnItsWay[] }>();
  private asks: OpenAsk[] = [];
  private readonly open = new Map<number, OpenSubmit | OpenAsk>();
  private readonly tasks = new Map<string, TaskOnItsWay>();
  private readonly wantedFutures = new Set<ComputeFuture<unknown>>();
  private gc: GcProcess | undefined;
  private deaths = 0;
  private ref = 0;
  private scheduled: "no" | "soon" | "now" = "no";
  private idle: (() => void)[] = [];

  /** Queues a task. Tasks with the same head (JSON of what they share) travel together. */
  submit(head: string, batchSize: number, task: TaskOnItsWay): void {
    const queue = this.queues.get(head) ?? { batchSize, tasks: [] };
    queue.tasks.push(task);
    this.queues.set(head, queue);
    this.schedule(this.unanswered() === 0);
  }

  /** Asks gc. @throws ComputeError. */
  ask(request: Request): Promise<Answer> {
    const answer = new Promise<Answer>((resolve, reject) => {
      this.asks.push({ t: "ask", request, resolve, reject });
    });
    answer.catch(() => {}); // Who does not wait for it does not care.
    this.schedule(true);
    return answer;
  }

  /** Notes a task whose id is known, before its result is asked for. */
  expect(task: TaskOnItsWay): void {
    if (task.future.taskId !== undefined) this.tasks.set(task.future.taskId, task);
  }

  /** The task of this id, as long as it has no result. */
  taskOf(id: string): TaskOnItsWay | undefined {
    return this.tasks.get(id);
  }

  /** Lets go of the tasks of a group and returns them: somebody else looks after them now. */
  letGo(group: string): TaskOnItsWay[] {
    const gone = [...this.tasks].filter(([, task]) => task.group === group);
    for (const [id] of gone) this.tasks.delete(id);
    return gone.map(([, task]) => task);
  }

  /** Asks for the results of tasks, those that are there already too. */
  watch(group: string, ids: readonly string[]): void {
    for (let at = 0; at < ids.length; at += batchOfIds) {
      void this.ask({ t: "watch", group, ids: ids.slice(at, at + batchOfIds) });
    }
  }

  /** Resolves when everything that was handed over is safe. */
  async safe(): Promise<void> {
    while (this.isOnItsWay()) {
      await new Promise<void>((resolve) => this.idle.push(resolve));
      // An answer may be what somebody waited for to hand over more.
      await new Promise<void>((resolve) => setImmediate(resolve));
    }
  }

  wanted(future: ComputeFuture<unknown>, is_wanted: boolean): void {
    if (!is_wanted) this.wantedFutures.delete(future);
    else {
      this.wantedFutures.add(future);
      // gc has died meanwhile, and nobody cared until now.
      if (this.gc === undefined) this.schedule(true);
    }
    this.hold();
  }

  cancelled({ taskId }: ComputeFuture<unknown>): void {
    if (taskId === undefined || !this.tasks.delete(taskId)) return;
    void this.ask({ t: "cancel", ids: [taskId] });
  }

  settled(future: ComputeFuture<unknown>): void {
    this.wantedFutures.delete(future);
    this.hold();
  }

  private unanswered(): number {
    let count = 0;
    for (const one of this.open.values()) if (one.t === "submit") count += 1;
    return count;
  }

  private isOnItsWay(): boolean {
    return this.queues.size > 0 || this.asks.length > 0 || this.open.size > 0;
  }

  /** The program may not end while something is on its way or waited for. */
  private hold(): void {
    const is_busy = this.isOnItsWay();
    this.gc?.hold(is_busy || this.wantedFutures.size > 0);
    if (is_busy) return;
    const { idle } = this;
    this.idle = [];
    for (const done of idle) done();
  }

  private schedule(is_urgent: boolean): void {
    if (this.scheduled === "now" || (this.scheduled === "soon" && !is_urgent)) return;
    this.scheduled = is_urgent ? "now" : "soon";
    const flush = (): void => {
      if (this.scheduled !== (is_urgent ? "now" : "soon")) return;
      this.scheduled = "no";
      this.flush();
    };
    if (is_urgent) setImmediate(flush);
    else setTimeout(flush, gather_ms);
  }

  private flush(): void {
    this.gc ??= this.start();
    const { gc } = this;
    if (gc === undefined) return;
    const { asks } = this;
    this.asks = [];
    for (const ask of asks) this.sendNew(gc, ask);
    for (const [head, queue] of [...this.queues]) {
      this.queues.delete(head);
      while (queue.tasks.length > 0 && this.unanswered() < unansweredMax) {
        const tasks = takeBatch(queue.tasks, queue.batchSize);
        if (tasks.length > 0) this.sendNew(gc, { t: "submit", key: randomUUID(), head, tasks });
      }
      if (queue.tasks.length > 0) this.queues.set(head, queue);
    }
    this.hold();
  }

  private sendNew(gc: GcProcess, message: OpenSubmit | OpenAsk): void {
    this.ref += 1;
    this.open.set(this.ref, message);
    gc.write(lineOf(message, this.ref, false));
  }

  /** Starts gc, after the death of an earlier one too, and tells it what that one did not answer. */
  private start(): GcProcess | undefined {
    if (this.deaths >= deathsMax) {
      this.giveUp(new ComputeError(`gc ended ${this.deaths} times in a row`, "gc.dies", "gc doctor"));
      return undefined;
    }
    let gc: GcProcess;
    try {
      gc = new GcProcess(
        (message) => this.take(gc, message),
        (error) => this.died(gc, error),
      );
    } catch (error) {
      this.giveUp(error instanceof Error ? error : new ComputeError(String(error)));
      return undefined;
    }
    const groups = new Map<string, string[]>();
    for (const [id, { group }] of this.tasks) {
      const ids = groups.get(group);
      if (ids === undefined) groups.set(group, [id]);
      else ids.push(id);
    }
    for (const [ref, message] of this.open) gc.write(lineOf(message, ref, true));
    for (const [group, ids] of groups) this.watch(group, ids);
    return gc;
  }

  private died(gc: GcProcess, error: Error | undefined): void {
    if (this.gc !== gc) return;
    this.gc = undefined;
    if (error !== undefined) return this.giveUp(error);
    this.deaths += 1;
    if (!this.isOnItsWay() && this.wantedFutures.size === 0) return;
    const pause_ms = this.deaths > 1 ? Math.min(5000, 50 * 2 ** this.deaths) : 0;
    setTimeout(() => this.schedule(true), pause_ms);
  }

  /** Nothing that is on its way will have a result here. What was safe still runs. */
  private giveUp(error: Error): void {
    const messages = [...this.open.values(), ...this.asks];
    const lost = [...this.queues.values()].flatMap(({ tasks }) => tasks);
    for (const one of messages) if (one.t === "submit") lost.push(...one.tasks);
    lost.push(...this.tasks.values());
    for (const kept of [this.queues, this.open, this.tasks]) kept.clear();
    this.asks = [];
    this.deaths = 0;
    for (const { future } of lost) future.fail(error);
    for (const one of messages) if (one.t === "ask") one.reject(error);
    this.hold();
  }

  private take(gc: GcProcess, message: Answer): void {
    if (this.gc !== gc) return;
    switch (message.t) {
      case "hello":
        this.deaths = 0;
        gc.is_greeted = true;
        return;
      case "result":
        return this.ended(message.id as string, (task) => task.future.end(message.result as TaskResult, task.read));
      case "failed": {
        const { message: text = "unknown" } = message.error as { message?: string };
        return this.ended(message.id as string, (task) => task.future.fail(new TaskExecutionFailed(text)));
      }
      case "notice":
        process.emitWarning(String(message.text), "gc");
        return;
      default:
        if (message.ref !== undefined) this.answered(message.ref, message);
        else if (message.t === "error" && !gc.is_greeted) {
          this.gc = undefined;
          this.giveUp(errorOf(message));
        }
    }
  }

  private ended(id: string, tell: (task: TaskOnItsWay) => void): void {
    const task = this.tasks.get(id);
    this.tasks.delete(id);
    if (task !== undefined) tell(task);
  }

  private answered(ref: number, message: Answer): void {
    const one = this.open.get(ref);
    this.open.delete(ref);
    if (one?.t === "ask") {
      if (message.t === "error") one.reject(errorOf(message));
      else one.resolve(message);
    } else if (one?.t === "submit") {
      if (message.t === "submitted") this.submitted(one, message.group as string, message.ids as string[]);
      else for (const { future } of one.tasks) future.fail(errorOf(message));
      if (this.queues.size > 0) this.schedule(false);
    }
    this.hold();
  }

  private submitted({ tasks }: OpenSubmit, group: string, ids: readonly string[]): void {
    const cancelled: string[] = [];
    tasks.forEach((task, at) => {
      const id = ids[at] as string;
      task.group = group;
      if (task.future.cancelled()) cancelled.push(id);
      else this.tasks.set(id, task);
      task.future.know(id);
    });
    if (cancelled.length > 0) void this.ask({ t: "cancel", ids: cancelled });
  }
}

function takeBatch(queue: TaskOnItsWay[], batchSize: number): TaskOnItsWay[] {
  let count = 0;
  for (let size = 0; count < queue.length && count < batchSize && size < lineCharsMax; count += 1) {
    size += queue[count]?.spec.length ?? 0;
  }
  return queue.splice(0, count).filter(({ future }) => !future.done());
}

function lineOf(message: OpenSubmit | OpenAsk, ref: number, is_again: boolean): string {
  if (message.t === "ask") return JSON.stringify({ ...message.request, ref });
  const { key, head, tasks } = message;
  const told = JSON.stringify({ ...JSON.parse(head), t: "submit", ref, key, ...(is_again ? { again: true } : {}) });
  return `${told.slice(0, -1)},"tasks":[${tasks.map(({ spec }) => spec).join(",")}]}`;
}

function errorOf({ message, code, hint }: Answer): ComputeError {
  const text = (value: unknown) => (typeof value === "string" ? value : undefined);
  return new ComputeError(text(message) ?? "unknown", text(code), text(hint));
}

let shared: Connection | undefined;

/** The connection of this program. */
export function connection(): Connection {
  shared ??= new Connection();
  return shared;
}
