/** `gc endpoint show`: one endpoint's id, owner, files and configuration, as its folder tells. */
import type { Command } from "commander";
import { loadEndpointConfig } from "../../core/config/endpoint_config.ts";
import { findOwnEndpoint } from "../../core/config/endpoint_folder.ts";
import type { EngineConfig } from "../../core/config/engine_config.ts";
import { loadEndpointKey } from "../../core/config/identity.ts";
import type { Cli } from "../cli.ts";
import { addExamples } from "../examples.ts";
import { visible } from "../visible.ts";
import { endpointDocument } from "./list.ts";

export function describe(parent: Command, cli: Cli): void {
  const command = parent
    .command("show")
    .description("Show id, owner, files and configuration of an endpoint. Checks config.yaml on the way.")
    .argument("<name>", "its name, its id or the beginning of its id")
    .action((name: string) => {
      const shown = show(cli, name);
      cli.printer.document(
        "gc/endpoint/v1",
        shown,
        () => asText(cli, shown),
        () => shown.id,
      );
    });
  addExamples(command, [
    ["gc endpoint show my-endpoint", "everything about it"],
    ["gc endpoint show my-endpoint --quiet", "its id only"],
    ["gc endpoint show my-endpoint --json", "the whole configuration, defaults filled in"],
  ]);
}

type Shown = ReturnType<typeof show>;

function show(cli: Cli, said: string) {
  const own = findOwnEndpoint(cli.home, cli.host, said);
  const { identity, owner } = loadEndpointKey(own.paths.key);
  const config = loadEndpointConfig(own.paths.config);
  return {
    ...endpointDocument(own),
    id: identity.id as string,
    owner: owner.id,
    config_path: own.paths.config,
    log_path: own.paths.log,
    config,
  };
}

function asText(cli: Cli, shown: Shown): string {
  const { config } = shown;
  const where = shown.host === null ? "" : ` on ${shown.host}, process ${shown.pid}`;
  const allowed = config.allow.public ? "every user of the relay" : ["the owner", ...config.allow.users].join(", ");
  const lines: [string, string | undefined][] = [
    ["name", shown.name],
    ["display name", config.display_name],
    ["id", shown.id],
    ["owner", shown.owner],
    ["state", shown.state + where],
    ["relay", config.relay],
    ["engine", engineText(config.engine)],
    ["may submit", allowed],
    ["may not", config.allow.deny.length === 0 ? undefined : config.allow.deny.join(", ")],
    ["commands", listed(config.commands, config.allowed_functions)],
    ["functions", listed(config.allowed_functions, config.commands)],
    ["config", shown.config_path],
    ["log", shown.log_path],
  ];
  const width = Math.max(...lines.map(([key]) => key.length));
  return lines
    .filter(([, value]) => value !== undefined)
    .map(([key, value]) => `${cli.printer.paint.dim(key.padEnd(width))}  ${visible(value ?? "")}`)
    .join("\n");
}

function engineText(engine: EngineConfig): string {
  if (engine.type === "local") return `local, ${engine.slots ?? "as many as cores"} slots`;
  const { min, max, nodes } = engine.blocks;
  return `${engine.scheduler}, ${min} to ${max} blocks of ${nodes === 1 ? "1 node" : `${nodes} nodes`}`;
}

/** What one list allows. `other`: with a list of the other kind alone, nothing of this kind runs. */
function listed(own: readonly unknown[] | undefined, other: readonly unknown[] | undefined): string {
  if (own !== undefined) return `${own.length} allowed`;
  return other === undefined ? "any" : "none";
}
