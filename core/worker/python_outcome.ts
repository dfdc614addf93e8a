/** How a call of a Python function ended, in the words and numbers that its user sees. */
import type { PythonCall, PythonReply } from "../schema/python.ts";
import type { Outcome } from "../schema/result.ts";
import type { Exit } from "./attempt.ts";

/** What is known of a call once nothing of it is left. */
export interface CallEnd {
  python: string;
  name: string;
  /** Its Python has begun to run our program. */
  greeted: boolean;
  reply: PythonReply | undefined;
}

/** What a function is called, for people. */
export function functionName({ code }: PythonCall): string {
  if (code.kind === "pickle") return "the function";
  return code.kind === "import" ? `${code.module}.${code.entry}()` : `${code.entry}()`;
}

/** The outcome of a call that gc did not end. `byProcess`: what it would be for a command. */
export function callOutcome(call: CallEnd, exit: Exit, byProcess: Outcome): Outcome {
  const { reply, greeted, name, python } = call;
  if (reply?.value !== undefined) return { class: "ok", cause: "exit", exit_code: 0 };
  if (reply?.exception !== undefined) {
    const { type, module, message } = reply.exception;
    const [line = ""] = message.split("\n");
    const reason = module === "gc" ? line : `${name} raised ${type}${line === "" ? "" : `: ${cut(line)}`}`;
    return { class: "fail", cause: "exception", exit_code: 1, reason };
  }
  if (!greeted) return didNotStart(python, exit);
  if (exit.signal !== null) {
    const reason = byProcess.reason ?? `Python was killed by ${exit.signal} while it ran ${name}`;
    return { ...byProcess, reason };
  }
  const code = exit.code ?? 125;
  const reason = `${name} ended its Python with exit code ${code} before it returned a value`;
  return { class: "fail", cause: "exit", exit_code: code === 0 ? 1 : code, reason };
}

function didNotStart(python: string, exit: Exit): Outcome {
  const how = exit.signal === null ? `ended with exit code ${exit.code ?? "?"}` : `was killed by ${exit.signal}`;
  const reason =
    `"${python}" ${how} before it could run the function; its standard error may say why. ` +
    "Name a Python of 3.6 or newer (interpreter of the task, or python in the endpoint's configuration)";
  return { class: "fail", cause: "spawn", exit_code: exit.code === 127 ? 127 : 126, reason };
}

function cut(line: string): string {
  return line.length > 300 ? `${line.slice(0, 299)}…` : line;
}
