/** The flags of `gc endpoint configure` for an engine of blocks, and how they become one. */
import type { Command } from "commander";
import { schedulerNames } from "../../core/schema/batch_engine.ts";
import type { EndpointConfigFile } from "../../core/schema/config.ts";
import { launcherTypes, mpiLaunchers } from "../../core/schema/launcher.ts";
import { gather, memory_mib, wholeNumber } from "../amount.ts";

export interface BatchOptions {
  scheduler?: string;
  partition?: string;
  account?: string;
  qos?: string;
  reservation?: string;
  constraint?: string;
  nodesPerBlock?: number;
  walltime?: string;
  initBlocks?: number;
  minBlocks?: number;
  maxBlocks?: number;
  maxIdletime?: string;
  coresPerNode?: number;
  memoryPerNode?: number;
  gpusPerNode?: number;
  maxWorkersPerNode?: number;
  launcher?: string;
  mpiLauncher?: string;
  schedulerOption?: string[];
  shared?: boolean;
}

export function addBatchOptions(command: Command): Command {
  const scheduler = command.createOption("--scheduler <name>", "run tasks in blocks of this batch scheduler");
  const launcher = command.createOption("--launcher <name>", "what starts a worker on each node of a block");
  const mpiLauncher = command.createOption("--mpi-launcher <name>", "what starts MPI programs in a block");
  return command
    .addOption(scheduler.choices(["auto", ...schedulerNames]))
    .option("--partition <name>", "blocks: partition or queue")
    .option("--account <name>", "blocks: account that pays")
    .option("--qos <name>", "blocks: quality of service")
    .option("--reservation <name>", "blocks: reservation")
    .option("--constraint <features>", "blocks: features that nodes must have")
    .option("--nodes-per-block <count>", "blocks: nodes of one (default: 1)", wholeNumber(1))
    .option("--walltime <span>", "blocks: how long one may live, such as 1h or 01:30:00 (default: 1h)")
    .option("--init-blocks <count>", "blocks: to ask for at the start", wholeNumber(0))
    .option("--min-blocks <count>", "blocks: to keep when there is nothing to do", wholeNumber(0))
    .option("--max-blocks <count>", "blocks: at the same time at most (default: 1)", wholeNumber(1))
    .option("--max-idletime <span>", "blocks: given back when idle for so long (default: 2m)")
    .option("--cores-per-node <count>", "blocks: cores to ask for on each node", wholeNumber(1))
    .option("--memory-per-node <amount>", "blocks: memory to ask for on each node, such as 64G", memory_mib)
    .option("--gpus-per-node <count>", "blocks: GPUs to ask for on each node", wholeNumber(0))
    .option("--max-workers-per-node <count>", "blocks: tasks on one node at most", wholeNumber(1))
    .option("--shared", "blocks: share nodes with others instead of taking whole ones")
    .addOption(launcher.choices([...launcherTypes]))
    .addOption(mpiLauncher.choices([...mpiLaunchers]))
    .option("--scheduler-option <option>", "blocks: one more option for the scheduler; repeat for more", gather);
}

/** Whether any flag speaks of blocks. */
export function speaksOfBlocks(options: BatchOptions): boolean {
  return Object.keys(fields).some((name) => options[name as keyof BatchOptions] !== undefined);
}

/** An engine of blocks from flags. `scheduler` is known by now. */
export function batchEngineOf(scheduler: string, options: BatchOptions): EndpointConfigFile["engine"] {
  const engine: { [key: string]: unknown } = { type: "batch", scheduler };
  for (const [name, key] of Object.entries(fields)) {
    const value = options[name as keyof BatchOptions];
    if (value !== undefined) engine[key] = key === "exclusive" ? false : value;
  }
  return engine as EndpointConfigFile["engine"];
}

/** Flag → key of the configuration; `shared` is the opposite of `exclusive`. */
const fields = {
  partition: "partition",
  account: "account",
  qos: "qos",
  reservation: "reservation",
  constraint: "constraint",
  nodesPerBlock: "nodes_per_block",
  walltime: "walltime",
  initBlocks: "init_blocks",
  minBlocks: "min_blocks",
  maxBlocks: "max_blocks",
  maxIdletime: "max_idletime",
  coresPerNode: "cores_per_node",
  memoryPerNode: "memory_mib_per_node",
  gpusPerNode: "gpus_per_node",
  maxWorkersPerNode: "max_workers_per_node",
  launcher: "launcher",
  mpiLauncher: "mpi_launcher",
  schedulerOption: "scheduler_options",
  shared: "exclusive",
} as const satisfies { readonly [name in Exclude<keyof BatchOptions, "scheduler">]: string };
