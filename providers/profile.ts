/**
 * What is known about one scheduler, as data and small pure functions: how its script looks, which commands it has, how
 * to read what they print. `provider.ts` makes the ten operations of it, the same way for all schedulers. A profile
 * never runs anything and never says more than an answer says.
 */
import type { SchedulerName } from "../core/schema/batch_engine.ts";
import type { BlockRequest } from "./block_request.ts";
import type { Allocation, Answer, BlockFacts, BlockRef, Capabilities, OrderOutcome, RefusalClass } from "./outcome.ts";

/** How a scheduler reads a script. */
export interface ScriptRules {
  /** `#SBATCH`. */
  readonly prefix: string;
  /** Where directives count; ours are where all schedulers find them, yet user lines must know. */
  readonly placement: "before_first_command" | "below_shebang" | "anywhere";
  /** Which of two competing directives counts; the user's lines are put where they win. */
  readonly wins: "first" | "last";
  /** The script itself is the file to run, so it needs the executable bit. */
  readonly executable: boolean;
  /** Whether output files grow while the block runs; if not, the script writes its own. */
  readonly live_output: boolean;
  /** Whether a path with blanks can be said, in double quotes. */
  readonly quotes_paths: boolean;
}

/** A pattern in an error text and what it means. */
export interface Refusal {
  readonly pattern: RegExp;
  readonly class: RefusalClass | "ambiguous";
}

/** One row: the facts under the id that the scheduler printed. */
export interface Row {
  readonly id: string;
  readonly facts: BlockFacts;
  /** All that was printed about it: a row that also speaks of another block of ours is damaged. */
  readonly text: string;
}

/** What an answer lists. */
export interface Listing {
  readonly rows: readonly Row[];
  /** Whether the answer says that this block, which is in no row, does not exist. */
  readonly isAbsent: (ref: BlockRef) => boolean;
  /** Why blocks in no row are not covered. */
  readonly why?: string;
}

/** A question about blocks: one or more runs of a command, and how to read each answer. */
export interface Query {
  /** Name of the command, found by the site. */
  readonly command: string;
  /** How many blocks one run can ask about. */
  readonly ids_max: number;
  readonly args: (refs: readonly BlockRef[]) => readonly string[];
  readonly read: (answer: Answer, refs: readonly BlockRef[]) => Listing;
}

/** An order to blocks. */
export interface Order {
  readonly command: string;
  readonly ids_max: number;
  readonly args: (refs: readonly BlockRef[]) => readonly string[];
  readonly read: (answer: Answer, ref: BlockRef) => OrderOutcome;
}

/** What a probe runs. */
export interface Probe {
  readonly command: string;
  readonly args: readonly string[];
}

/** The view from inside a block. `text` gives the content of a file that `files` named. */
export interface InsideView {
  readonly env: { readonly [name: string]: string | undefined };
  readonly hostname: string;
  readonly text: (path: string) => string | undefined;
}

export interface Profile {
  readonly name: SchedulerName;
  readonly title: string;
  /** All commands that some operation needs. */
  readonly commands: readonly string[];
  /** Variables that change what the commands print or do (providers.md §1.5). */
  readonly unset: readonly string[];
  /** Values that this scheduler has no words for. */
  readonly refuses: readonly (keyof BlockRequest)[];
  /** Options, before all others, that send a command to another cluster. */
  readonly clusterArgs?: (cluster: string) => readonly string[];
  readonly timeouts_s: { readonly submit: number; readonly status: number; readonly order: number };
  /** Time between polls (providers.md §1.8). */
  readonly poll_s: number;
  /** Absence counts only so long after the submission, and only when it was seen so often in a row. */
  readonly absence: { readonly after_submit_s: number; readonly polls: number };
  readonly probes: readonly Probe[];
  readonly readProbe: (answers: readonly Answer[]) => Capabilities;
  readonly script: ScriptRules;
  /** Directives of a block, without the prefix. */
  readonly directives: (request: BlockRequest) => readonly string[];
  /** Shell lines of the script that leave the block's nodes, each once, in the file `$GC_HOSTS`. */
  readonly hosts: readonly string[];
  readonly submit: {
    readonly command: string;
    readonly args: (script_path: string, request: BlockRequest) => readonly string[];
    /** The script goes to the command's standard input. */
    readonly by_stdin: boolean;
    /** Whole lines with the groups `id` and perhaps `cluster` or `cluster_name`. */
    readonly ids: readonly RegExp[];
    readonly reads_stderr: boolean;
    /** The block gets the environment of the command, so nothing may be added to that for our own sake. */
    readonly exports_env: boolean;
    readonly refusals: readonly Refusal[];
  };
  /** The part of an id that stays the same however the scheduler prints it. */
  readonly keyOf: (id: string) => string;
  readonly observe: Query;
  /** Where blocks are found that `observe` does not list any more. */
  readonly history?: Query;
  /** What the scheduler's own log file of the block says; for those that have no history. */
  readonly readLog?: (text: string) => BlockFacts | undefined;
  /** Its name in the directory of the block. */
  readonly log_name?: string;
  /** Lists all blocks of this user with their names. */
  readonly find: {
    readonly command: string;
    readonly args: readonly string[];
    readonly read: (answer: Answer) => Listing;
  };
  readonly cancel: { readonly term: Order; readonly force: Order };
  readonly hold?: Order;
  readonly release?: Order;
  readonly inside: {
    /** Files to read before `describe`. */
    readonly files: (env: InsideView["env"]) => readonly string[];
    readonly describe: (view: InsideView) => Allocation | undefined;
  };
}
