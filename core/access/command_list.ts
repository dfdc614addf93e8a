/**
 * Which commands an endpoint runs, when its configuration names them. Exactly those: a command is allowed as a whole
 * argv or a whole script, never by how it begins (Nomad CVE-2025-4922 was a prefix match), and with nothing around it
 * that could make it another command. A Python function is code of the caller's, so none is ever on such a list.
 */
import { hash } from "node:crypto";
import { GcError } from "../errors.ts";
import type { TaskSpec } from "../schema/task.ts";

/** One allowed command: program and all its arguments, or a script by the sha256 (hexadecimal) of its UTF-8 text. */
export type CommandRule = { readonly argv: readonly string[] } | { readonly script_sha256: string };

/**
 * Returns when a task (with what all tasks of its envelope have in common) may run. No rules at all: any command; an
 * empty list: none.
 * @throws GcError permission `command.denied` or `command.surroundings`.
 */
export function requireCommand(rules: readonly CommandRule[] | undefined, task: TaskSpec): void {
  if (rules === undefined) return;
  if (task.python !== undefined) {
    const message = "This endpoint runs only the commands that its owner listed, and no Python functions";
    throw new GcError("permission", "command.denied", message, { hint: "Send it as a command that is listed" });
  }
  if (task.python_script !== undefined) {
    const message = "This endpoint runs only the commands that its owner listed, and no Python scripts";
    throw new GcError("permission", "command.denied", message, { hint: "Send it as a command that is listed" });
  }
  const one = (task.argv === undefined) !== (task.script === undefined);
  if (!one || !rules.some((rule) => allows(rule, task))) {
    throw new GcError("permission", "command.denied", "This endpoint runs only the commands that its owner listed");
  }
  const brought = broughtBy(task);
  if (brought !== undefined) {
    const message = `This endpoint runs listed commands only as they are: a task may not bring its own "${brought}"`;
    throw new GcError("permission", "command.surroundings", message);
  }
}

/** What a task brings that could make it another command; a launcher can be told to run whatever one likes. */
export function broughtBy({ env, cwd, resources }: TaskSpec): "env" | "cwd" | "launcher_options" | undefined {
  if (env !== undefined) return "env";
  if (cwd !== undefined) return "cwd";
  return resources?.launcher_options === undefined ? undefined : "launcher_options";
}

function allows(rule: CommandRule, task: TaskSpec): boolean {
  if ("argv" in rule) {
    const { argv } = task;
    return argv !== undefined && argv.length === rule.argv.length && argv.every((word, i) => word === rule.argv[i]);
  }
  return task.script !== undefined && hash("sha256", task.script, "hex") === rule.script_sha256.toLowerCase();
}
