/**
 * The program that runs Python functions, and how an interpreter for it is named. It is text in the executable, written
 * to a file once: other processes cannot see what is inside the executable (bun.md §2).
 */
import { join } from "node:path";
import calls from "../python/calls.py" with { type: "text" };
import runner from "../python/runner.py" with { type: "text" };
import values from "../python/values.py" with { type: "text" };

/** The program, as one file. */
export const pythonProgram: string = `${values}\n\n${calls}\n\n${runner}`;

/** What runs Python where nobody says otherwise; looked for in the PATH of tasks. */
export const pythonDefault = "python3";

/**
 * The words that start an interpreter: `venv:DIR` and `conda:NAME-OR-DIR` name an environment, `uv:3.12` a version that
 * uv finds or fetches; anything else is a path or a name in PATH.
 */
export function interpreterArgv(name: string, home: string): string[] {
  const [, kind, rest = ""] = /^(venv|conda|uv):(.+)$/s.exec(name) ?? [];
  const path = atHome(kind === undefined ? name : rest, home);
  switch (kind) {
    case "venv":
      return [join(path, "bin", "python")];
    case "conda":
      return ["conda", "run", "--no-capture-output", path.includes("/") ? "-p" : "-n", path, "python"];
    case "uv":
      return ["uv", "run", "--no-project", "--python", path, "python"];
    default:
      return [path];
  }
}

function atHome(path: string, home: string): string {
  return path.startsWith("~/") ? join(home, path.slice(2)) : path;
}
