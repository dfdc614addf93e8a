/** `gc relay backup`: copies what the relay keeps into one file, while it runs or not. */
import * as fs from "node:fs";
import { resolve } from "node:path";
import type { Command } from "commander";
import { GcError } from "../../core/errors.ts";
import { copyStore } from "../../core/relay/backup.ts";
import type { Cli } from "../cli.ts";
import { addExamples } from "../examples.ts";
import { askRelay, orderRelay } from "../relay_admin.ts";
import { visible } from "../visible.ts";

export function describe(parent: Command, cli: Cli): void {
  const command = parent
    .command("backup")
    .description(
      "Copy what the relay keeps into one file, while it runs. Sealed tasks and results, and who is enrolled, are in " +
        "it; the relay's own keys are not: copy key.json, cert.pem and cert.key beside it once.",
    )
    .argument("<file>", "where to write the copy; it must not be there yet")
    .action(async (said: string) => {
      const file = resolve(said);
      await backup(cli, file);
      const bytes = fs.statSync(file).size;
      const human = (): string => `Copied to ${visible(file)} (${Math.ceil(bytes / 1024)} KiB)`;
      cli.printer.document("gc/relay_backup/v1", { file, bytes }, human, () => file);
    });
  addExamples(command, [
    ["gc relay backup relay-$(date +%F).gcb", "every night, from cron"],
    ["gc relay restore relay-2026-11-25.gcb", "the way back"],
  ]);
}

/** A connection of our own reads while the relay goes on, which lends it the store for so long. */
async function backup(cli: Cli, file: string): Promise<void> {
  const { relay } = cli.home;
  if (!fs.existsSync(relay.db)) {
    throw new GcError("missing", "relay.no_store", `There is nothing to copy: no relay ever ran in "${relay.dir}"`);
  }
  const lent = await askRelay<{ shared: boolean }>(cli, "POST", "share", { shared: true });
  if (lent?.shared === false) {
    // On a network disk only one process may have it open: the relay copies, and does nothing else meanwhile.
    await orderRelay(cli, "POST", "backup", { file });
    return;
  }
  try {
    copyStore(relay, file);
  } finally {
    if (lent !== undefined) await askRelay(cli, "POST", "share", { shared: false });
  }
}
