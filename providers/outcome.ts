/**
 * What goes back and forth between whoever runs scheduler commands and a provider that only knows them: commands to
 * run, answers that came back, and what an answer says about a block. Nothing here runs anything.
 */

/** A command to run: never through a shell, with `unset` removed from the environment and `env` added to it. */
export interface Command {
  /** The first word is an absolute path. */
  readonly argv: readonly string[];
  readonly env: { readonly [name: string]: string };
  /** Variables that would change the command's output or the block; `*` at the end stands for any rest. */
  readonly unset: readonly string[];
  readonly timeout_s: number;
  readonly stdin?: string;
}

/** What a command said. `code` is undefined when it did not end in time or could not be started. */
export interface Answer {
  readonly code: number | undefined;
  readonly stdout: string;
  readonly stderr: string;
}

/** One block at its scheduler: the id that the scheduler gave, and the name that we gave. */
export interface BlockRef {
  readonly id: string;
  /** When it is known, a row with another name is somebody else's block under a reused id. */
  readonly name?: string;
}

/** How a block ended. `ended`: it is over, and nothing says how. */
export type DoneOutcome =
  | "ok"
  | "failed"
  | "timeout"
  | "cancelled"
  | "node_fail"
  | "preempted"
  | "oom"
  | "launch_failed"
  | "ended";

export type BlockState =
  | { readonly phase: "pending" | "held" | "running" | "completing" | "unknown" }
  | { readonly phase: "done"; readonly outcome: DoneOutcome };

/** What one row of a listing says about a block. */
export interface BlockFacts {
  readonly state: BlockState;
  /** The scheduler's own word for the state, as it was. */
  readonly raw: string;
  readonly name?: string;
  /** Whose it is, where a listing has blocks of all people. */
  readonly owner?: string;
  /** Why it waits, or why it ended, in the scheduler's words. */
  readonly reason?: string;
  /** It waits for something that will not happen by itself. */
  readonly stuck?: boolean;
  readonly exit_code?: number;
  readonly exit_signal?: number;
  readonly nodes?: readonly string[];
  /** When the scheduler expects it to start. */
  readonly start_estimate_ms?: number;
  readonly started_ms?: number;
  readonly ended_ms?: number;
  /** How often the scheduler started it again under the same id. */
  readonly restarts?: number;
}

/**
 * What a poll says about one block; three outcomes, never two (providers.md §1.2). `absent`: the query worked, it lists
 * such blocks, and this one is not there. `uncovered`: the query says nothing about it.
 */
export type Sighting =
  | ({ readonly seen: "seen" } & BlockFacts)
  | { readonly seen: "absent" }
  | { readonly seen: "uncovered"; readonly why: string };

/** Why a scheduler refused: by it is decided whether trying again makes sense (providers.md §15.6). */
export type RefusalClass = "config" | "policy" | "limit" | "transient";

export type SubmitOutcome =
  | { readonly is: "accepted"; readonly id: string; readonly cluster?: string }
  | { readonly is: "rejected"; readonly class: RefusalClass; readonly text: string }
  /** It may have been accepted: look the name up before anything else (providers.md §1.3). */
  | { readonly is: "ambiguous"; readonly text: string };

/** What became of an order (cancel, hold, release) for one block. */
export type OrderOutcome =
  | { readonly is: "accepted" }
  /** There is nothing left to give the order to. */
  | { readonly is: "gone" }
  | { readonly is: "denied"; readonly text: string }
  | { readonly is: "unsure"; readonly text: string };

/** A block of ours that a scheduler knows. */
export interface FoundBlock {
  readonly id: string;
  readonly name: string;
  readonly state: BlockState;
  /** Where the listing has blocks of all people. */
  readonly owner?: string;
}

/** The blocks of ours at a scheduler. Only when `covered` does a missing name mean that there is no such block. */
export interface Findings {
  readonly covered: boolean;
  readonly blocks: readonly FoundBlock[];
  readonly why?: string;
}

/** What a probe learnt about the scheduler at hand. */
export interface Capabilities {
  /** Whether this is the scheduler that the profile describes. */
  readonly present: boolean;
  readonly version?: string;
  /** Whether blocks that left the queue can be looked up. */
  readonly history: boolean;
  /** How long a finished block stays in the queue's listing. */
  readonly retention_s?: number;
  /** What is odd, in sentences. */
  readonly notes: readonly string[];
}

/** Where a block runs, as seen from inside it. */
export interface Allocation {
  readonly id: string;
  /** Changes when the scheduler starts the same block again. */
  readonly incarnation: string;
  /** In the scheduler's order, each once. */
  readonly nodes: readonly string[];
  readonly cores_per_node?: number;
  readonly memory_mib_per_node?: number;
  readonly gpus_per_node?: number;
  readonly ends_at_ms?: number;
}

export const unknownState: BlockState = { phase: "unknown" };

/** A block that ended so. */
export function done(outcome: DoneOutcome): BlockState {
  return { phase: "done", outcome };
}
