/**
 * `gc run --python file.py:function`: from those words to the call that a task makes, and from its result back to
 * words. A file is sent as text, so nothing of it has to be on the other machine; `module:function` is imported there.
 */
import * as fs from "node:fs";
import { GcError } from "../core/errors.ts";
import { fileError } from "../core/host/files.ts";
import type { PythonCall, PythonCode } from "../core/schema/python.ts";
import type { Result } from "../core/schema/result.ts";
import { writeFully } from "./streams.ts";

export interface PythonOptions {
  python?: string;
  function?: string;
  args?: string;
  kwargs?: string;
  interpreter?: string;
}

/**
 * The call that the options ask for; `registered`: of this function, instead of the one that they name.
 * @throws GcError usage, io.
 */
export function pythonCallOf(options: PythonOptions, registered?: Pick<PythonCall, "code" | "function">): PythonCall {
  const { python, interpreter } = options;
  if ((python === undefined) === (registered === undefined)) {
    const stray = (["args", "kwargs", "interpreter"] as const).find((name) => options[name] !== undefined);
    throw wrong(python === undefined ? `--${stray} belongs to --python or --function` : "Give --python or --function");
  }
  const args = json(options.args ?? "[]", "--args");
  const kwargs = json(options.kwargs ?? "{}", "--kwargs");
  if (!Array.isArray(args)) throw wrong(`--args must be a JSON list, such as '[1, "two"]'`);
  if (typeof kwargs !== "object" || kwargs === null || Array.isArray(kwargs)) {
    throw wrong(`--kwargs must be a JSON object, such as '{"n": 3}'`);
  }
  // The texts as they were typed: a number that is too large for JavaScript stays what it is.
  const text = `{"args":${options.args ?? "[]"},"kwargs":${options.kwargs ?? "{}"}}`;
  const what = registered ?? { code: pythonCodeOf(python ?? "") };
  const call: PythonCall = { ...what, arguments: { kind: "json", text } };
  return interpreter === undefined ? call : { ...call, interpreter };
}

/** The code that FILE.py:FUNCTION or MODULE:FUNCTION names. @throws GcError usage, io. */
export function pythonCodeOf(words: string): PythonCode {
  const at = words.lastIndexOf(":");
  const [where, entry] = [words.slice(0, at), words.slice(at + 1)];
  if (at < 1 || !/^[^\s.:]+([.][^\s.:]+)*$/.test(entry)) {
    throw wrong(`A function is named by FILE.py:FUNCTION or MODULE:FUNCTION, not "${words}"`);
  }
  if (!where.endsWith(".py") && !where.includes("/")) return { kind: "import", module: where, entry };
  try {
    return { kind: "source", source: fs.readFileSync(where, "utf8"), entry };
  } catch (cause) {
    throw fileError("read", where, cause);
  }
}

/** Writes the value to standard output, or the traceback to standard error, after what the function printed. */
export async function writePythonEnd({ value, exception, stdout }: Result): Promise<void> {
  const apart = stdout.total > 0 && stdout.text?.endsWith("\n") !== true ? "\n" : "";
  if (value !== undefined) {
    const text = value.kind === "json" ? value.text : value.base64;
    await writeFully(1, Buffer.from(`${apart}${text}\n`));
  }
  if (exception !== undefined && exception.traceback !== "") await writeFully(2, Buffer.from(exception.traceback));
}

function json(text: string, option: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw wrong(`${option} is not JSON: ${text.length > 80 ? `${text.slice(0, 77)}...` : text}`);
  }
}

function wrong(message: string): GcError {
  return new GcError("usage", "task.python", message, {
    hint: `gc run --python file.py:function --args '[1, 2]'`,
  });
}
