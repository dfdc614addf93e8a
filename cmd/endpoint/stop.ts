/** `gc endpoint stop`: ends an endpoint with its workers, wherever it runs. */
import type { Command } from "commander";
import { GcError } from "../../core/errors.ts";
import type { Cli } from "../cli.ts";
import { EndpointTalk, ended, ownFolder, signalHere } from "../endpoint_orders.ts";
import { addExamples } from "../examples.ts";
import { visible } from "../visible.ts";

/** An endpoint gives its workers 30 s to end tasks. */
const stopWithin_ms = 40_000;

export function describe(parent: Command, cli: Cli): void {
  const command = parent
    .command("stop")
    .description(
      "End an endpoint and its workers, here or through its relay. Tasks that wait stay with it; tasks that run " +
        "are ended and run again after the next start, unless they said --on-lost fail. With --drain " +
        "they are finished first.",
    )
    .argument("<name>", "its name, its id or the beginning of its id")
    .option("--drain", "finish what it has first; take nothing new")
    .action(async (said: string, options: { drain?: boolean }) => {
      const stopped = await stop(cli, said, options.drain === true);
      cli.printer.document("gc/endpoint_stopped/v1", stopped, () => {
        const state = stopped.ended ? "has ended" : options.drain ? "ends when its tasks are finished" : "is ending";
        return `Endpoint "${visible(stopped.name)}" ${state}`;
      });
    });
  addExamples(command, [
    ["gc endpoint stop my-endpoint", "end it now"],
    ["gc endpoint stop --drain my-endpoint", "let its tasks finish first"],
  ]);
}

async function stop(cli: Cli, said: string, drain: boolean): Promise<{ name: string; ended: boolean }> {
  const folder = ownFolder(cli, said);
  if (folder !== undefined && signalHere(cli, folder, drain ? "SIGUSR1" : "SIGINT")) {
    return { name: folder.name, ended: drain ? false : await ended(cli, folder, stopWithin_ms) };
  }
  if (folder !== undefined && folder.state.state === "stopped") {
    throw new GcError("missing", "endpoint.not_running", `The endpoint "${folder.name}" is not running`, {
      hint: `gc endpoint start ${folder.name}`,
    });
  }
  const talk = await EndpointTalk.begin(cli, said);
  try {
    await talk.order(drain ? "drain" : "stop");
    const { name } = talk.endpoint;
    if (drain) return { name, ended: false };
    const { clock } = cli.host;
    const deadline = clock.monotonic() + stopWithin_ms;
    while (clock.monotonic() < deadline) {
      if ((await talk.status()) === "offline") return { name, ended: true };
      await new Promise<void>((resolve) => clock.after(200, resolve));
    }
    return { name, ended: false };
  } finally {
    talk.end();
  }
}
