/** `gc context use`: choose the relay that commands talk to from now on. */
import type { Command } from "commander";
import { useContext } from "../../core/config/context.ts";
import type { Cli } from "../cli.ts";
import { addExamples } from "../examples.ts";
import { addressText } from "./list.ts";

export function describe(parent: Command, cli: Cli): void {
  const command = parent
    .command("use")
    .description("Choose the relay that commands talk to. Endpoints keep the relay that their config.yaml names.")
    .argument("<name>", "its name, as gc context list shows it")
    .action((name: string) => {
      const context = useContext(cli.home, name);
      const relay = addressText(context.address);
      const human = () => `Commands now talk to "${context.name}" (${relay})`;
      cli.printer.document("gc/context_used/v1", { current: context.name, relay }, human, () => "");
      const over = (cli.env.GC_CONTEXT ?? "") !== "" && cli.env.GC_CONTEXT !== name;
      if (over) cli.printer.warn(`GC_CONTEXT is set to "${cli.env.GC_CONTEXT}" and goes first in this shell`);
    });
  addExamples(command, [
    ["gc context use lab", "from now on"],
    ["gc context use local", "back to this machine's own relay"],
    ["gc --context lab ps", "for one command only"],
  ]);
}
