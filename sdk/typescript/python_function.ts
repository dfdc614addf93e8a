/**
 * Python functions by their text, or by the name under which the worker can import them. There is no Python here to
 * read them: only which functions a text defines is looked for, so that a forgotten name is found before it is sent.
 */
import { SerializationError } from "./errors.ts";
import type { PythonCode } from "./messages.ts";

export interface PythonFunctionOptions {
  /** The function in the text that is called; dots lead into classes. Not needed when there is only one. */
  entry?: string;
}

const entryForm = /^[^\s.]{1,200}(\.[^\s.]{1,200}){0,9}$/;

/** A Python function that returns an `R`. */
export class PythonFunction<R = unknown, A extends readonly unknown[] = readonly unknown[]> {
  readonly code: PythonCode;
  readonly name: string;
  /** Only for the compiler, to tell functions apart by what they take and return. */
  declare readonly signature?: (...args: A) => R;

  /**
   * @param text the text of a module that defines it, which may be indented as a whole; or `module:function`.
   * @throws SerializationError when it defines no function, or several and `entry` does not say which.
   */
  constructor(text: string, options: PythonFunctionOptions = {}) {
    this.code = codeOf(text, options.entry);
    this.name = this.code.entry.split(".").at(-1) ?? this.code.entry;
  }
}

function codeOf(text: string, wanted: string | undefined): PythonCode {
  const imported = /^\s*([\p{L}_][\p{L}\p{N}_.]*):([\p{L}_][\p{L}\p{N}_.]*)\s*$/u.exec(text);
  if (imported !== null) return { kind: "import", module: imported[1] ?? "", entry: imported[2] ?? "" };
  const source = dedented(text);
  const defined = [...source.matchAll(/^(?:async[ \t]+)?def[ \t]+([\p{L}_][\p{L}\p{N}_]*)|^([\p{L}_]\w*)[ \t]*=/gmu)];
  const functions = [...new Set(defined.flatMap(([, name]) => name ?? []))];
  if (wanted !== undefined) {
    if (!entryForm.test(wanted)) throw new SerializationError(`"${wanted}" is no name of a function`);
    return { kind: "source", source, entry: wanted };
  }
  const [entry] = functions;
  if (entry === undefined) {
    throw new SerializationError(
      `The text defines no function: it needs a "def", or a name to import such as "math:sqrt"; it begins with ` +
        JSON.stringify(source.trim().slice(0, 40)),
    );
  }
  if (functions.length > 1) {
    throw new SerializationError(
      `The text defines ${functions.join(", ")}: say which one is called, such as { entry: "${functions.at(-1)}" }`,
    );
  }
  return { kind: "source", source, entry };
}

/** Without the indentation that all lines share, as a text inside of a program has it. */
function dedented(text: string): string {
  const lines = text.replace(/^[ \t]*\r?\n/, "").split("\n");
  const margins = lines.filter((line) => line.trim() !== "").map((line) => /^[ \t]*/.exec(line)?.[0] ?? "");
  let margin = margins[0] ?? "";
  for (const each of margins) while (!each.startsWith(margin)) margin = margin.slice(0, -1);
  return lines.map((line) => (line.startsWith(margin) ? line.slice(margin.length) : line.trimStart())).join("\n");
}
