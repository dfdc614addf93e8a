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
  args?: string;
  kwargs?: string;
  interpreter?: string;
}

/** The call that the options ask for; undefined when they ask for none. @throws GcError usage, io. */
export function pythonCallOf(options: PythonOptions): PythonCall | undefined {
  const { python, interpreter } = options;
  if (python === undefined) {
    const stray = (["args", "kwargs", "interpreter"] as const).find((name) => options[name] !== undefined);
    if (stray !== undefined) throw wrong(`--${stray} belongs to --python`);
    return undefined;
  }
  const args = json(options.args ?? "[]", "--args");
  const kwargs = json(options.kwargs ?? "{}", "--kwargs");
  if (!Array.isArray(args)) throw wrong(`--args must be a JSON list, such as '[1, "two"]'`);
  if (typeof kwargs !== "object" || kwargs === null || Array.isArray(kwargs)) {
    throw wrong(`--kwargs must be a JSON object, such as '{"n": 3}'`);
  }
  // The texts as they were typed: a number that is too large for JavaScript stays what it is.
  const text = `{"args":${options.args ?? "[]"},"kwargs":${options.kwargs ?? "{}"}}`;
  const call: PythonCall = { code: codeOf(python), arguments: { kind: "json", text } };
  return interpreter === undefined ? call : { ...call, interpreter };
}

function codeOf(words: string): PythonCode {
  const at = words.lastIndexOf(":");
  const [where, entry] = [words.slice(0, at), words.slice(at + 1)];
  if (at < 1 || !/^[^\s.:]+([.][^\s.:]+)*$/.test(entry)) {
    throw wrong(`--python takes FILE.py:FUNCTION or MODULE:FUNCTION, not "${words}"`);
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
