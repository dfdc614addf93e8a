/** `gc relay users`: who may use the relay, and taking somebody off the list. */
import { type Command, Option } from "commander";
import { GcError } from "../../core/errors.ts";
import type { PrincipalShown } from "../../core/relay/admin.ts";
import type { Cli } from "../cli.ts";
import { addExamples } from "../examples.ts";
import { orderRelay } from "../relay_admin.ts";
import { visible } from "../visible.ts";

export function describe(parent: Command, cli: Cli): void {
  const command = parent
    .command("users")
    .description(
      "List the people and endpoints that are enrolled, or remove one: its connections end at once and it cannot " +
        "come back, not even with a new invite.",
    )
    .argument("[action]", "list or remove", "list")
    .argument("[who]", "the id of whom to remove, the beginning of it, or the name")
    .addOption(new Option("--role <role>", "list only these").choices(["user", "endpoint"]))
    .action(async (action: string, who: string | undefined, options: { role?: string }) => {
      if (action === "list" && who === undefined) return list(cli, options.role);
      if (action === "remove" && who !== undefined) return remove(cli, who);
      throw new GcError("usage", "usage.refused", "It is: gc relay users list, or gc relay users remove ID", {
        hint: "gc relay users --help",
      });
    });
  addExamples(command, [
    ["gc relay users list", "everybody"],
    ["gc relay users list --role endpoint", "endpoints only"],
    ["gc relay users remove 1f0a3c", "whose id begins so"],
  ]);
}

async function list(cli: Cli, role: string | undefined): Promise<void> {
  const { users } = await orderRelay<{ users: PrincipalShown[] }>(cli, "GET", "users");
  const rows = users.filter((row) => role === undefined || row.role === role);
  cli.printer.document(
    "gc/relay_users/v1",
    { users: rows },
    () =>
      cli.printer.table(rows, [
        { heading: "ID", cell: (row) => row.id },
        { heading: "ROLE", cell: (row) => row.role },
        { heading: "NAME", cell: (row) => row.name },
        { heading: "SINCE", cell: (row) => day(row.enrolled_ms) },
        { heading: "SEEN", cell: (row) => (row.connected ? "connected" : day(row.seen_ms)) },
        { heading: "STATE", cell: (row) => (row.removed_ms === undefined ? "enrolled" : "removed") },
      ]),
    () => rows.map((row) => row.id).join("\n"),
  );
}

async function remove(cli: Cli, who: string): Promise<void> {
  const done = await orderRelay<{ removed: string; name: string }>(cli, "POST", "users/remove", { id: who });
  const human = (): string => `Removed ${done.removed}${done.name === "" ? "" : ` (${visible(done.name)})`}`;
  cli.printer.document("gc/relay_user_removed/v1", done, human, () => done.removed);
}

function day(time_ms: number): string {
  return time_ms === 0 ? "-" : new Date(time_ms).toISOString().slice(0, 10);
}
