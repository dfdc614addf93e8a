/** `gc endpoint list`: the endpoints of this machine's home folder, and whether they run. */
import type { Command } from "commander";
import { listOwnEndpoints, type OwnEndpointFolder } from "../../core/config/endpoint_folder.ts";
import type { Cli } from "../cli.ts";
import { addExamples } from "../examples.ts";

export function describe(parent: Command, cli: Cli): void {
  const command = parent
    .command("list")
    .description("List the endpoints of this home folder and where they run.")
    .action(() => {
      const rows = listOwnEndpoints(cli.home, cli.host);
      const value = { endpoints: rows.map(endpointDocument) };
      cli.printer.document(
        "gc/endpoints/v1",
        value,
        () => asTable(cli, rows),
        () => rows.map((row) => row.name).join("\n"),
      );
      if (rows.length === 0)
        cli.printer.note("No endpoint is configured here. Next: gc endpoint configure my-endpoint");
    });
  addExamples(command, [
    ["gc endpoint list", "names, ids and states"],
    ["gc endpoint list --quiet", "names only"],
    ["gc endpoint list --json", "for programs"],
  ]);
}

/** One endpoint in `--json` answers. */
export function endpointDocument({ name, id, state, paths }: OwnEndpointFolder) {
  const running = state.state === "running" ? state : undefined;
  return {
    name,
    id: id ?? null,
    state: state.state,
    host: running?.host ?? null,
    pid: running?.pid ?? null,
    since_ms: running?.since_ms ?? null,
    why: state.state === "broken" ? state.why : null,
    dir: paths.dir,
  };
}

function asTable(cli: Cli, rows: readonly OwnEndpointFolder[]): string {
  if (rows.length === 0) return "";
  const { paint } = cli.printer;
  const colors = { running: paint.green, stopped: paint.dim, broken: paint.red };
  return cli.printer.table(rows, [
    { heading: "NAME", cell: (row) => row.name },
    { heading: "ID", cell: (row) => row.id },
    { heading: "STATE", cell: (row) => row.state.state, paint: (text, row) => colors[row.state.state](text) },
    { heading: "WHERE", cell: whereabouts },
  ]);
}

function whereabouts({ state }: OwnEndpointFolder): string {
  if (state.state === "running") return `${state.host}, process ${state.pid}`;
  return state.state === "broken" ? state.why : "";
}
