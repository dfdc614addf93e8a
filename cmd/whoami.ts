/** `gc whoami`: the id by which relays and endpoints know this person, and the relay that would be talked to. */
import type { Command } from "commander";
import { currentContext } from "../core/config/context.ts";
import { loadIdentity } from "../core/config/identity.ts";
import type { Cli } from "./cli.ts";
import { addressText } from "./context/list.ts";
import { addExamples } from "./examples.ts";
import { visible } from "./visible.ts";

export function describe(parent: Command, cli: Cli): void {
  const command = parent
    .command("whoami")
    .description(
      "Print your user id. It is the hash of your key, made at first use; the owner of an endpoint lets you in by " +
        "it. The private key is in GC_HOME/identity.json and never leaves this machine.",
    )
    .action(() => {
      const identity = loadIdentity(cli.home, cli.host);
      const context = currentContext(cli.home, cli.env, cli.context);
      const value = {
        id: identity.id,
        record: identity.record,
        context: context.name,
        relay: addressText(context.address),
        home: cli.home.root,
      };
      const { dim } = cli.printer.paint;
      const about = `${context.name}, ${addressText(context.address)}`;
      const human = () =>
        [
          `${dim("user id")}  ${identity.id}`,
          `${dim("relay  ")}  ${visible(about)}`,
          `${dim("home   ")}  ${visible(cli.home.root)}`,
        ].join("\n");
      cli.printer.document("gc/whoami/v1", value, human, () => identity.id);
    });
  addExamples(command, [
    ["gc whoami", "your id, your relay, your home folder"],
    ["gc whoami --quiet", "the id only"],
    ["gc endpoint configure lab --allow-user ID", "what somebody else does with it"],
  ]);
}
