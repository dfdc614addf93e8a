/**
 * `gc endpoint join`: enrols an endpoint of this machine at a relay by an invite, configuring it first when it is new.
 * Keys first, then the relay, then the configuration that names it: an interruption is healed by joining again.
 */
import type { Command } from "commander";
import { configureEndpoint } from "../../core/config/configure.ts";
import { saveContext } from "../../core/config/context.ts";
import { withTopLevelValue } from "../../core/config/document.ts";
import { parseEndpointConfig } from "../../core/config/endpoint_config.ts";
import { checkName } from "../../core/config/endpoint_name.ts";
import { loadEndpointKey, loadIdentity } from "../../core/config/identity.ts";
import { GcError } from "../../core/errors.ts";
import { readIfThere, writeDurable } from "../../core/host/files.ts";
import { isId } from "../../core/task/id.ts";
import type { Cli } from "../cli.ts";
import { addressText } from "../context/list.ts";
import { addExamples } from "../examples.ts";
import { contextNameFor, enrol, readInvite } from "../invite.ts";
import { freeName } from "../login.ts";
import { openPrompts } from "../prompts.ts";
import { addConfigureOptions, type ConfigureOptions, configOf } from "./configure.ts";

interface JoinOptions extends ConfigureOptions {
  name?: string;
  contextName?: string;
}

export function describe(parent: Command, cli: Cli): void {
  const command = parent
    .command("join")
    .description(
      "Enrol an endpoint of this machine at a relay, by an invite for an endpoint (gc relay invite). A new " +
        "endpoint is configured on the way; one that is there keeps its configuration and only changes its relay.",
    )
    .argument("[invite]", "the invite, or - to read it from standard input")
    .option("--name <name>", "which endpoint (default: the name of this machine)")
    .option("--context-name <name>", "what to call the relay here (default: from its host name)");
  addConfigureOptions(command)
    .option("-y, --yes", "ask nothing but for the invite")
    .action(async (invite: string | undefined, options: JoinOptions) => {
      const joined = await join(cli, invite, options);
      const human = () =>
        [
          `The endpoint "${joined.name}" joined the relay "${joined.context}" (${joined.relay})`,
          `Endpoint id: ${cli.printer.paint.bold(joined.id)}`,
          `Next: ${cli.printer.paint.cyan(joined.next)}`,
        ].join("\n");
      cli.printer.document("gc/endpoint_joined/v1", joined, human, () => joined.id);
    });
  addExamples(command, [
    ["gc endpoint join --name cluster --allow-user ID", "ask for the invite; let user ID submit (gc whoami there)"],
    ["gc endpoint join - --name cluster < invite.txt", "read the invite from a file"],
  ]);
}

async function join(cli: Cli, argument: string | undefined, options: JoinOptions) {
  const name = checkName(options.name ?? cli.host.hostname.split(".")[0] ?? "");
  if (options.contextName !== undefined) checkName(options.contextName, "context");
  const invite = await readInvite(cli, argument, "gc endpoint join - --name NAME < invite.txt");
  if (invite.role !== "endpoint") {
    throw new GcError("usage", "invite.role", "This invite is for a person, not for an endpoint", {
      hint: "gc login -",
    });
  }
  loadIdentity(cli.home, cli.host);
  const paths = cli.home.endpoint(name);
  const isNew = readIfThere(paths.config) === undefined;
  if (isNew) {
    const config = await configOf(cli, await askWho(cli, options));
    configureEndpoint(cli.home, cli.host, { name, config, force: false });
  }
  const { identity } = loadEndpointKey(paths.key);
  const context = options.contextName ?? freeName(cli, contextNameFor(invite), invite.relay_id);
  const address = await enrol(cli, invite, identity, name);
  saveContext(cli.home, context, address, false);
  setRelay(paths.config, context);
  return {
    name,
    id: identity.id as string,
    configured: isNew,
    context,
    relay: addressText(address),
    relay_id: invite.relay_id,
    next: `gc endpoint start ${name}`,
  };
}

/** On a terminal, asks who may submit when no flag says: else nobody at the other end of the relay could. */
async function askWho(cli: Cli, options: JoinOptions): Promise<JoinOptions> {
  if (!cli.interactive || options.yes || options.allowUser !== undefined || options.public) return options;
  const prompts = await openPrompts(cli, "Who may submit must be said", "gc endpoint join --allow-user ID");
  const check = (answer: string) => (answer === "" || isId(answer) ? undefined : "A whole id, or nothing");
  const message = "Which user may submit, besides you on this machine? (gc whoami, typed there; empty: nobody)";
  const answer = await prompts.text({ message, check });
  return answer === "" ? options : { ...options, allowUser: [answer.toLowerCase()] };
}

/** Changes `relay` in a configuration and leaves everything else, comments included, as it is. */
function setRelay(path: string, context: string): void {
  const text = withTopLevelValue(readIfThere(path) ?? new Uint8Array(), path, "relay", context);
  parseEndpointConfig(Buffer.from(text), path);
  writeDurable(path, text);
}
