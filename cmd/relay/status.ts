/** `gc relay status`: whether the relay of this home folder runs, where its data is, and what waits in it. */
import type { Command } from "commander";
import type { RelayStatus } from "../../core/relay/admin.ts";
import type { Cli } from "../cli.ts";
import { addExamples } from "../examples.ts";
import { askRelay } from "../relay_admin.ts";
import { visible } from "../visible.ts";

/** Exit code when it does not run: that of a service which is not there. */
const notRunning = 69;

export function describe(parent: Command, cli: Cli): void {
  const command = parent
    .command("status")
    .description(`Tell what the relay of this home folder is doing. Exits with ${notRunning} when it does not run.`)
    .action(async () => {
      const status = await askRelay<RelayStatus>(cli, "GET", "status");
      const value = { running: status !== undefined, data_dir: cli.home.relay.dir, ...status };
      cli.printer.document(
        "gc/relay_status/v1",
        value,
        () => (status === undefined ? stopped(cli) : running(status)),
        () => (status === undefined ? "stopped" : "running"),
      );
      if (status === undefined) cli.exit_code = notRunning;
    });
  addExamples(command, [
    ["gc relay status", "for people"],
    ["gc relay status --json", "for programs; names data_dir"],
  ]);
}

function stopped(cli: Cli): string {
  return `The relay is not running; its data is in ${visible(cli.home.relay.dir)}\nNext: gc relay up --detach`;
}

function running(status: RelayStatus): string {
  const mib = (bytes: number): string => `${Math.round(bytes / 1048576)} MiB`;
  const { connected } = status;
  const lines = [
    ["state", `running on ${status.host}, process ${status.pid}, since ${new Date(status.since_ms).toISOString()}`],
    ["id", status.id],
    ["reached at", status.url ?? "its Unix socket only"],
    ["socket", status.socket],
    ["data", status.data_dir],
    ["connected", `${connected.users} users, ${connected.endpoints} endpoints`],
    ["waiting", `${status.queued} task envelopes for endpoints, ${status.letters} receipts and cancels`],
    ["kept", `${status.envelopes} task envelopes, ${status.news} accepts and results`],
    ["disk", `${mib(status.free_bytes)} free${status.storage_full ? "; no new tasks are taken" : ""}`],
    ["memory", mib(status.rss_bytes)],
  ] as const;
  return lines.map(([name, value]) => `${name.padEnd(11)} ${visible(value)}`).join("\n");
}
