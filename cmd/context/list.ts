/** `gc context list`: the relays that this machine knows, and which one commands talk to. */
import type { Command } from "commander";
import { type ContextAddress, currentContext, readContexts } from "../../core/config/context.ts";
import type { Cli } from "../cli.ts";
import { addExamples } from "../examples.ts";

export function describe(parent: Command, cli: Cli): void {
  const command = parent
    .command("list")
    .description("List the relays that this machine knows. The one that commands talk to is marked.")
    .action(() => {
      const { contexts } = readContexts(cli.home);
      const current = currentContext(cli.home, cli.env, cli.context).name;
      const rows = Object.entries(contexts)
        .sort(([a], [b]) => a.localeCompare(b))
        .map(([name, address]) => ({
          name,
          current: name === current,
          relay: addressText(address),
          ...pinOf(address),
        }));
      const human = () =>
        cli.printer.table(rows, [
          { heading: " ", cell: (row) => (row.current ? "*" : " ") },
          { heading: "NAME", cell: (row) => row.name },
          { heading: "RELAY", cell: (row) => row.relay },
          { heading: "RELAY ID", cell: (row) => row.relay_id },
        ]);
      cli.printer.document("gc/contexts/v1", { current, contexts: rows }, human, () =>
        rows.map((row) => row.name).join("\n"),
      );
    });
  addExamples(command, [
    ["gc context list", "names and addresses"],
    ["gc context list --json", "for programs"],
    ["gc login -", "add one, by an invite"],
  ]);
}

/** How a relay is reached, as people write it. */
export function addressText(address: ContextAddress): string {
  return address.kind === "unix" ? `unix:${address.path}` : address.url;
}

function pinOf(address: ContextAddress): { relay_id?: string } {
  return address.kind === "url" && address.relay_id !== undefined ? { relay_id: address.relay_id } : {};
}
