/** What can go wrong, as classes to tell apart by `instanceof`. Nothing here decides when. */

/** Something that gc could not do. `code` is stable, `hint` is a command to type. */
export class ComputeError extends Error {
  readonly code: string | undefined;
  readonly hint: string | undefined;

  constructor(message: string, code?: string, hint?: string) {
    super(hint === undefined ? message : `${message}; next: ${hint}`);
    this.name = new.target.name;
    this.code = code;
    this.hint = hint;
  }
}

/** A function or a value that cannot travel; the message says why and what to do. */
export class SerializationError extends ComputeError {}

/** Waiting took longer than was allowed; the task goes on. */
export class WaitTimeout extends ComputeError {}

/** Its future was cancelled. */
export class CancelledError extends ComputeError {}

/** The task has not ended. `reason` says what it waits for. */
export class TaskPending extends ComputeError {
  readonly reason: string;

  constructor(reason: string) {
    super(`The task is pending: ${reason}`);
    this.reason = reason;
  }
}

/** A task that ended without a value, and not by an exception. */
export class TaskExecutionFailed extends ComputeError {}

/** The walltime of a function was over. */
export class TaskTimeout extends TaskExecutionFailed {}

/** Somebody cancelled the task, not through its future. */
export class TaskCancelled extends TaskExecutionFailed {}

/** An exception that a Python function raised: `typeName` is its class, `args` what it was made with. */
export class RemoteError extends TaskExecutionFailed {
  readonly typeName: string;
  readonly args: readonly unknown[];
  readonly remoteTraceback: string;

  constructor(message: string, typeName: string, args: readonly unknown[], remoteTraceback: string) {
    super(message);
    this.typeName = typeName;
    this.args = args;
    this.remoteTraceback = remoteTraceback;
  }
}
