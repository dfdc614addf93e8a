/**
 * A Python script as a command: its text becomes a file in the sandbox, and a Python runs that. Which one: the task's
 * own, else uv where the script's metadata (PEP 723) names packages or a version and uv is there, else the endpoint's.
 * A script that needs packages which nobody can install is not started, and told so.
 */
import { writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import type { PythonScript } from "../schema/python.ts";
import type { Outcome } from "../schema/result.ts";
import { interpreterArgv, pythonDefault } from "./python_program.ts";

/** What there is for a script at the worker. */
export interface ScriptPlace {
  /** The endpoint's Python; undefined: the default one. */
  readonly python: string | undefined;
  /** Its home folder, for names of interpreters. */
  readonly home: string;
  /** Whether `uv` can be started where the script will run. */
  readonly has_uv: () => boolean;
}

/** The words that run `script`, whose text is in `file`, or why it cannot be run. */
export function scriptArgv(script: PythonScript, file: string, place: ScriptPlace): string[] | Outcome {
  const { interpreter, dependencies = [], requires_python, args, name } = script;
  const python = interpreterArgv(interpreter ?? place.python ?? pythonDefault, place.home);
  const plain = [...python, file, ...args];
  if (dependencies.length === 0 && requires_python === undefined) return plain;
  const checked = requires_python === undefined ? plain : [...python, "-c", check, requires_python, file, ...args];
  if (interpreter !== undefined) return checked;
  if (place.has_uv()) return ["uv", "run", "--quiet", "--script", file, ...args];
  if (dependencies.length === 0) return checked;
  const reason =
    `The script "${name}" needs ${dependencies.join(", ")}, and no uv is in PATH on the worker to install that: ` +
    "put uv there (worker_init in the endpoint's config.yaml), or name a Python that has it: " +
    `gc run --interpreter venv:DIR ${name}`;
  return { class: "fail", cause: "spawn", exit_code: 127, reason };
}

/** Puts a script into its sandbox. @returns its path. @throws the error of the file system. */
export function placeScript({ name, source }: PythonScript, sandbox: string): string {
  const path = join(sandbox, basename(name));
  writeFileSync(path, source, { mode: 0o600 });
  return path;
}

/**
 * A program for any Python since 2.7: compares its version with a specifier (PEP 440, as far as numbers and `.*` go)
 * and becomes the script if it fits.
 */
const check = `
import os, sys
wanted, words = sys.argv[1], sys.argv[2:]
here = sys.version_info[:3]
def fits(rule):
    for sign in ("===", "~=", "==", "!=", ">=", "<=", ">", "<"):
        if rule.startswith(sign):
            text = rule[len(sign):].strip()
            break
    else:
        return False
    parts = [int(p) for p in text.split(".") if p != "*"]
    near = here[:len(parts)]
    if text.endswith(".*"):
        return (near == tuple(parts)) == (sign != "!=")
    full = tuple(parts + [0, 0, 0])[:3]
    if sign == "~=":
        return here >= full and here[:len(parts) - 1] == tuple(parts[:-1])
    return {"===": here == full, "==": here == full, "!=": here != full, ">=": here >= full, "<=": here <= full,
            ">": here > full, "<": here < full}[sign]
try:
    good = all(fits(rule.strip()) for rule in wanted.split(",") if rule.strip())
except ValueError:
    good = False
if not good:
    sys.stderr.write(
        "gc: the script %s requires Python %s, and this is Python %s (%s): put uv into PATH on the worker, or name "
        "another one: gc run --interpreter PYTHON\\n"
        % (os.path.basename(words[0]), wanted, "%d.%d.%d" % here, sys.executable)
    )
    sys.exit(126)
os.execv(sys.executable, [sys.executable] + words)
`;
