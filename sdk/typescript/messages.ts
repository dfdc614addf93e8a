/**
 * Lines of the protocol as far as this SDK reads them (docs/SDK_PROTOCOL.md); core/schema says all of it. They are
 * written down again because the SDK travels without gc's sources; a test compares the two.
 */

/** How a task ended. */
export interface TaskOutcome {
  class: string;
  cause: string;
  exit_code: number;
  signal?: string;
  reason?: string;
}

/** One captured stream: the last `kept` bytes of `total`. */
export interface TaskOutput {
  total: number;
  kept: number;
  text?: string;
  base64?: string;
}

/** A value of a Python function. */
export type PythonReturn = { kind: "json"; text: string } | { kind: "pickle"; base64: string; version: string };

/** An exception of a Python function. */
export interface PythonRaise {
  type: string;
  module: string;
  message: string;
  traceback: string;
  args?: string;
}

/** The whole result of a task, as gc tells it. Times are milliseconds since 1970. */
export interface TaskResult {
  outcome: TaskOutcome;
  stdout: TaskOutput;
  stderr: TaskOutput;
  value?: PythonReturn;
  exception?: PythonRaise;
  attempt: number;
  started_ms: number;
  ended_ms: number;
  host: string;
}

/** Where a Python function comes from. */
export type PythonCode =
  | { kind: "source"; source: string; entry: string }
  | { kind: "import"; module: string; entry: string };

/** What a registered function is. */
export type FunctionBody =
  | PythonCode
  | { kind: "pickle" }
  | { kind: "shell"; fields: { cmd: string; [name: string]: unknown } };

/** What gc answers; which keys are there depends on `t`. */
export interface Answer {
  t: string;
  ref?: number;
  [key: string]: unknown;
}

/** A request; its `ref` is put in when it is sent. */
export interface Request {
  t: string;
  [key: string]: unknown;
}

/** The text of a stream. Bytes that are no UTF-8 become U+FFFD. */
export function streamText(output: TaskOutput): string {
  if (output.text !== undefined) return output.text;
  return Buffer.from(output.base64 ?? "", "base64").toString("utf8");
}
