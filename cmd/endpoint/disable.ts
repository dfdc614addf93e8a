/** `gc endpoint disable`: no longer start an endpoint at boot. A running one keeps running. */
import type { Command } from "commander";
import { checkName } from "../../core/config/endpoint_name.ts";
import { disableAtBoot } from "../boot.ts";
import type { Cli } from "../cli.ts";
import { addExamples } from "../examples.ts";

export function describe(parent: Command, cli: Cli): void {
  const command = parent
    .command("disable")
    .description("No longer start an endpoint when this machine boots. If it runs, it keeps running.")
    .argument("<name>", "its name")
    .action(async (said: string) => {
      const name = checkName(said);
      const was = await disableAtBoot(cli, name);
      const human = () => `The endpoint "${name}" ${was ? "no longer starts" : "was not enabled to start"} at boot`;
      cli.printer.document("gc/endpoint_disabled/v1", { name, was_enabled: was }, human, () => "");
    });
  addExamples(command, [["gc endpoint disable my-endpoint", "from the next boot on"]]);
}
