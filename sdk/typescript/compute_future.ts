/**
 * A future of a task: knows its task, can be cancelled, and may be left alone: a failure that nobody looks at ends no
 * program. Settles once; the first cause wins.
 */
import { CancelledError, ComputeError, WaitTimeout } from "./errors.ts";
import { streamText, type TaskResult } from "./messages.ts";

/** What a future tells whoever keeps it. */
export interface FutureKeeper {
  /** Whether somebody waits for it: the program must not end before it has settled. */
  wanted(future: ComputeFuture<unknown>, is_wanted: boolean): void;
  /** It was cancelled. */
  cancelled(future: ComputeFuture<unknown>): void;
  settled(future: ComputeFuture<unknown>): void;
}

/** Ask it for its `result()`. It is no promise itself, so that functions and iterators can hand it on as it is. */
export class ComputeFuture<T = unknown> {
  /** Is there once the task is safe; see `submitted`. */
  taskId: string | undefined;
  /** What the task printed, once it has ended. */
  stdout: string | undefined;
  stderr: string | undefined;
  /** The whole result as gc tells it: outcome, times, host, attempt. */
  gcResult: TaskResult | undefined;
  private state: "pending" | "ok" | "failed" | "cancelled" = "pending";
  private value: T | undefined;
  private error: Error | undefined;
  private readonly keeper: FutureKeeper;
  private readonly promise: Promise<T>;
  private readonly safe: Promise<string>;
  private resolve: (value: never) => void = () => {};
  private reject: (error: Error) => void = () => {};
  private becomeSafe: (id: string) => void = () => {};
  private failSafe: (error: Error) => void = () => {};
  private waiters = 0;
  private callbacks: ((future: never) => void)[] = [];

  constructor(keeper: FutureKeeper, taskId?: string) {
    this.keeper = keeper;
    this.promise = new Promise<T>((resolve, reject) => {
      this.resolve = resolve;
      this.reject = reject;
    });
    this.safe = new Promise<string>((resolve, reject) => {
      this.becomeSafe = resolve;
      this.failSafe = reject;
    });
    for (const one of [this.promise, this.safe]) one.catch(() => {});
    if (taskId !== undefined) this.know(taskId);
  }

  done(): boolean {
    return this.state !== "pending";
  }

  cancelled(): boolean {
    return this.state === "cancelled";
  }

  /** It ended by an error; being cancelled is none. */
  failed(): boolean {
    return this.state === "failed";
  }

  /** The value. @throws what the task ended by. @throws WaitTimeout after `timeout_s` seconds; the task goes on. */
  result(timeout_s?: number): Promise<T> {
    const release = this.want();
    return timeout_s === undefined ? this.promise : within(this.promise, timeout_s, "the task").finally(release);
  }

  /** What the task ended by; undefined when it has a value. @throws WaitTimeout, CancelledError. */
  async exception(timeout_s?: number): Promise<Error | undefined> {
    try {
      await this.result(timeout_s);
      return undefined;
    } catch (error) {
      if (this.state === "failed") return this.error;
      throw error;
    }
  }

  /** Its id, once the task is safe even if this process ends. @throws what went wrong instead. */
  submitted(timeout_s?: number): Promise<string> {
    return timeout_s === undefined ? this.safe : within(this.safe, timeout_s, "the task to be safe");
  }

  /** Cancels the task, running or not; false when it had ended. */
  cancel(): boolean {
    if (this.state === "cancelled") return true;
    if (this.state !== "pending") return false;
    this.settle("cancelled", undefined, new CancelledError("The future was cancelled"));
    this.keeper.cancelled(this);
    return true;
  }

  /** Calls it once when the future is done, at once when it is. What it throws is a warning of the process. */
  addDoneCallback(callback: (future: this) => void): void {
    this.want();
    this.whenDone(callback);
  }

  /** The same without keeping the program from ending. */
  whenDone(callback: (future: this) => void): void {
    if (this.state === "pending") this.callbacks.push(callback);
    else this.call(callback);
  }

  /** Its value when it has one. @throws what it ended by; ComputeError while it is pending. */
  now(): T {
    if (this.state === "pending") throw new ComputeError("The task is pending", "task.pending");
    if (this.error !== undefined) throw this.error;
    return this.value as T;
  }

  /** Keeps the program from ending before this is done, as `result` does. Call what it returns to stop that. */
  want(): () => void {
    if (this.state !== "pending") return () => {};
    this.waiters += 1;
    this.keeper.wanted(this, true);
    let is_over = false;
    return () => {
      if (is_over) return;
      is_over = true;
      this.waiters -= 1;
      if (this.waiters === 0) this.keeper.wanted(this, false);
    };
  }

  /** For who keeps it: the task is safe under this id. */
  know(taskId: string): void {
    this.taskId = taskId;
    this.becomeSafe(taskId);
  }

  /** For who keeps it: the task has ended. */
  end(result: TaskResult, read: (result: TaskResult) => unknown): void {
    if (this.state !== "pending") return;
    this.gcResult = result;
    this.stdout = streamText(result.stdout);
    this.stderr = streamText(result.stderr);
    try {
      this.settle("ok", read(result) as T, undefined);
    } catch (error) {
      this.fail(error instanceof Error ? error : new Error(String(error)));
    }
  }

  /** For who keeps it: there will be no result. */
  fail(error: Error): void {
    this.settle("failed", undefined, error);
  }

  private settle(state: "ok" | "failed" | "cancelled", value: T | undefined, error: Error | undefined): void {
    if (this.state !== "pending") return;
    this.state = state;
    this.value = value;
    this.error = error;
    if (error === undefined) this.resolve(value as never);
    else {
      this.reject(error);
      this.failSafe(error);
    }
    this.keeper.settled(this);
    const { callbacks } = this;
    this.callbacks = [];
    for (const callback of callbacks) this.call(callback);
  }

  private call(callback: (future: never) => void): void {
    try {
      callback(this as never);
    } catch (error) {
      process.emitWarning(`A callback of a future failed: ${error instanceof Error ? error.stack : error}`);
    }
  }
}

/** Timers go no further, milliseconds. */
export const longest_ms: number = 2 ** 31 - 1;

/** The same promise with a limit. */
export function within<T>(promise: Promise<T>, timeout_s: number, what: string): Promise<T> {
  return new Promise<T>((resolve, reject) => {
    const late = () => reject(new WaitTimeout(`Waited ${timeout_s} s for ${what}`, "wait.timeout"));
    const timer = setTimeout(late, Math.min(timeout_s * 1000, longest_ms));
    promise.then(resolve, reject).finally(() => clearTimeout(timer));
  });
}
