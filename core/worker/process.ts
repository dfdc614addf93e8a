/**
 * Makes the process of a task: a session and process group of its own, its streams in files, nothing of ours
 * inherited. A command is started as it is, never through a shell; only a `script` is for `sh -c`.
 */
import * as fs from "node:fs";
import { isAbsolute, join } from "node:path";
import { systemCode } from "../errors.ts";
import { removeIfThere, writeAll } from "../host/files.ts";
import type { Outcome } from "../schema/result.ts";
import type { TaskSpec } from "../schema/task.ts";
import type { Exit } from "./attempt.ts";
import { couldNotStart } from "./outcome.ts";
import type { Tty } from "./pty.ts";

/** What a process is made of. */
export interface Ingredients {
  argv: string[];
  env: { [name: string]: string };
  cwd: string;
  /** Standard input: a descriptor, which stays ours to close, or how the runtime makes it. */
  stdin: number | "ignore" | "pipe";
  stdout: number | "ignore" | "pipe";
  stderr: number | "ignore";
  tty: Tty | undefined;
  /** Calls its argument so that what that starts is bound to processors; it is given words for before the command. */
  bound: ((start: (prefix: readonly string[]) => Bun.Subprocess) => Bun.Subprocess) | undefined;
  exited(exit: Exit, process: Bun.Subprocess): void;
}

/** A process, or why there is none. */
export type Made = { process: Bun.Subprocess } | { outcome: Outcome };

/** Makes the process. Never throws. */
export function makeProcess(ingredients: Ingredients): Made {
  const { argv, env, cwd } = ingredients;
  try {
    return { process: spawn(argv, ingredients) };
  } catch (error) {
    const script = systemCode(error) === "ENOEXEC" ? scriptWithoutInterpreter(argv[0] ?? "", env, cwd) : undefined;
    if (script !== undefined) {
      try {
        return { process: spawn(["/bin/sh", script, ...argv.slice(1)], ingredients) };
      } catch {
        // The first error tells more.
      }
    }
    return { outcome: couldNotStart({ error, command: argv[0] ?? "", cwd_trouble: troubleWithDirectory(cwd) }) };
  }
}

function spawn(argv: string[], ingredients: Ingredients): Bun.Subprocess {
  if (ingredients.bound === undefined) return spawnHere(argv, ingredients);
  return ingredients.bound((prefix) => spawnHere([...prefix, ...argv], ingredients));
}

function spawnHere(argv: string[], ingredients: Ingredients): Bun.Subprocess {
  const { env, cwd, tty, exited } = ingredients;
  const onExit = (process: Bun.Subprocess, code: number | null, signal: number | null): void => {
    exited({ code, signal: signal === null ? null : String(process.signalCode ?? signal) }, process);
  };
  if (tty !== undefined) return Bun.spawn(argv, { env, cwd, terminal: tty.options, onExit });
  const { stdin, stdout, stderr } = ingredients;
  return Bun.spawn(argv, { env, cwd, stdio: [stdin, stdout, stderr], detached: true, onExit });
}

/** The directory that a task runs in. Relative ones are below the sandbox, `~/` is the home on this machine. */
export function directoryOf(spec: TaskSpec, sandbox: string | undefined, home: string): string {
  const base = sandbox ?? home;
  const { cwd } = spec;
  if (cwd === undefined) return base;
  if (cwd === "~") return home;
  if (cwd.startsWith("~/")) return join(home, cwd.slice(2));
  return isAbsolute(cwd) ? cwd : join(base, cwd);
}

/** Input that came with a task, as a file without a name whose descriptor is to be closed after the start. */
export function inlineInput(base64: string, path: string): number {
  const fd = fs.openSync(path, "w+", 0o600);
  try {
    // At a position, so that the descriptor's own position, which the task inherits, stays at the beginning.
    writeAll(fd, Buffer.from(base64, "base64"), 0);
    return fd;
  } catch (error) {
    fs.closeSync(fd);
    throw error;
  } finally {
    removeIfThere(path);
  }
}

/** A text that may be executed but names no interpreter is for the shell, as every shell and execvp(3) hold. */
function scriptWithoutInterpreter(command: string, env: { [name: string]: string }, cwd: string): string | undefined {
  const path = command.includes("/") ? command : (Bun.which(command, { PATH: env.PATH ?? "", cwd }) ?? undefined);
  if (path === undefined) return undefined;
  try {
    const fd = fs.openSync(isAbsolute(path) ? path : join(cwd, path), "r");
    const head = Buffer.alloc(256);
    const read = fs.readSync(fd, head, 0, head.byteLength, 0);
    fs.closeSync(fd);
    return head.subarray(0, read).includes(0) ? undefined : path;
  } catch {
    return undefined;
  }
}

/** Why nothing can run in a directory, as a sentence. */
export function troubleWithDirectory(cwd: string): string | undefined {
  try {
    if (!fs.statSync(cwd).isDirectory()) return `The directory to run in, "${cwd}", is not a directory`;
    fs.accessSync(cwd, fs.constants.X_OK);
    return undefined;
  } catch (error) {
    const code = systemCode(error);
    if (code === "ENOENT" || code === "ENOTDIR") return `The directory to run in, "${cwd}", does not exist`;
    return `The directory to run in, "${cwd}", may not be entered (${code ?? "unknown"})`;
  }
}
