/**
 * Runs functions on an endpoint: `submit` hands a task over and returns its future at once. Whoever has a task's id has
 * a task that is safe, whatever becomes of this program; `reloadTasks` finds it again.
 */
import { randomUUID } from "node:crypto";
import { ComputeFuture } from "./compute_future.ts";
import { connection } from "./connection.ts";
import { ComputeError } from "./errors.ts";
import { findGc } from "./find_gc.ts";
import type { FormatValues } from "./format.ts";
import { type MapItem, type MapOptions, mapOver } from "./mapping.ts";
import type { PythonCode, TaskResult } from "./messages.ts";
import { readAny, readPython, readShell } from "./outcome.ts";
import { PythonFunction } from "./python_function.ts";
import { type AnyFunction, callable, lookUp, type RegisterOptions, register } from "./registry.ts";
import {
  isParallel,
  mpiResourcesOf,
  type ResourceSpecification,
  resourcesOf,
  type TaskResources,
} from "./resources.ts";
import { MPIFunction, type ShellFields, ShellFunction, type ShellResult } from "./shell_function.ts";
import { argumentsText, Kwargs } from "./values.ts";
import { resultsOf, type WaitOptions } from "./waiting.ts";

// Node 18 has no such symbol; compilers that know `await using` look for it at run time only.
(Symbol as { asyncDispose?: symbol }).asyncDispose ??= Symbol("Symbol.asyncDispose");

export interface ExecutorOptions {
  /** Its name, its id or the beginning of it. Default: GC_ENDPOINT, else the endpoint "local". */
  endpointId?: string | undefined;
  /** Tasks that belong together; default: one group for all executors of this program. */
  taskGroupId?: string | undefined;
  /** What each task needs. */
  resourceSpecification?: ResourceSpecification | undefined;
  /** Values for the template of the endpoint's configuration. */
  userEndpointConfig?: { [key: string]: unknown } | undefined;
  /** A name of the tasks for people. */
  label?: string | undefined;
  /** Tasks that travel together at most; default 128. */
  batchSize?: number | undefined;
  /** Seconds after which a task is ended. */
  walltime?: number | undefined;
  /** Times that a task that failed is run again. */
  retries?: number | undefined;
  env?: { [name: string]: string } | undefined;
  /** Which Python calls functions: a path, a name, `venv:DIR`, `conda:NAME`, `uv:VERSION`. */
  python?: string | undefined;
  /** What happens when a worker is lost with the task; default "rerun". */
  onLost?: "rerun" | "fail" | undefined;
  /** -1000 to 1000; higher goes first. */
  priority?: number | undefined;
}

/** What `submit` returns for a ShellFunction. */
export type ShellOf<AsDict extends boolean> = AsDict extends true ? ShellFields : ShellResult;

let groupOfThisProgram: string | undefined;

/** All options are attributes that can be set between two submits. */
export class Executor implements AsyncDisposable {
  endpointId: string | undefined;
  label: string | undefined;
  userEndpointConfig: { [key: string]: unknown } | undefined;
  batchSize: number;
  walltime: number | undefined;
  retries: number | undefined;
  env: { [name: string]: string } | undefined;
  python: string | undefined;
  onLost: "rerun" | "fail" | undefined;
  priority: number | undefined;
  taskCountSubmitted = 0;
  private group: string | undefined;
  private resources: ResourceSpecification | undefined;
  private is_shut = false;
  private readonly pending = new Set<ComputeFuture<unknown>>();

  /** @throws ComputeError `gc.not_found`, `resource.invalid`; `executor.option` naming an option that there is not. */
  constructor(options: ExecutorOptions = {}) {
    const { endpointId, taskGroupId, resourceSpecification, userEndpointConfig, label, batchSize = 128 } = options;
    const { walltime, retries, env, python, onLost, priority, ...more } = options;
    const known = { endpointId, taskGroupId, resourceSpecification, userEndpointConfig, label, batchSize };
    const [unknown] = Object.keys(more).filter((key) => !(key in known));
    if (unknown !== undefined) throw new ComputeError(`Executor has no option "${unknown}"`, "executor.option");
    this.endpointId = endpointId;
    this.group = taskGroupId;
    this.resourceSpecification = resourceSpecification;
    this.userEndpointConfig = userEndpointConfig;
    this.label = label;
    this.batchSize = Math.min(10_000, Math.max(1, Math.trunc(batchSize)));
    this.walltime = walltime;
    this.retries = retries;
    this.env = env;
    this.python = python;
    this.onLost = onLost;
    this.priority = priority;
    findGc();
  }

  /** The id of the group that its tasks are in. */
  get taskGroupId(): string {
    groupOfThisProgram ??= randomUUID();
    return this.group ?? groupOfThisProgram;
  }

  set taskGroupId(value: string | undefined) {
    this.group = value;
  }

  get resourceSpecification(): ResourceSpecification | undefined {
    return this.resources;
  }

  /** @throws ComputeError `resource.invalid`. */
  set resourceSpecification(value: ResourceSpecification | undefined) {
    if (value !== undefined) resourcesOf(value);
    this.resources = value;
  }

  /**
   * Hands a call over. A ShellFunction takes the values of its places; a PythonFunction its arguments, the last of
   * which may be `kwargs({...})`.
   * @throws ComputeError what cannot be sent. What goes wrong later is an error of the future.
   */
  submit<D extends boolean>(fn: ShellFunction<D>, values?: FormatValues): ComputeFuture<ShellOf<D>>;
  submit<R, A extends readonly unknown[]>(fn: PythonFunction<R, A>, ...args: A): ComputeFuture<R>;
  submit<R>(fn: PythonFunction<R, never>, ...args: [...unknown[], Kwargs]): ComputeFuture<R>;
  submit(fn: AnyFunction, ...args: readonly unknown[]): ComputeFuture {
    return this.dispatch(fn, args);
  }

  /**
   * One call per item, all submitted at once; an asynchronous source is read as results are taken, `inFlight` ahead.
   * The values come in the order of the items; who stops early cancels the rest.
   */
  map<D extends boolean>(
    fn: ShellFunction<D>,
    items: MapItem<FormatValues>,
    options?: MapOptions,
  ): AsyncGenerator<ShellOf<D>, void, void>;
  map<R, A extends readonly unknown[]>(
    fn: PythonFunction<R, A>,
    items: MapItem<unknown>,
    options?: MapOptions,
  ): AsyncGenerator<R, void, void>;
  map(fn: AnyFunction, items: MapItem<unknown>, options: MapOptions = {}): AsyncGenerator<unknown, void, void> {
    const submit = (item: unknown): ComputeFuture<unknown> =>
      this.dispatch(fn, options.spread === true && Array.isArray(item) ? item : [item]);
    return mapOver(submit, items, options);
  }

  /** Values of futures in their order; without futures: of all tasks of this executor that have not ended. */
  results(): AsyncGenerator<unknown, void, void>;
  results<T>(futures: Iterable<ComputeFuture<T>>, options?: WaitOptions): AsyncGenerator<T, void, void>;
  results(futures?: Iterable<ComputeFuture<unknown>>, options?: WaitOptions): AsyncGenerator<unknown, void, void> {
    return resultsOf(futures ?? [...this.pending], options);
  }

  /** Keeps a function under a hash of what it is, signed by you; returns that id. See `gc function list`. */
  registerFunction(fn: AnyFunction, options?: RegisterOptions): Promise<string> {
    return register(connection(), fn, options);
  }

  /** Calls a function that was registered, here or by the SDK in Python; `args` are those of `submit`. */
  submitToRegisteredFunction(id: string, ...args: readonly unknown[]): ComputeFuture {
    const future = this.newFuture();
    lookUp(connection(), id)
      .then((found) => {
        const fn = callable(found);
        if (fn instanceof ShellFunction) this.submitShell(fn, args, future);
        else this.submitPython(fn, args, future, found.sha256);
      })
      .catch((error) => future.fail(error));
    return future;
  }

  /**
   * Futures of all tasks of the group, whoever submitted them. Futures of it that were there before are cancelled here,
   * and their tasks go on.
   */
  async reloadTasks(taskGroupId?: string): Promise<ComputeFuture[]> {
    if (taskGroupId !== undefined) this.group = taskGroupId;
    const to = connection();
    for (const { future } of to.letGo(this.taskGroupId)) future.cancel();
    const answer = await to.ask({ t: "reload", group: this.taskGroupId }).catch((error) => {
      if (error instanceof ComputeError && error.code === "group.unknown") return undefined;
      throw error;
    });
    if (answer === undefined) return [];
    const group = answer.group as string;
    const futures = (answer.ids as string[]).map((id) => new ComputeFuture(to, id));
    for (const future of futures) {
      this.note(future);
      to.expect({ future, spec: "", group, read: readAny });
    }
    // Results may have come before they were expected: they are asked for now.
    to.watch(group, answer.ids as string[]);
    return futures;
  }

  /**
   * Takes no more tasks. Those that were submitted go on, also when this program ends, unless cancelled. Resolves when
   * all have ended; with `wait: false` when all are safe.
   */
  async shutdown(options: { wait?: boolean; cancelFutures?: boolean } = {}): Promise<void> {
    this.is_shut = true;
    const pending = [...this.pending];
    if (options.cancelFutures === true) for (const future of pending) future.cancel();
    if (options.wait !== false) await Promise.allSettled(pending.map((future) => future.result()));
    await connection().safe();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.shutdown();
  }

  private dispatch(fn: AnyFunction, args: readonly unknown[]): ComputeFuture {
    if (fn instanceof ShellFunction) return this.submitShell(fn, args);
    if (fn instanceof PythonFunction) return this.submitPython(fn.code, args);
    throw new ComputeError("submit wants a ShellFunction, an MPIFunction or a PythonFunction", "executor.function");
  }

  private submitShell(fn: ShellFunction<boolean>, args: readonly unknown[], known?: ComputeFuture): ComputeFuture {
    const [values = {}, ...more] = args;
    if (more.length > 0 || typeof values !== "object" || values === null || Array.isArray(values)) {
      throw new ComputeError(`${fn.name} takes one object with the values of its places`, "shell.arguments");
    }
    const line = fn.line(values as FormatValues);
    const resources = fn instanceof MPIFunction ? mpiResourcesOf(this.resources) : resourcesOf(this.resources ?? {});
    const spec = JSON.stringify(fn.spec(line, isParallel(resources)));
    const future = known ?? this.newFuture();
    this.handOver(future, spec, resources, (result) => readShell(fn, line, result));
    return future;
  }

  private submitPython(
    code: PythonCode,
    args: readonly unknown[],
    known?: ComputeFuture,
    sha256?: string,
  ): ComputeFuture {
    const last = args.at(-1);
    const [plain, named] = last instanceof Kwargs ? [args.slice(0, -1), last.values] : [args, {}];
    const call = {
      code,
      arguments: { kind: "json", text: argumentsText(plain, named) },
      ...(sha256 === undefined ? {} : { function: sha256 }),
      ...(this.python === undefined ? {} : { interpreter: this.python }),
    };
    const resources = resourcesOf(this.resources ?? {});
    const future = known ?? this.newFuture();
    this.handOver(future, JSON.stringify({ python: call }), resources, readPython);
    return future;
  }

  private newFuture(): ComputeFuture {
    if (this.is_shut) throw new ComputeError("Cannot schedule new futures after shutdown", "executor.shut");
    const future = new ComputeFuture<unknown>(connection());
    this.note(future);
    this.taskCountSubmitted += 1;
    return future;
  }

  private handOver(
    future: ComputeFuture,
    spec: string,
    resources: TaskResources,
    read: (result: TaskResult) => unknown,
  ): void {
    const { taskGroupId: group, endpointId: endpoint, priority, label, walltime, retries, env, onLost } = this;
    const base = {
      ...(Object.keys(resources).length === 0 ? {} : { resources }),
      ...(label === undefined || label === "" ? {} : { label: label.slice(0, 200) }),
      ...(walltime === undefined ? {} : { walltime_s: walltime }),
      ...(retries === undefined || retries === 0 ? {} : { retries }),
      ...(env === undefined ? {} : { env }),
      ...(onLost === undefined ? {} : { on_lost: onLost }),
      ...(this.userEndpointConfig === undefined ? {} : { user_endpoint_config: this.userEndpointConfig }),
    };
    // Undefined keys are not written.
    const head = JSON.stringify({ group, endpoint, priority, base });
    connection().submit(head, this.batchSize, { future, spec, group, read });
  }

  private note(future: ComputeFuture): void {
    this.pending.add(future);
    future.whenDone(() => this.pending.delete(future));
  }
}
