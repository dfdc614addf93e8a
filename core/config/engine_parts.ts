/** What both forms of an engine's configuration share: the engine of this machine, lists written in two ways. */
import type { GcError } from "../errors.ts";

/** What runs the tasks on this very machine. */
export interface LocalEngine {
  readonly type: "local";
  /** Default: as many as the machine has cores. */
  readonly slots?: number;
  readonly workers: number;
  readonly memory_mib?: number;
}

/** Makes the error for something wrong at these keys below `engine`. */
export type Complain = (keys: readonly string[], what: string) => GcError;

/** Lines of one text or of a list, without empty ones. */
export function linesOf(text: string | readonly string[] | undefined): string[] {
  const lines = typeof text === "string" ? text.split("\n") : (text ?? []);
  return lines.map((line) => line.trim()).filter((line) => line !== "");
}

/** `2` → `["0", "1"]`. */
export function acceleratorNames(said: number | readonly string[] | undefined): string[] {
  return typeof said === "number" ? Array.from({ length: said }, (_, i) => String(i)) : [...(said ?? [])];
}
