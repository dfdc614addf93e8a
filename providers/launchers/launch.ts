/**
 * Launcher → the lines of the block's script that start the same command once on each node (providers.md §13). Pure:
 * names of nodes are only known inside the block, so lines read them from the file `$GC_HOSTS`.
 */

import { unreachable } from "../../core/assert.ts";
import type { SchedulerName } from "../../core/schema/batch_engine.ts";
import type { LauncherSpec } from "../../core/schema/launcher.ts";
import { refused } from "../block_request.ts";
import { quoted, wordsOf } from "../quote.ts";
import { mpiLaunch } from "./mpi.ts";
import { nodeCommand } from "./node_command.ts";
import { perHostLaunch } from "./per_host.ts";

/** What a launcher has to know about the block. */
export interface LaunchFacts {
  readonly scheduler: SchedulerName;
  readonly nodes: number;
  readonly cores_per_node?: number;
  readonly gpus_per_node?: number;
  /** The script that each node runs. */
  readonly node_path: string;
}

export interface Launch {
  /** The body of a shell function; it runs in a subshell of its own. */
  readonly lines: readonly string[];
  /** Whether the lines read `$GC_HOSTS`: the block's nodes, one per line, each once. */
  readonly needs_hosts: boolean;
  /** Whether SIGTERM to the launcher reaches the workers as SIGTERM. Most launchers kill them instead. */
  readonly passes_signals: boolean;
}

/** @throws GcError config naming the launcher's option that is missing or cannot be read. */
export function launch(spec: LauncherSpec, facts: LaunchFacts): Launch {
  const extra = wordsOf("launcher.overrides", spec.overrides ?? "").map(quoted);
  const node = nodeCommand(facts);
  switch (spec.type) {
    case "single":
      return { lines: [`exec ${node}`], needs_hosts: false, passes_signals: true };
    case "wrapped": {
      const prefix = wordsOf("launcher.prepend", spec.prepend ?? "").map(quoted);
      if (prefix.length === 0) throw refused("launcher.prepend", spec.prepend ?? "", "the words before the command");
      return { lines: [["exec", ...prefix, node].join(" ")], needs_hosts: false, passes_signals: true };
    }
    case "srun":
      return oneCommand(["srun", ...srunOptions(facts), ...extra, node]);
    case "mpiexec":
    case "mpirun":
      return mpiLaunch(spec, facts, extra);
    case "jsrun":
      return oneCommand([`jsrun -n ${facts.nodes} -r 1 -a 1 -c ALL_CPUS -g ALL_GPUS -b none`, ...extra, node]);
    case "aprun": {
      const depth = facts.cores_per_node === undefined ? [] : [`-d ${facts.cores_per_node}`];
      return oneCommand([`aprun -n ${facts.nodes} -N 1`, ...depth, "-cc none", ...extra, node]);
    }
    case "blaunch":
    case "pbsdsh":
    case "qrsh":
    case "gnu_parallel":
      return perHostLaunch(spec.type, facts, extra);
    default:
      return unreachable(spec.type);
  }
}

function oneCommand(words: readonly string[]): Launch {
  return { lines: [`exec ${words.join(" ")}`], needs_hosts: false, passes_signals: false };
}

/**
 * `--overlap --mem=0`: the worker's step must not take cores and memory away from the steps that tasks start; without
 * `--mem=0` a step takes all memory of the job and the next one waits for ever (providers.md §2.8; seen on 22.05).
 * `--ntasks-per-node=1` against what the block's directives left in the environment. One dead worker, or node, must
 * not end the others: `--kill-on-bad-exit=0 --wait=0 --no-kill`. Without a number of cores a task gets one, so it is
 * said in any case.
 */
function srunOptions(facts: LaunchFacts): string[] {
  const cores = facts.cores_per_node ?? '"$SLURM_CPUS_ON_NODE"';
  return [
    `--nodes=${facts.nodes} --ntasks=${facts.nodes} --ntasks-per-node=1 --overlap --mem=0`,
    `--cpus-per-task=${cores} --cpu-bind=none --kill-on-bad-exit=0 --wait=0 --no-kill --export=ALL`,
  ];
}
