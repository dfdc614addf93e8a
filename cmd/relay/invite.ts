/** `gc relay invite`: makes a line of text with which one person, or one endpoint, may join the relay. */
import { type Command, InvalidArgumentError, Option } from "commander";
import { inviteTtlMax_ms } from "../../core/relay/access.ts";
import { wholeNumber } from "../amount.ts";
import type { Cli } from "../cli.ts";
import { addExamples } from "../examples.ts";
import { orderRelay } from "../relay_admin.ts";

interface Made {
  readonly invite: string;
  readonly id: string;
  readonly role: string;
  readonly url: string;
  readonly uses: number;
  readonly expires_ms: number;
}

export function describe(parent: Command, cli: Cli): void {
  const command = parent
    .command("invite")
    .description(
      "Make an invite: one line of text that lets somebody join this relay. It holds a secret: hand it over as you " +
        "would a password. It names the relay's key, so whoever uses it cannot be led to another relay.",
    )
    .addOption(
      new Option("--role <role>", "for a person, or for an endpoint").choices(["user", "endpoint"]).default("user"),
    )
    .addOption(
      new Option("--ttl <duration>", "how long it is good, such as 30m, 1h or 7d (7d at most)")
        .argParser(duration_ms)
        .default(3_600_000, "1h"),
    )
    .option("--uses <count>", "how many may use it", wholeNumber(1), 1)
    .option("--name <name>", "what to call the newcomer, unless it says so itself")
    .action(async (options: { role: string; ttl: number; uses: number; name?: string }) => {
      const { role, ttl, uses, name } = options;
      const made = await orderRelay<Made>(cli, "POST", "invite", { role, ttl_ms: ttl, uses, name });
      const join = role === "user" ? "gc login" : "gc endpoint join";
      cli.printer.document(
        "gc/relay_invite/v1",
        made,
        () => made.invite,
        () => made.invite,
      );
      cli.printer.note(`Good until ${new Date(made.expires_ms).toISOString()}. There: ${join} - (and paste it)`);
    });
  addExamples(command, [
    ["gc relay invite", "for one person, good for an hour"],
    ["gc relay invite --role endpoint --name polaris", "for an endpoint"],
    ["gc relay invite --uses 30 --ttl 2d", "for a class"],
  ]);
}

/** `90s`, `30m`, `1h`, `7d` → milliseconds. */
function duration_ms(text: string): number {
  const parts = /^(\d{1,6})(s|m|h|d)$/.exec(text);
  const unit = { s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 }[parts?.[2] ?? "s"] ?? 1000;
  const value = Number(parts?.[1]) * unit;
  if (parts !== null && value > 0 && value <= inviteTtlMax_ms) return value;
  throw new InvalidArgumentError("It must be a duration of at most 7 days, such as 30m, 1h or 7d.");
}
