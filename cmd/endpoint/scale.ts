/** `gc endpoint scale`: how many blocks an endpoint keeps, whatever there is to do. */
import { type Command, InvalidArgumentError } from "commander";
import { GcError } from "../../core/errors.ts";
import { wholeNumber } from "../amount.ts";
import type { Cli } from "../cli.ts";
import { EndpointTalk } from "../endpoint_orders.ts";
import { addExamples } from "../examples.ts";
import { visible } from "../visible.ts";

export function describe(parent: Command, cli: Cli): void {
  const command = parent
    .command("scale")
    .description(
      "Say how many blocks an endpoint on a batch scheduler keeps when there is nothing to do, from now on and " +
        "after a restart. Missing ones are asked for at once, idle ones beyond it are given back at once, busy ones " +
        "go on. With more to do more are asked for, up to max_blocks of its configuration.",
    )
    .argument("<name>", "its name, its id or the beginning of its id")
    .argument("<count>", "blocks to keep, or auto: as many as the configuration says", blocksToKeep)
    .action(async (said: string, count: number | "auto") => {
      const talk = await EndpointTalk.begin(cli, said);
      try {
        const { name } = talk.endpoint;
        const status = await talk.status();
        const most = typeof status === "string" ? undefined : (status.blocks_max ?? 0);
        if (most !== undefined && count !== "auto" && count > most) throw tooMany(name, count, most);
        const { message } = await talk.order("scale", count === "auto" ? {} : { blocks: count });
        const kept = count === "auto" ? null : count;
        cli.printer.document("gc/endpoint_scale/v1", { name, blocks_kept: kept, message }, () => {
          return `Endpoint "${visible(name)}": ${visible(message)}`;
        });
      } finally {
        talk.end();
      }
    });
  addExamples(command, [
    ["gc endpoint scale my-endpoint 2", "have two blocks ready"],
    ["gc endpoint scale my-endpoint 0", "give idle blocks back now"],
    ["gc endpoint scale my-endpoint auto", "as the configuration says"],
  ]);
}

function tooMany(name: string, count: number, most: number): GcError {
  const words = most === 0 ? "it runs no blocks: its engine is local" : `max_blocks in its configuration is ${most}`;
  const hint = `gc endpoint show ${name}`;
  return new GcError("usage", "endpoint.too_many_blocks", `"${name}" cannot keep ${count} blocks: ${words}`, { hint });
}

function blocksToKeep(text: string): number | "auto" {
  if (text === "auto") return "auto";
  try {
    return wholeNumber(0)(text);
  } catch {
    throw new InvalidArgumentError('It must be a whole number, or "auto".');
  }
}
