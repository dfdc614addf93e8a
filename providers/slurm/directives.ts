/** A block request → the options of its `#SBATCH` lines (providers.md §2.1), always in the same order. */
import type { BlockRequest } from "../block_request.ts";
import { minutesOf } from "../walltime.ts";

export function slurmDirectives(request: BlockRequest): string[] {
  const { nodes, walltime_s, gres, gpus_per_node, cores_per_node, memory_mib_per_node, warn_s } = request;
  const said = (option: string, value: string | number | undefined) =>
    value === undefined ? [] : [`${option}=${value}`];
  return [
    `--job-name=${request.name}`,
    `--output=${pathWord(request.stdout_path)}`,
    `--error=${pathWord(request.stderr_path)}`,
    "--open-mode=append",
    `--nodes=${nodes}`,
    "--ntasks-per-node=1",
    `--time=${minutesOf(walltime_s)}`,
    // A block that the scheduler starts again would be a second block under the same id.
    "--no-requeue",
    // One node that dies takes only its own tasks; but without the first, where this script runs, the block is over.
    ...(nodes > 1 ? ["--no-kill"] : []),
    ...(warn_s === undefined || warn_s === 0 ? [] : [`--signal=${warning(request)}TERM@${warn_s}`]),
    ...(request.exclusive === true ? ["--exclusive"] : []),
    ...said("--partition", request.partition),
    ...said("--account", request.account ?? request.project),
    ...said("--qos", request.qos),
    ...said("--reservation", request.reservation),
    ...said("--constraint", request.constraint),
    ...said("--clusters", request.clusters),
    // The two exclude each other.
    ...(gres === undefined ? said("--gpus-per-node", gpus_per_node || undefined) : said("--gres", gres)),
    ...said("--cpus-per-task", cores_per_node),
    ...(memory_mib_per_node === undefined
      ? []
      : [`--mem=${memory_mib_per_node}${memory_mib_per_node === 0 ? "" : "M"}`]),
  ];
}

/** Steps of srun are told by Slurm itself; what the batch shell started is told by the batch shell. */
function warning({ launcher }: BlockRequest): string {
  return launcher.type === "srun" ? "" : "B:";
}

function pathWord(path: string): string {
  return path.includes(" ") ? `"${path}"` : path;
}
