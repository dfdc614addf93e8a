/** The examples at the end of every command's help: what people read first. */
import type { Command } from "commander";

/** One thing to type, and what comes of it. */
export type Example = readonly [line: string, meaning: string];

/** Adds examples to the help of `command`. Every command has some; a test sees to it. */
export function addExamples(command: Command, examples: readonly Example[]): void {
  const width = Math.max(...examples.map(([line]) => line.length));
  const lines = examples.map(([line, meaning]) => `  ${line.padEnd(width)}   ${meaning}`.trimEnd());
  command.addHelpText("after", `\nExamples:\n${lines.join("\n")}`);
}
