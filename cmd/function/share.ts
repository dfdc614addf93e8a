/** `gc function share`: prints the signed document of a function, for somebody else to import. */
import type { Command } from "commander";
import { findDocument } from "../../core/submit/function_store.ts";
import type { Cli } from "../cli.ts";
import { addExamples } from "../examples.ts";

export function describe(parent: Command, cli: Cli): void {
  const command = parent
    .command("share")
    .description(
      "Print a registered function as a signed document. It holds no secret, and may go by mail, by repository or by " +
        "web page: whoever imports it sees whose it is, and a changed one is refused.",
    )
    .argument("<function>", "its id, the beginning of it, its SHA-256, or its name")
    .action((said: string) => {
      cli.printer.payload(`${JSON.stringify(findDocument(cli.home, said))}\n`);
    });
  addExamples(command, [
    ["gc function share train > train.gcf", "into a file"],
    ["gc function import train.gcf", "what the other one does with it"],
  ]);
}
