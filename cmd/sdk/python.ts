/** `gc sdk python`: prints the Python SDK, one file without dependencies that is part of the executable. */
import type { Command } from "commander";
import sdkText from "../../sdk/python/gc_compute.py" with { type: "text" };
import type { Cli } from "../cli.ts";
import { addExamples } from "../examples.ts";
import { writeOut } from "../output.ts";

export function describe(parent: Command, cli: Cli): void {
  const command = parent
    .command("python")
    .description(
      "Print gc_compute.py: the Python SDK, one file that needs Python 3.8 and nothing else. Put it beside your " +
        "program, or into site-packages. It has the names of globus_compute_sdk: Executor, ShellFunction, Client, …",
    )
    .action(() => {
      if (cli.printer.mode === "json")
        cli.printer.document("gc/sdk/v1", { language: "python", text: sdkText }, () => "");
      else writeOut(1, sdkText);
    });
  addExamples(command, [
    ["gc sdk python > gc_compute.py", "then: from gc_compute import Executor"],
    ['gc sdk python > "$(python3 -m site --user-site)/gc_compute.py"', "for all your programs"],
  ]);
}
