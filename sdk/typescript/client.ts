/**
 * The calls of `Client`: registered functions, tasks and endpoints by their ids. An `Executor` is nearly always the
 * better choice. Holds nothing but the tasks that it submitted itself.
 */
import { randomUUID } from "node:crypto";
import { ComputeFuture, type FutureKeeper } from "./compute_future.ts";
import { connection } from "./connection.ts";
import { TaskExecutionFailed, TaskPending } from "./errors.ts";
import { Executor, type ExecutorOptions } from "./executor.ts";
import type { TaskResult } from "./messages.ts";
import { readAny } from "./outcome.ts";
import { type AnyFunction, lookUp, type RegisteredFunction, type RegisterOptions, register } from "./registry.ts";

/** Where a task stands. `result` or `error` is there when it is not pending. */
export interface TaskStanding {
  task_id: string;
  status: string;
  pending: boolean;
  reason?: string;
  result?: unknown;
  error?: Error;
  /** Milliseconds since 1970, by the clock of the worker. */
  ended_ms?: number;
  host?: string;
}

/** What an endpoint said last; counts are 0 when it is offline. */
export interface EndpointStatus {
  id: string;
  name: string;
  status: "online" | "offline";
  total_workers: number;
  idle_workers: number;
  pending_tasks: number;
  outstanding_tasks: number;
  managers: number;
}

export interface EndpointRow {
  id: string;
  name: string;
  owner?: string;
  online: boolean;
}

export type BatchOptions = Pick<ExecutorOptions, "taskGroupId" | "resourceSpecification" | "userEndpointConfig">;

/** Calls of registered functions, to be submitted together. */
export class Batch {
  readonly options: BatchOptions;
  readonly calls: { functionId: string; args: readonly unknown[] }[] = [];

  constructor(options: BatchOptions = {}) {
    this.options = options;
  }

  /** Adds a call; `args` are those of `Executor.submit`. */
  add(functionId: string, ...args: readonly unknown[]): void {
    this.calls.push({ functionId, args });
  }
}

/** What became of a batch: the ids of its tasks in the order of its calls, and the same by function. */
export interface BatchReceipt {
  request_id: string;
  task_group_id: string;
  endpoint_id: string | undefined;
  task_ids: string[];
  tasks: { [functionId: string]: string[] };
}

const statuses: { readonly [state: string]: string } = {
  queued: "waiting-for-ep",
  waiting: "waiting-for-nodes",
  sent: "waiting-for-launch",
  running: "running",
  suspect: "running",
  finished: "running",
};
const idsPerQuestion = 1000;

export class Client {
  private readonly futures = new Map<string, ComputeFuture>();

  /** Your id, and the context in use. */
  async whoami(): Promise<{ id: string; context: string }> {
    const { id, context } = await connection().ask({ t: "whoami" });
    return { id, context } as { id: string; context: string };
  }

  /** Keeps a function under a hash of what it is; returns that id. */
  registerFunction(fn: AnyFunction, options?: RegisterOptions): Promise<string> {
    return register(connection(), fn, options);
  }

  /** @throws ComputeError when nobody knows it here. */
  getFunction(functionId: string): Promise<RegisteredFunction> {
    return lookUp(connection(), functionId);
  }

  async deleteFunction(functionId: string): Promise<void> {
    await connection().ask({ t: "forget", function: functionId });
  }

  /** Submits one call; returns its task's id once it is safe. */
  async run(endpointId: string | undefined, functionId: string, ...args: readonly unknown[]): Promise<string> {
    const batch = this.createBatch();
    batch.add(functionId, ...args);
    const { task_ids } = await this.batchRun(endpointId, batch);
    return task_ids[0] as string;
  }

  createBatch(options?: BatchOptions): Batch {
    return new Batch(options);
  }

  /** Submits a batch; resolves once all of it is safe. @throws ComputeError why a call could not be submitted. */
  async batchRun(endpointId: string | undefined, batch: Batch): Promise<BatchReceipt> {
    const executor = new Executor({ ...batch.options, endpointId, batchSize: 1000 });
    const futures = batch.calls.map(({ functionId, args }) => executor.submitToRegisteredFunction(functionId, ...args));
    const task_ids: string[] = [];
    const tasks: { [functionId: string]: string[] } = {};
    for (const [at, future] of futures.entries()) {
      const id = await future.submitted();
      const functionId = batch.calls[at]?.functionId ?? "";
      this.futures.set(id, future);
      task_ids.push(id);
      tasks[functionId] = [...(tasks[functionId] ?? []), id];
    }
    const { taskGroupId: task_group_id } = executor;
    return { request_id: randomUUID(), task_group_id, endpoint_id: endpointId, task_ids, tasks };
  }

  /** Where a task stands. @throws ComputeError when nobody knows it. */
  async getTask(taskId: string): Promise<TaskStanding> {
    const { [taskId]: standing } = await this.getBatchResult([taskId]);
    return standing as TaskStanding;
  }

  /** The value of a task. @throws TaskPending, or what the task ended by. */
  async getResult(taskId: string): Promise<unknown> {
    const { pending, reason, status, error, result } = await this.getTask(taskId);
    if (pending) throw new TaskPending(reason ?? status);
    if (error !== undefined) throw error;
    return result;
  }

  /** Where tasks stand, by id. */
  async getBatchResult(taskIds: readonly string[]): Promise<{ [taskId: string]: TaskStanding }> {
    const found: { [taskId: string]: TaskStanding } = {};
    for (const id of taskIds) {
      const future = this.futures.get(id);
      if (future?.done() === true) found[id] = standingOf(id, future);
    }
    const asked = [...new Set(taskIds)].filter((id) => found[id] === undefined);
    for (let at = 0; at < asked.length; at += idsPerQuestion) {
      const ids = asked.slice(at, at + idsPerQuestion);
      const { tasks } = await connection().ask({ t: "status", ids, results: true });
      for (const row of tasks as Row[]) found[row.id] = this.standing(row);
    }
    return found;
  }

  /** Ends tasks, queued or running. */
  async cancel(taskIds: string | readonly string[]): Promise<void> {
    await connection().ask({ t: "cancel", ids: typeof taskIds === "string" ? [taskIds] : taskIds });
  }

  /** Whether an endpoint is connected, and what it has to do. Default: the endpoint "local". */
  async getEndpointStatus(endpointId?: string): Promise<EndpointStatus> {
    const answer = await connection().ask({ t: "endpoint", endpoint: endpointId });
    const { workers = [], running = 0, waiting = 0 } = (answer.status ?? {}) as Told;
    const slots = workers.reduce((sum, worker) => sum + (worker.slots ?? 0), 0);
    return {
      id: answer.id as string,
      name: answer.name as string,
      status: answer.online === true ? "online" : "offline",
      total_workers: slots,
      idle_workers: Math.max(0, slots - running),
      pending_tasks: waiting,
      outstanding_tasks: waiting + running,
      managers: workers.length,
    };
  }

  /** Endpoints that you may use. */
  async getEndpoints(): Promise<EndpointRow[]> {
    const { rows } = await connection().ask({ t: "endpoints" });
    return rows as EndpointRow[];
  }

  private standing({ id, state, reason, result }: Row): TaskStanding {
    if (result !== undefined) {
      const future = new ComputeFuture(nobody, id);
      future.end(result, connection().taskOf(id)?.read ?? readAny);
      return standingOf(id, future);
    }
    const why = reason === undefined ? {} : { reason };
    if (state !== "refused") return { task_id: id, status: statuses[state] ?? state, pending: true, ...why };
    return { task_id: id, status: "failed", pending: false, error: new TaskExecutionFailed(reason ?? state) };
  }
}

interface Row {
  id: string;
  state: string;
  reason?: string;
  result?: TaskResult;
}

interface Told {
  workers?: { slots?: number }[];
  running?: number;
  waiting?: number;
}

/** Keeps futures that are done when anybody sees them. */
const nobody: FutureKeeper = { wanted() {}, cancelled() {}, settled() {} };

function standingOf(task_id: string, future: ComputeFuture): TaskStanding {
  const { gcResult } = future;
  const told = gcResult === undefined ? {} : { ended_ms: gcResult.ended_ms, host: gcResult.host };
  try {
    return { task_id, status: "success", pending: false, result: future.now(), ...told };
  } catch (error) {
    return { task_id, status: "failed", pending: false, error: error as Error, ...told };
  }
}
