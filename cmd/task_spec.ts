/** From options and words to the task they mean. Knows nothing of the command line's parser, so the fast path can use
 * it. */
import { GcError } from "../core/errors.ts";
import { resolve } from "../core/host/path.ts";
import type { Resources, TaskSpec } from "../core/schema/task.ts";
import { rankShape } from "../core/task/ranks.ts";

export interface TaskOptions {
  endpoint?: string;
  shell?: boolean;
  walltime?: number;
  grace?: number;
  env?: { [name: string]: string };
  cwd?: string;
  stdin?: string;
  onLost?: "rerun" | "fail";
  retries?: number;
  label?: string;
  group?: string;
  cores?: number;
  cpus?: number;
  exclusive?: boolean;
  memory?: number;
  gpus?: number;
  nodes?: number;
  ranks?: number;
  ranksPerNode?: number;
  launcherOptions?: string;
  labelRanks?: boolean;
  snippetLines?: number;
  sandbox?: boolean;
  discardOutput?: boolean;
  priority?: number;
}

/**
 * What the options say, without the command.
 * @param here tells the directory that a relative --cwd starts from; asked only then, because it may have been removed.
 */
export function baseSpec(options: TaskOptions, here: () => string): TaskSpec {
  const spec: TaskSpec = {};
  if (options.walltime !== undefined) spec.walltime_s = options.walltime;
  if (options.grace !== undefined) spec.grace_s = options.grace;
  if (options.env !== undefined) spec.env = options.env;
  if (options.cwd !== undefined) spec.cwd = options.cwd.startsWith("/") ? options.cwd : resolve(here, options.cwd);
  if (options.onLost !== undefined) spec.on_lost = options.onLost;
  if (options.retries !== undefined) spec.retries = options.retries;
  if (options.label !== undefined) spec.label = options.label;
  if (options.snippetLines !== undefined) spec.snippet_lines = options.snippetLines;
  if (options.sandbox === false) spec.sandbox = false;
  if (options.discardOutput === true) spec.output = "discard";
  if (options.labelRanks === true) spec.label_ranks = true;
  const resources = resourcesOf(options);
  if (Object.keys(resources).length > 0) spec.resources = resources;
  return spec;
}

/** @throws GcError usage `task.ranks` when nodes and ranks contradict each other. */
function resourcesOf(options: TaskOptions): Resources {
  const { cpus, cores = cpus, memory, gpus, nodes, ranks, ranksPerNode, launcherOptions, exclusive } = options;
  const resources: Resources = {
    ...(cores === undefined ? {} : { cores }),
    ...(memory === undefined ? {} : { memory_mib: memory }),
    ...(gpus === undefined ? {} : { gpus }),
    ...(nodes === undefined ? {} : { nodes }),
    ...(ranks === undefined ? {} : { ranks }),
    ...(ranksPerNode === undefined ? {} : { ranks_per_node: ranksPerNode }),
    ...(launcherOptions === undefined ? {} : { launcher_options: launcherOptions }),
    ...(exclusive === true ? { exclusive } : {}),
  };
  rankShape(resources);
  return resources;
}

/** The words after `--` as a task's command. */
export function commandOf(words: readonly string[], shell: boolean): Pick<TaskSpec, "argv" | "script"> {
  if (words.length === 0) {
    throw new GcError("usage", "task.no_command", "There is no command to run", { hint: "gc run -- hostname" });
  }
  return shell ? { script: words.join(" ") } : { argv: [...words] };
}
