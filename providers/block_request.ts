/**
 * What a block is asked for, before any scheduler's words: typed values, each checked by its name. A value that could
 * become a second word, a second line or a directive of its own is refused here, so renderers can trust all of them.
 */
import { GcError } from "../core/errors.ts";
import type { LauncherSpec } from "../core/schema/launcher.ts";

export interface BlockRequest {
  /** `gc` and twelve letters or digits: it names the block at the scheduler, and adoption finds it by this. */
  readonly name: string;
  /** Private directory of the block, on a file system that its nodes see. */
  readonly block_dir: string;
  readonly stdout_path: string;
  readonly stderr_path: string;
  readonly nodes: number;
  readonly walltime_s: number;
  readonly cores_per_node?: number;
  /** 0: all that a node has, where that can be said. */
  readonly memory_mib_per_node?: number;
  readonly gpus_per_node?: number;
  /** Whole nodes. */
  readonly exclusive?: boolean;
  readonly account?: string;
  readonly project?: string;
  /** Partition or queue, whatever the scheduler calls it. */
  readonly partition?: string;
  readonly qos?: string;
  readonly reservation?: string;
  readonly constraint?: string;
  readonly clusters?: string;
  /** Generic resources of Slurm: `gpu:a100:2`. */
  readonly gres?: string;
  /** What follows `ncpus=…` in each chunk of PBS: `ngpus=4`. */
  readonly select_options?: string;
  /** Grid Engine: the parallel environment that gives several nodes. */
  readonly parallel_environment?: string;
  /** LSF: nodes by `-nnodes` rather than by slots and `span`. */
  readonly by_nodes?: boolean;
  /** Lines of the user, verbatim: each is a directive or an option. */
  readonly scheduler_options?: readonly string[];
  /** Lines of shell that run once on each node before the worker. */
  readonly worker_init?: string;
  /** How long before the end the workers are warned. */
  readonly warn_s?: number;
  readonly launcher: LauncherSpec;
  /** The command that each node runs. */
  readonly worker: readonly string[];
}

/** A word of a scheduler's vocabulary (reliability-security.md §2.10). */
const word = /^[A-Za-z0-9_.@:+=,-]{1,128}$/;
/** Expressions over features, as Slurm's `[rack1*2&rack2*4]`, and resource lists. */
const expression = /^[A-Za-z0-9_.@:+=,*&|()[\]!/-]{1,256}$/;
/** What every scheduler takes as it is. Blanks are for those that can quote. */
const plainPath = /^\/[\p{L}\p{N}_./@+=~,-]*$/u;
const spacedPath = /^\/[\p{L}\p{N}_./@+=~, -]*$/u;

const words = ["account", "project", "partition", "qos", "reservation", "clusters", "parallel_environment"] as const;
const expressions = ["constraint", "gres", "select_options"] as const;
const counts = {
  nodes: 100_000,
  walltime_s: 366 * 24 * 3600,
  cores_per_node: 65_536,
  memory_mib_per_node: 1 << 30,
  gpus_per_node: 1024,
  warn_s: 24 * 3600,
} as const;

/** What a scheduler can be told. */
export interface Sayable {
  readonly title: string;
  readonly refuses: readonly (keyof BlockRequest)[];
  readonly script: { readonly quotes_paths: boolean };
}

/**
 * Checks every value of `request`.
 * @throws GcError config `block.bad_value` naming the field.
 */
export function checkRequest(request: BlockRequest, { title, refuses, script: { quotes_paths } }: Sayable): void {
  for (const field of refuses) {
    if (request[field] === undefined) continue;
    throw new GcError("config", "block.bad_value", `"${field}" means nothing to ${title}`);
  }
  checkText("name", request.name, /^gc[a-z0-9]{12}$/, '"gc" and twelve letters or digits');
  for (const field of words) checkText(field, request[field], word, "letters, digits and _.@:+=,-");
  for (const field of expressions) checkText(field, request[field], expression, "an expression without blanks");
  for (const field of ["block_dir", "stdout_path", "stderr_path"] as const) {
    checkText(field, request[field], quotes_paths ? spacedPath : plainPath, "an absolute path that can be quoted");
  }
  for (const [field, most] of Object.entries(counts)) {
    const value = request[field as keyof typeof counts];
    if (value === undefined) continue;
    const least = ["gpus_per_node", "warn_s", "memory_mib_per_node"].includes(field) ? 0 : 1;
    if (Number.isInteger(value) && value >= least && value <= most) continue;
    throw refused(field, value, `a whole number from ${least} to ${most}`);
  }
  if (request.worker.length === 0) throw refused("worker", [], "a command");
  for (const item of request.worker) checkText("worker", item, /^[^\0]*$/, "text without NUL");
  checkText("worker_init", request.worker_init, /^[^\0\r]*$/, "lines of shell without NUL or carriage return");
}

/** Directives of the user: with the prefix, or options that get it. Comments and blank lines are dropped. */
export function optionLines(lines: readonly string[], prefix: string): string[] {
  const kept: string[] = [];
  for (const line of lines.flatMap((text) => text.split("\n"))) {
    const bare = line.trim();
    if (bare === "" || (bare.startsWith("#") && !bare.startsWith(prefix))) continue;
    const option = bare.startsWith(prefix) ? bare.slice(prefix.length).trim() : bare;
    if (/[\0\r\u2028\u2029]/.test(option) || !option.startsWith("-")) {
      throw refused("scheduler_options", line, `lines that begin with "${prefix} -" or with "-"`);
    }
    kept.push(option);
  }
  return kept;
}

function checkText(field: string, value: string | undefined, pattern: RegExp, what: string): void {
  // A `$` in JavaScript without the flag m is the very end, so no line break passes any of these patterns by.
  if (value === undefined || pattern.test(value)) return;
  throw refused(field, value, what);
}

/** The error for a value that cannot be said to a scheduler. */
export function refused(field: string, value: unknown, what: string): GcError {
  const text = JSON.stringify(value) ?? String(value);
  const shown = text.length > 80 ? `${text.slice(0, 77)}...` : text;
  return new GcError("config", "block.bad_value", `"${field}" is ${shown}; it must be ${what}`);
}
