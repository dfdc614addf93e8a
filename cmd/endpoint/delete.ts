/** `gc endpoint delete`: removes an endpoint's folder, after asking, and never while its daemon runs. */
import { renameSync } from "node:fs";
import { join } from "node:path";
import type { Command } from "commander";
import { findOwnEndpoint, type OwnEndpointFolder, stateOf } from "../../core/config/endpoint_folder.ts";
import { GcError } from "../../core/errors.ts";
import { fileError, removeTree, syncDir } from "../../core/host/files.ts";
import { disableAtBoot } from "../boot.ts";
import type { Cli } from "../cli.ts";
import { addExamples } from "../examples.ts";
import { openPrompts } from "../prompts.ts";
import { QuietEnd } from "../quiet_end.ts";

export function describe(parent: Command, cli: Cli): void {
  const command = parent
    .command("delete")
    .description(
      "Delete an endpoint: its keys, its configuration, and tasks and results that it still holds. " +
        "Its id is gone for ever. Refuses while it runs.",
    )
    .argument("<name>", "its name, its id or the beginning of its id")
    .option("-y, --yes", "do not ask")
    .action(async (name: string, options: { yes?: boolean }) => {
      const own = await deleteEndpoint(cli, name, options.yes ?? false);
      const value = { name: own.name, id: own.id ?? null };
      cli.printer.document(
        "gc/endpoint_deleted/v1",
        value,
        () => `Deleted the endpoint "${own.name}"`,
        () => "",
      );
    });
  addExamples(command, [
    ["gc endpoint delete my-endpoint", "ask, then delete"],
    ["gc endpoint delete my-endpoint --yes", "ask nothing"],
  ]);
}

async function deleteEndpoint(cli: Cli, said: string, yes: boolean): Promise<OwnEndpointFolder> {
  const own = findOwnEndpoint(cli.home, cli.host, said);
  refuseWhileRunning(cli, own);
  if (!yes) {
    const instead = `gc endpoint delete ${own.name} --yes`;
    const prompts = await openPrompts(cli, `Deleting the endpoint "${own.name}" must be confirmed`, instead);
    const sure = await prompts.confirm(`Delete the endpoint "${own.name}", its keys and all it still holds?`, false);
    if (!sure) throw new QuietEnd(1, "Not deleted");
    refuseWhileRunning(cli, own);
  }
  await disableAtBoot(cli, own.name);
  removeFolder(cli.home.endpoints, own);
  return own;
}

function refuseWhileRunning(cli: Cli, own: OwnEndpointFolder): void {
  const state = stateOf(own.paths, cli.host);
  if (state.state !== "running") return;
  const where = `on host "${state.host}" as process ${state.pid}`;
  throw new GcError("unavailable", "endpoint.running", `Cannot delete the endpoint "${own.name}": it runs ${where}`, {
    hint: `gc endpoint stop ${own.name}`,
  });
}

/** Out of sight in one step, then removed: an interruption leaves no half endpoint behind. */
function removeFolder(endpoints: string, own: OwnEndpointFolder): void {
  const aside = join(endpoints, `.deleted-${own.name}-${process.pid}`);
  try {
    renameSync(own.paths.dir, aside);
  } catch (cause) {
    throw fileError("delete", own.paths.dir, cause);
  }
  syncDir(endpoints);
  removeTree(aside);
}
