/**
 * Run commands and Python functions on any gc endpoint, from TypeScript or JavaScript, under Bun or Node:
 *
 *     import { Executor, PythonFunction, ShellFunction } from "./gc_compute.ts";
 *
 *     await using executor = new Executor({ endpointId: "my-endpoint" });
 *     const hello = new PythonFunction("def hello(name): return f'Hello {name}!'");
 *     console.log(await executor.submit(hello, "World").result());
 *
 * It starts the `gc` executable once per program (`gc sdk serve`) and speaks lines of JSON to it; keys, connections,
 * the outbox and exactly-once are gc's. docs/guides/typescript.md shows all of it.
 */
export {
  Batch,
  type BatchOptions,
  type BatchReceipt,
  Client,
  type EndpointRow,
  type EndpointStatus,
  type TaskStanding,
} from "./client.ts";
export { ComputeFuture } from "./compute_future.ts";
export {
  CancelledError,
  ComputeError,
  RemoteError,
  SerializationError,
  TaskCancelled,
  TaskExecutionFailed,
  TaskPending,
  TaskTimeout,
  WaitTimeout,
} from "./errors.ts";
export { Executor, type ExecutorOptions } from "./executor.ts";
export type { FormatValue, FormatValues } from "./format.ts";
export type { MapOptions } from "./mapping.ts";
export type { TaskOutcome, TaskOutput, TaskResult } from "./messages.ts";
export { PythonFunction, type PythonFunctionOptions } from "./python_function.ts";
export { PythonArray, PythonValue } from "./read_values.ts";
export type { RegisteredFunction, RegisterOptions } from "./registry.ts";
export type { ResourceSpecification } from "./resources.ts";
export { MPIFunction, type ShellFields, ShellFunction, type ShellOptions, ShellResult } from "./shell_function.ts";
export { kwargs, pyFloat, tuple } from "./values.ts";
export { asCompleted, type ReturnWhen, type WaitOptions, wait } from "./waiting.ts";
