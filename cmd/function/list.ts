/** `gc function list`: the registered functions that are here, one's own and those that others have shared. */
import type { Command } from "commander";
import { readIdentity } from "../../core/config/identity.ts";
import { listFunctions } from "../../core/submit/function_store.ts";
import type { Cli } from "../cli.ts";
import { addExamples } from "../examples.ts";

export function describe(parent: Command, cli: Cli): void {
  const command = parent
    .command("list")
    .description("List registered functions: yours, and those that others have shared with you.")
    .action(() => {
      const own = readIdentity(cli.home)?.id;
      const rows = listFunctions(cli.home, ({ message }) => cli.printer.warn(message)).map(
        ({ id, sha256, statement }) => {
          const { name, owner, created_ms, body, description } = statement;
          return { id, sha256, name, kind: body.kind, owner, own: owner === own, created_ms, description };
        },
      );
      const human = () =>
        cli.printer.table(rows, [
          { heading: "ID", cell: (row) => row.id },
          { heading: "NAME", cell: (row) => row.name },
          { heading: "KIND", cell: (row) => row.kind },
          { heading: "OWNER", cell: (row) => (row.own ? "you" : row.owner) },
          { heading: "SHA256", cell: (row) => row.sha256 },
        ]);
      cli.printer.document("gc/functions/v1", { functions: rows }, human, () => rows.map(({ id }) => id).join("\n"));
    });
  addExamples(command, [
    ["gc function list", "ids, names and owners"],
    ["gc function list --json", "for programs"],
    ["gc function register fit.py:train", "to have one"],
  ]);
}
