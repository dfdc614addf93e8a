/** `gc endpoint start`: runs an endpoint, in the foreground or as a process of its own. */
import * as fs from "node:fs";
import type { Command } from "commander";
import { loadEndpointConfig } from "../../core/config/endpoint_config.ts";
import { findOwnEndpoint } from "../../core/config/endpoint_folder.ts";
import { loadEndpointKey } from "../../core/config/identity.ts";
import type { Cli } from "../cli.ts";
import { endpointDetached, endpointHere, refuseSecond } from "../endpoint_process.ts";
import { addExamples } from "../examples.ts";
import { writeOut } from "../output.ts";
import { visible } from "../visible.ts";

export function describe(parent: Command, cli: Cli): void {
  const command = parent
    .command("start")
    .description(
      "Run an endpoint. It stays in the foreground until Ctrl-C, or with --detach goes on by itself. Tasks that were " +
        "waiting or running when it last ended are taken up again.",
    )
    .argument("<name>", "its name, its id or the beginning of its id")
    .option("-d, --detach", "return once it is ready, and let it run by itself")
    .action(async (said: string, options: { detach?: boolean }) => {
      const own = findOwnEndpoint(cli.home, cli.host, said);
      loadEndpointConfig(own.paths.config);
      const { identity } = loadEndpointKey(own.paths.key);
      const { name } = own;
      if (options.detach === true) {
        const pid = await endpointDetached(own, cli.host);
        tell(cli, { name, id: identity.id, pid, log_path: own.paths.log });
        return;
      }
      refuseSecond(own, cli.host);
      const log = fs.openSync(own.paths.log, "a", 0o600);
      const write = (line: string): void => {
        fs.writeSync(log, `${line}\n`);
        writeOut(2, `${line}\n`);
      };
      cli.exit_code = await endpointHere(cli.home, name, write, () => {
        tell(cli, { name, id: identity.id, pid: process.pid, log_path: own.paths.log });
      });
    });
  addExamples(command, [
    ["gc endpoint start my-endpoint", "in the foreground, with its log on standard error"],
    ["gc endpoint start --detach my-endpoint", "in the background; prints its id"],
    ["gc run --endpoint my-endpoint -- hostname", "then, from anywhere that knows its relay"],
  ]);
}

function tell(cli: Cli, started: { name: string; id: string; pid: number; log_path: string }): void {
  const human = (): string =>
    [
      `Endpoint "${visible(started.name)}" is running (process ${started.pid})`,
      `Endpoint id: ${cli.printer.paint.bold(started.id)}`,
      `Next: ${cli.printer.paint.cyan(`gc run --endpoint ${started.name} -- hostname`)}`,
    ].join("\n");
  cli.printer.document("gc/endpoint_started/v1", started, human, () => started.id);
}
