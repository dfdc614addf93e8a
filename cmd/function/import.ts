/** `gc function import`: keeps a function that somebody has shared, once its signature is proved. */
import * as fs from "node:fs";
import type { Command } from "commander";
import { GcError, messageOf } from "../../core/errors.ts";
import { fileError } from "../../core/host/files.ts";
import { keepFunction } from "../../core/submit/function_store.ts";
import type { Cli } from "../cli.ts";
import { addExamples } from "../examples.ts";

export function describe(parent: Command, cli: Cli): void {
  const command = parent
    .command("import")
    .description(
      "Keep a function that somebody has shared. Refused unless its owner signed just this; look at it with gc " +
        "function show before you call it. It runs at endpoints as your task.",
    )
    .argument("<file>", "what gc function share printed; - is standard input")
    .action((path: string) => {
      const { id, sha256, statement } = keepFunction(cli.home, read(path), `function in "${path}"`);
      const { name, owner } = statement;
      cli.printer.document("gc/function_imported/v1", { id, sha256, name, owner }, () => id);
      cli.printer.note(`"${name}" is signed by ${owner}; next: gc function show ${id.slice(0, 8)}`);
    });
  addExamples(command, [
    ["gc function import train.gcf", "prints its id"],
    ["gc function share train | ssh lab gc function import -", "from machine to machine"],
  ]);
}

function read(path: string): unknown {
  let text: string;
  try {
    text = fs.readFileSync(path === "-" ? 0 : path, "utf8");
  } catch (cause) {
    throw fileError("read", path, cause);
  }
  try {
    return JSON.parse(text);
  } catch (cause) {
    const message = `"${path}" is no shared function: ${messageOf(cause)}`;
    throw new GcError("data", "function.malformed", message, { hint: "gc function share ID > FILE" });
  }
}
