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
  const argv = own_argv ?? spec.argv ?? ["/bin/sh", "-c", spec.script ?? ""];
  const env = taskEnvironment(around.env, spec, tid, attempt, sandbox);
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

const ownNames = ["GC_TASK_UUID", "GC_TASK_ATTEMPT", "GC_TASK_SANDBOX_DIR"];
