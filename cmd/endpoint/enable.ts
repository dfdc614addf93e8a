/** `gc endpoint enable`: start an endpoint whenever this machine boots. */
import type { Command } from "commander";
import { findOwnEndpoint } from "../../core/config/endpoint_folder.ts";
import { enableAtBoot } from "../boot.ts";
import type { Cli } from "../cli.ts";
import { addExamples } from "../examples.ts";

export function describe(parent: Command, cli: Cli): void {
  const command = parent
    .command("enable")
    .description(
      "Start an endpoint whenever this machine boots: by a systemd user unit, else by cron. " +
        "When neither may be used, it says what to ask the administrator for.",
    )
    .argument("<name>", "its name, its id or the beginning of its id")
    .action(async (said: string) => {
      const { name } = findOwnEndpoint(cli.home, cli.host, said);
      const enabled = await enableAtBoot(cli, name);
      if (enabled.warning !== undefined) cli.printer.warn(enabled.warning);
      const human = () => `The endpoint "${name}" starts at boot (${enabled.how}: ${enabled.where})`;
      cli.printer.document("gc/endpoint_enabled/v1", { name, ...enabled }, human, () => "");
      cli.printer.note(`It is not started now. Next: gc endpoint start --detach ${name}`);
    });
  addExamples(command, [
    ["gc endpoint enable my-endpoint", "from the next boot on"],
    ["gc endpoint enable my-endpoint --json", "tells which means was used"],
  ]);
}
