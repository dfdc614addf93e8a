/** `gc endpoint list`: the endpoints of this home folder and those at the relay, and whether they run. */
import type { Command } from "commander";
import { listOwnEndpoints, type OwnEndpointFolder } from "../../core/config/endpoint_folder.ts";
import type { EndpointRow } from "../../core/schema/relay_message.ts";
import type { Cli } from "../cli.ts";
import { addExamples } from "../examples.ts";
import { askRelay, type RelayRows } from "./relay_rows.ts";

export function describe(parent: Command, cli: Cli): void {
  const command = parent
    .command("list")
    .description("List the endpoints of this home folder, and those at the relay that you may see, and how they are.")
    .option("--here", "only those of this home folder; asks nobody")
    .action(async (options: { here?: boolean }) => {
      const own = listOwnEndpoints(cli.home, cli.host);
      const rows = merge(own, options.here === true ? undefined : await askRelay(cli));
      const names = () => rows.map((row) => row.name).join("\n");
      cli.printer.document("gc/endpoints/v1", { endpoints: rows }, () => asTable(cli, rows), names);
      if (rows.length === 0) cli.printer.note("There is no endpoint yet. Next: gc endpoint configure my-endpoint");
    });
  addExamples(command, [
    ["gc endpoint list", "names, ids and states"],
    ["gc endpoint list --here", "without asking the relay"],
    ["gc endpoint list --context lab", "those at another relay"],
    ["gc endpoint list --json", "for programs"],
  ]);
}

/** What a folder of our own tells of an endpoint, in `--json` answers. */
export function endpointDocument({ name, id, state, paths }: OwnEndpointFolder) {
  const running = state.state === "running" ? state : undefined;
  return {
    name,
    id: id ?? null,
    own: true,
    state: state.state as "running" | "stopped" | "broken" | "online" | "offline",
    host: running?.host ?? null,
    pid: running?.pid ?? null,
    since_ms: running?.since_ms ?? null,
    why: state.state === "broken" ? state.why : null,
    dir: paths.dir as string | null,
  };
}

/** What the relay tells of an endpoint. */
interface AtRelay {
  relay: string | null;
  online: boolean | null;
  /** When the relay last heard from it, by the relay's clock. */
  seen_ms: number | null;
  /** Task envelopes that wait for it there. */
  queued: number | null;
}

type Row = ReturnType<typeof endpointDocument> & AtRelay;

const unasked: AtRelay = { relay: null, online: null, seen_ms: null, queued: null };

function merge(own: readonly OwnEndpointFolder[], said: RelayRows | undefined): Row[] {
  const atRelay = ({ online, seen_ms, queued }: EndpointRow): AtRelay => {
    return { relay: said?.relay ?? null, online, seen_ms, queued };
  };
  const rows: Row[] = own.map((folder) => {
    const known = said?.rows.find((row) => row.record.id === folder.id);
    return { ...endpointDocument(folder), ...(known === undefined ? unasked : atRelay(known)) };
  });
  const others = (said?.rows ?? []).filter((row) => !own.some((folder) => folder.id === row.record.id));
  for (const row of others) rows.push({ ...remoteDocument(row), ...atRelay(row) });
  return rows;
}

function remoteDocument(row: EndpointRow): ReturnType<typeof endpointDocument> {
  const { host } = (row.status ?? {}) as { host?: unknown };
  return {
    name: row.name,
    id: row.record.id,
    own: false,
    state: row.online ? "online" : "offline",
    host: typeof host === "string" ? host : null,
    pid: null,
    since_ms: null,
    why: null,
    dir: null,
  };
}

function asTable(cli: Cli, rows: readonly Row[]): string {
  if (rows.length === 0) return "";
  const { paint } = cli.printer;
  const colors = {
    running: paint.green,
    online: paint.green,
    stopped: paint.dim,
    offline: paint.dim,
    broken: paint.red,
  };
  return cli.printer.table(rows, [
    { heading: "NAME", cell: (row) => row.name },
    { heading: "ID", cell: (row) => row.id ?? undefined },
    { heading: "STATE", cell: (row) => row.state, paint: (text, row) => colors[row.state](text) },
    { heading: "WHERE", cell: whereabouts },
  ]);
}

function whereabouts(row: Row): string {
  if (row.why !== null) return row.why;
  if (row.state === "running")
    return `${row.host}, process ${row.pid}${row.online === false ? ", not at the relay" : ""}`;
  if (row.own) return "here";
  return row.host === null ? `relay ${row.relay}` : `${row.host}, relay ${row.relay}`;
}
