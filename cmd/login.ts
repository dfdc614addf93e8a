/** `gc login`: join a relay as a user, by an invite, and talk to it from now on. */
import type { Command } from "commander";
import { readContexts, saveContext } from "../core/config/context.ts";
import { checkName } from "../core/config/endpoint_name.ts";
import { loadIdentity } from "../core/config/identity.ts";
import { GcError } from "../core/errors.ts";
import type { Cli } from "./cli.ts";
import { addressText } from "./context/list.ts";
import { addExamples } from "./examples.ts";
import { contextNameFor, enrol, readInvite } from "./invite.ts";

const instead = "gc login - < invite.txt";

export function describe(parent: Command, cli: Cli): void {
  const command = parent
    .command("login")
    .description(
      "Join a relay by an invite (gc relay invite) and talk to it from now on. The invite is good for one use; " +
        "your key is made here and stays here. Without an argument it asks, or reads standard input.",
    )
    .argument("[invite]", "the invite, or - to read it from standard input")
    .option("--name <context>", "what to call this relay here (default: from its host name)")
    .option("--keep-context", "only remember it: commands go on talking to the current relay")
    .action(async (invite: string | undefined, options: { name?: string; keepContext?: boolean }) => {
      const joined = await login(cli, invite, options);
      const human = () =>
        `Joined the relay "${joined.context}" (${joined.relay}) as ${joined.user_id}\n` +
        `Next: ${cli.printer.paint.cyan("gc run --endpoint NAME -- hostname")}`;
      cli.printer.document("gc/login/v1", joined, human, () => joined.context);
    });
  addExamples(command, [
    ["gc login", "ask for the invite"],
    ["gc login - < invite.txt", "read it from a file"],
    ["gc login --name lab", "and call the relay lab"],
  ]);
}

async function login(cli: Cli, argument: string | undefined, options: { name?: string; keepContext?: boolean }) {
  if (options.name !== undefined) checkName(options.name, "context");
  const invite = await readInvite(cli, argument, instead);
  if (invite.role !== "user") {
    throw new GcError("usage", "invite.role", "This invite is for an endpoint, not for a person", {
      hint: "gc endpoint join -",
    });
  }
  const identity = loadIdentity(cli.home, cli.host);
  const context = options.name ?? freeName(cli, contextNameFor(invite), invite.relay_id);
  const address = await enrol(cli, invite, identity, undefined);
  saveContext(cli.home, context, address, options.keepContext !== true);
  return { context, relay: addressText(address), relay_id: invite.relay_id, user_id: identity.id };
}

/** `base`, or `base-2` and so on when that name means another relay already. */
export function freeName(cli: Cli, base: string, relay_id: string): string {
  const { contexts } = readContexts(cli.home);
  for (let n = 1; ; n += 1) {
    const name = n === 1 ? base : `${base.slice(0, 60)}-${n}`;
    const address = Object.hasOwn(contexts, name) ? contexts[name] : undefined;
    if (address === undefined || (address.kind === "url" && address.relay_id === relay_id)) return name;
  }
}
