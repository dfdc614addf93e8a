/** What both forms of an engine's configuration share: the engine of this machine, lists written in two ways. */
import type { GcError } from "../errors.ts";
import type { SchedulerName } from "../schema/batch_engine.ts";
import type { LauncherSpec } from "../schema/launcher.ts";
import type { ContainerSpec } from "../schema/placement.ts";

/** What runs the tasks on this very machine. */
export interface LocalEngine {
  readonly type: "local";
  /** Default: as many as the machine has cores. */
  readonly slots?: number;
  readonly workers: number;
  readonly memory_mib?: number;
  /** GPUs to share out, one to each task. */
  readonly accelerators?: readonly string[];
  readonly cpu_affinity?: string;
  readonly container?: Readonly<ContainerSpec>;
}

/** Makes the error for something wrong at these keys below `engine`. */
export type Complain = (keys: readonly string[], what: string) => GcError;

/** Lines of one text or of a list, without empty ones. */
export function linesOf(text: string | readonly string[] | undefined): string[] {
  const lines = typeof text === "string" ? text.split("\n") : (text ?? []);
  return lines.map((line) => line.trim()).filter((line) => line !== "");
}

/** The launcher that comes with the scheduler; none is needed for one node. */
export function usualLauncher(scheduler: SchedulerName, nodes: number): LauncherSpec["type"] {
  if (nodes === 1) return "single";
  const usual = {
    slurm: "srun",
    pbspro: "pbsdsh",
    torque: "pbsdsh",
    lsf: "blaunch",
    openlava: "mpirun",
    cobalt: "mpirun",
    gridengine: "qrsh",
  } as const;
  return usual[scheduler];
}

/** `2` → `["0", "1"]`. */
export function acceleratorNames(said: number | readonly string[] | undefined): string[] {
  return typeof said === "number" ? Array.from({ length: said }, (_, i) => String(i)) : [...(said ?? [])];
}

/**
 * What is wrong with a container, if something is: only `custom` can do without an image, and it cannot do without the
 * words that it consists of.
 */
export function checkContainer(container: ContainerSpec | undefined, keys: Keys, complain: Complain): void {
  if (container === undefined) return;
  if (container.type === "custom") {
    if (!container.options?.trim()) throw complain(keys.type, `is "custom", which needs "${keys.options}" beside it`);
  } else if (container.image === undefined) throw complain(keys.type, `needs "${keys.image}" beside it`);
}

/** Where the parts of a container stand: the keys down to its type, and the names of the others. */
interface Keys {
  readonly type: readonly string[];
  readonly image: string;
  readonly options: string;
}
