/** `gc endpoint resume`: lets a paused endpoint start tasks again, also one that paused itself. */
import type { Command } from "commander";
import type { Cli } from "../cli.ts";
import { describeOrder } from "./pause.ts";

export function describe(parent: Command, cli: Cli): void {
  describeOrder(
    parent,
    cli,
    "resume",
    "Let a paused endpoint start tasks again, also one that paused itself after failures.",
  );
}
