/** `gc endpoint restart`: a new process for an endpoint; its workers and their tasks go on and are adopted. */
import type { Command } from "commander";
import { loadEndpointConfig } from "../../core/config/endpoint_config.ts";
import { findOwnEndpoint } from "../../core/config/endpoint_folder.ts";
import { loadEndpointKey } from "../../core/config/identity.ts";
import { GcError } from "../../core/errors.ts";
import type { Cli } from "../cli.ts";
import { ended, signalHere } from "../endpoint_orders.ts";
import { endpointDetached } from "../endpoint_process.ts";
import { addExamples } from "../examples.ts";
import { visible } from "../visible.ts";

const leaveWithin_ms = 20_000;

export function describe(parent: Command, cli: Cli): void {
  const command = parent
    .command("restart")
    .description(
      "Start an endpoint anew, for a changed configuration or a new version of gc. Its workers go on meanwhile: " +
        "tasks that run are neither ended nor run again. An endpoint that does not run is started.",
    )
    .argument("<name>", "its name, its id or the beginning of its id")
    .action(async (said: string) => {
      const restarted = await restart(cli, said);
      const human = (): string => `Endpoint "${visible(restarted.name)}" is running (process ${restarted.pid})`;
      cli.printer.document("gc/endpoint_started/v1", restarted, human, () => restarted.id);
    });
  addExamples(command, [["gc endpoint restart my-endpoint", "after a change of its config.yaml"]]);
}

async function restart(cli: Cli, said: string): Promise<{ name: string; id: string; pid: number }> {
  const own = findOwnEndpoint(cli.home, cli.host, said);
  // A configuration that is wrong must not end an endpoint that runs.
  loadEndpointConfig(own.paths.config);
  const { id } = loadEndpointKey(own.paths.key).identity;
  if (signalHere(cli, own, "SIGTERM") && !(await ended(cli, own, leaveWithin_ms))) {
    const what = `The endpoint "${own.name}" did not end within ${leaveWithin_ms / 1000} s`;
    throw new GcError("unavailable", "endpoint.does_not_end", what, { hint: `gc endpoint logs ${own.name}` });
  }
  const pid = await endpointDetached(own, cli.host);
  return { name: own.name, id, pid };
}
