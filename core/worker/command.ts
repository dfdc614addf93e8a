/**
 * What exactly is started for an attempt: words, variables, directory. Here meet the task's own wishes, the seat it has
 * on this node, and the container that the endpoint puts around all tasks.
 */
import { homedir } from "node:os";
import type { Outcome } from "../schema/result.ts";
import type { TaskSpec } from "../schema/task.ts";
import { inContainer } from "./container.ts";
import type { ContainerKeeper } from "./container_keeper.ts";
import { describeSeat, taskEnvironment } from "./environment.ts";
import type { AcceleratorKind } from "./node_resources.ts";
import { directoryOf } from "./process.ts";
import { placeScript, scriptArgv } from "./python_script.ts";
import type { Seat } from "./seats.ts";

/** What is the same for all tasks of a worker. */
export interface Surroundings {
  /** What all tasks get. */
  env: { readonly [name: string]: string };
  /** Names of what the endpoint itself adds to it, for tasks that do not inherit the rest. */
  added: readonly string[];
  accelerator_kind: AcceleratorKind | undefined;
  containers: ContainerKeeper | undefined;
  /** The Python for functions whose task names none. */
  python: string | undefined;
}

export interface Command {
  argv: string[];
  env: { [name: string]: string };
  cwd: string;
  /** Where the container that runs it beside us writes its id. */
  cidfile: string | undefined;
}

/**
 * The command of one attempt, or why there can be none. `sandbox`: its directory, if it has one; `argv`: what starts it
 * if it is no command.
 */
export function commandOf(
  around: Surroundings,
  { spec, tid, attempt, seat }: { spec: TaskSpec; tid: string; attempt: number; seat: Seat | undefined },
  sandbox: string | undefined,
  own_argv?: string[],
): Command | { outcome: Outcome } {
  const home = around.env.HOME ?? homedir();
  const env = taskEnvironment(around.env, spec, tid, attempt, sandbox);
  const words = own_argv ?? wordsOf(around, spec, sandbox, { home, path: env.PATH });
  if (!Array.isArray(words)) return { outcome: words };
  const argv = words;
  const cwd = directoryOf(spec, sandbox, home);
  const named = seat === undefined ? [] : describeSeat(env, spec.env, seat, around.accelerator_kind);
  const { containers } = around;
  if (containers === undefined) return { argv, env, cwd, cidfile: undefined };
  const { container, program, beside } = containers;
  if (program === undefined) {
    const reason = `The container program "${container.type}" was not found in PATH on the machine of the worker`;
    return { outcome: { class: "fail", cause: "sandbox", exit_code: 125, reason } };
  }
  const known = new Set([...around.added, ...Object.keys(spec.env ?? {}), ...named, ...ownNames]);
  const pass = [...known].filter((name) => env[name] !== undefined);
  const cidfile = containers.cidfile(tid, attempt);
  const user = `${process.getuid?.() ?? 0}:${process.getgid?.() ?? 0}`;
  const cpus = seat?.cpus ?? [];
  const inside = { argv, env, pass, cwd, home, sandbox, spec, cpus, cidfile, user };
  return { ...inContainer(container, program, inside), cwd, cidfile: beside ? cidfile : undefined };
}

/** What starts a command or a script; a Python script becomes a file on the way. @throws the file system's error. */
function wordsOf(
  around: Surroundings,
  { argv, script, python_script }: TaskSpec,
  sandbox: string | undefined,
  { home, path }: { home: string; path: string | undefined },
): string[] | Outcome {
  if (python_script === undefined) return argv ?? ["/bin/sh", "-c", script ?? ""];
  if (sandbox === undefined) {
    const reason = "A Python script needs a sandbox, through which it comes: leave out --no-sandbox";
    return { class: "fail", cause: "sandbox", exit_code: 125, reason };
  }
  // What is in an image cannot be seen from here: inside, uv is tried where it is needed.
  const has_uv = () => around.containers !== undefined || Bun.which("uv", { PATH: path ?? "" }) !== null;
  return scriptArgv(python_script, placeScript(python_script, sandbox), { python: around.python, home, has_uv });
}

const ownNames = ["GC_TASK_UUID", "GC_TASK_ATTEMPT", "GC_TASK_SANDBOX_DIR"];
