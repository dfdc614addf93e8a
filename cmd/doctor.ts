/** `gc doctor`: looks at everything that gc needs and says what to do about what is amiss. */
import type { Command } from "commander";
import type { Cli } from "./cli.ts";
import type { Check } from "./doctor/check.ts";
import { checkEndpoints } from "./doctor/endpoints.ts";
import { checkHome } from "./doctor/home.ts";
import { checkMachine } from "./doctor/machine.ts";
import { checkRelay } from "./doctor/relay.ts";
import { addExamples } from "./examples.ts";
import { visible } from "./visible.ts";

export function describe(parent: Command, cli: Cli): void {
  const command = parent
    .command("doctor")
    .description(
      "Check home folder, machine, relay and endpoints, and say what to do. " +
        "Exit code 0 when nothing fails, 1 otherwise; warnings do not count.",
    )
    .action(async () => {
      const checks = await examine(cli);
      const ok = checks.every((check) => check.status !== "fail");
      const human = () => checks.map((check) => asText(cli, check)).join("\n");
      const quiet = () => {
        const amiss = checks.filter((check) => check.status === "fail" || check.status === "warn");
        return amiss.map((check) => asText(cli, check)).join("\n");
      };
      cli.printer.document("gc/doctor/v1", { ok, checks }, human, quiet);
      cli.exit_code = ok ? 0 : 1;
    });
  addExamples(command, [
    ["gc doctor", "everything"],
    ["gc doctor --quiet", "only what is amiss"],
    ["gc doctor --context lab", "the way to another relay"],
  ]);
}

async function examine(cli: Cli): Promise<Check[]> {
  const home = checkHome(cli);
  const machine = await checkMachine(cli);
  if (home[0]?.status === "fail") return [...home, ...machine];
  return [...home, ...machine, ...(await checkRelay(cli)), ...checkEndpoints(cli)];
}

function asText(cli: Cli, check: Check): string {
  const { green, dim, yellow, red } = cli.printer.paint;
  const marks = { ok: green("ok  "), info: dim("info"), warn: yellow("warn"), fail: red("FAIL") };
  const next = check.next === undefined ? "" : `\n      ${dim("next:")} ${visible(check.next)}`;
  return `${marks[check.status]}  ${visible(check.name)}: ${visible(check.message)}${next}`;
}
