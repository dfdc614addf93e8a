/** `gc endpoint pause` and `gc endpoint resume`: an endpoint takes mail but starts no tasks; then it does again. */
import type { Command } from "commander";
import type { Cli } from "../cli.ts";
import { EndpointTalk } from "../endpoint_orders.ts";
import { addExamples } from "../examples.ts";
import { visible } from "../visible.ts";

export function describe(parent: Command, cli: Cli): void {
  describeOrder(parent, cli, "pause", "Start no more tasks on an endpoint; those that run go on, new ones wait.");
}

/** Adds `pause` or `resume` to `parent`. */
export function describeOrder(parent: Command, cli: Cli, what: "pause" | "resume", description: string): void {
  const command = parent
    .command(what)
    .description(description)
    .argument("<name>", "its name, its id or the beginning of its id")
    .action(async (said: string) => {
      const talk = await EndpointTalk.begin(cli, said);
      try {
        await talk.order(what);
        const { name } = talk.endpoint;
        const state = what === "pause" ? "paused" : "running";
        cli.printer.document("gc/endpoint_order/v1", { name, state }, () => `Endpoint "${visible(name)}" is ${state}`);
      } finally {
        talk.end();
      }
    });
  addExamples(command, [[`gc endpoint ${what} my-endpoint`, what === "pause" ? "hold tasks back" : "go on"]]);
}
