/** `gc relay down`: stops the relay of this home folder. What it keeps stays; who is connected comes back when it
 * does. */
import type { Command } from "commander";
import { GcError } from "../../core/errors.ts";
import { leaseIsLive, readLease } from "../../core/host/lease.ts";
import { answers } from "../../core/host/unix_socket.ts";
import type { Cli } from "../cli.ts";
import { addExamples } from "../examples.ts";
import { askRelay } from "../relay_admin.ts";

const downWithin_ms = 20_000;

export function describe(parent: Command, cli: Cli): void {
  const command = parent
    .command("down")
    .description(
      "Stop the relay of this home folder. Tasks and results that wait in it stay there; tasks that run go on running.",
    )
    .action(async () => {
      const stopped = await down(cli);
      const human = (): string => (stopped ? "The relay is stopped" : "The relay was not running");
      cli.printer.document("gc/relay_stopped/v1", { stopped }, human, () => "");
    });
  addExamples(command, [
    ["gc relay down", "stop it"],
    ["gc relay down && gc relay up --detach", "start it anew, for example after an update"],
  ]);
}

/** Returns whether one was running. */
async function down(cli: Cli): Promise<boolean> {
  const { home, host } = cli;
  const holder = readLease(home.relay.lease);
  const live = holder !== undefined && leaseIsLive(home.relay.lease, holder, host);
  if (live && holder.host !== host.hostname) {
    const message = `The relay runs on another machine, "${holder.host}" (process ${holder.pid})`;
    throw new GcError("unavailable", "relay.elsewhere", message, { hint: `ssh ${holder.host} gc relay down` });
  }
  const told = await askRelay(cli, "POST", "stop");
  if (told === undefined && !live) return false;
  const deadline = host.clock.monotonic() + downWithin_ms;
  for (;;) {
    const left = readLease(home.relay.lease);
    const gone = left === undefined || left.token !== holder?.token || !leaseIsLive(home.relay.lease, left, host);
    if (gone && !(await answers(home.socket("relay")))) return true;
    if (host.clock.monotonic() > deadline) break;
    await new Promise<void>((resolve) => host.clock.after(10, resolve));
  }
  throw new GcError("temporary", "relay.still_running", `The relay (process ${holder?.pid}) is still running`, {
    hint: `kill ${holder?.pid}`,
  });
}
