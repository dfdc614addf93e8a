/** Whether what is generated has to be generated again. */
import { statSync } from "node:fs";

/** Whether one of `sources` is newer than one of `outputs`, or an output is not there. Paths of files. */
export function isStale(outputs: readonly string[], sources: readonly string[]): boolean {
  return Math.max(...sources.map(changed_ms)) > Math.min(...outputs.map(changed_ms));
}

function changed_ms(path: string): number {
  return statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? 0;
}
