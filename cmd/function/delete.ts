/** `gc function delete`: forgets a registered function here. Tasks that were submitted with it go on. */
import type { Command } from "commander";
import { deleteFunction } from "../../core/submit/function_store.ts";
import type { Cli } from "../cli.ts";
import { addExamples } from "../examples.ts";

export function describe(parent: Command, cli: Cli): void {
  const command = parent
    .command("delete")
    .description(
      "Delete a registered function here. Tasks that were submitted go on; whoever it was shared with still has it, " +
        "and endpoints that list it still run it.",
    )
    .argument("<function>", "its id, the beginning of it, its SHA-256, or its name")
    .action((said: string) => {
      const id = deleteFunction(cli.home, said);
      cli.printer.document(
        "gc/function_deleted/v1",
        { id },
        () => `Deleted the function ${id}`,
        () => "",
      );
    });
  addExamples(command, [["gc function delete train", "forget it"]]);
}
