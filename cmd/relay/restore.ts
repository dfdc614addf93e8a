/** `gc relay restore`: makes a backup the store of the relay, with a new epoch. */
import { resolve } from "node:path";
import type { Command } from "commander";
import { makePrivateDir } from "../../core/host/files.ts";
import { takeLease } from "../../core/host/lease.ts";
import { restoreDatabase } from "../../core/relay/backup.ts";
import type { Cli } from "../cli.ts";
import { addExamples } from "../examples.ts";
import { visible } from "../visible.ts";

export function describe(parent: Command, cli: Cli): void {
  const command = parent
    .command("restore")
    .description(
      "Make a backup the store of the relay of this home folder, which must not run. What the relay had is moved " +
        "aside. Endpoints and clients notice when they connect again, and hand in once more what they still hold.",
    )
    .argument("<file>", "a file that gc relay backup wrote")
    .action((said: string) => {
      const done = restore(cli, resolve(said));
      const human = (): string =>
        [
          `Restored from ${visible(done.file)}`,
          ...(done.former === null ? [] : [`What was there is now in ${visible(done.former)}`]),
          `Next: ${cli.printer.paint.cyan("gc relay up")}`,
        ].join("\n");
      cli.printer.document("gc/relay_restored/v1", done, human, () => done.file);
    });
  addExamples(command, [
    ["gc relay down", "first"],
    ["gc relay restore relay-2026-11-25.gcb", "then this"],
  ]);
}

function restore(cli: Cli, file: string): { file: string; former: string | null; epoch: string } {
  const { home, host } = cli;
  makePrivateDir(home.relay.dir);
  // As a running relay would: so that none starts meanwhile, and none runs.
  const lease = takeLease(home.relay.lease, "relay", host);
  try {
    const epoch = Buffer.from(host.random.bytes(8)).toString("hex");
    const former = restoreDatabase(home.relay, file, epoch, host.clock.now());
    return { file, former: former ?? null, epoch };
  } finally {
    lease.release();
  }
}
