/** `gc sdk typescript`: prints the TypeScript SDK, one file without dependencies, or writes it as a package for npm. */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Command } from "commander";
import { GcError, messageOf } from "../../core/errors.ts";
import manifest from "../../sdk/typescript/package.json" with { type: "json" };
import declarations from "../../sdk/typescript/printed/gc_compute.d.ts.txt" with { type: "text" };
import javascript from "../../sdk/typescript/printed/gc_compute.js.txt" with { type: "text" };
import typescript from "../../sdk/typescript/printed/gc_compute.ts.txt" with { type: "text" };
import type { Cli } from "../cli.ts";
import { addExamples } from "../examples.ts";
import { writeOut } from "../output.ts";

export function describe(parent: Command, cli: Cli): void {
  const command = parent
    .command("typescript")
    .description(
      "Print gc_compute.ts: the TypeScript SDK, one file without dependencies, for Bun and for Node 22.18 and newer. " +
        "For Node 18 and newer, write a package of JavaScript and its types into a folder.",
    )
    .option("--package <dir>", "write package.json, gc_compute.js and gc_compute.d.ts there instead")
    .action(({ package: dir }: { package?: string }) => {
      if (dir !== undefined) writePackage(dir);
      else if (cli.printer.mode === "json")
        cli.printer.document("gc/sdk/v1", { language: "typescript", text: typescript }, () => "");
      else writeOut(1, typescript);
    });
  addExamples(command, [
    ["gc sdk typescript > gc_compute.ts", 'then: import { Executor } from "./gc_compute.ts"'],
    ["gc sdk typescript --package gc_compute && npm install ./gc_compute", 'then: from "gc-compute"'],
  ]);
}

/** @throws GcError cannot_create `sdk.package` when it cannot be written there. */
function writePackage(dir: string): void {
  try {
    mkdirSync(dir, { recursive: true });
    writeFileSync(join(dir, "package.json"), `${JSON.stringify(manifest, undefined, 2)}\n`);
    writeFileSync(join(dir, "gc_compute.js"), javascript);
    writeFileSync(join(dir, "gc_compute.d.ts"), declarations);
  } catch (cause) {
    throw new GcError("cannot_create", "sdk.package", `Cannot write the package into "${dir}": ${messageOf(cause)}`, {
      cause,
    });
  }
}
