/**
 * Starting an endpoint when the machine boots: a systemd user unit where there is a user manager, else a line in the
 * crontab, else words to say to the administrator. Also withdraws both.
 */
import { join } from "node:path";
import { type BootEntry, hasCronLine, unitName, unitText, withCronLine, withoutCronLine } from "../core/config/boot.ts";
import { GcError } from "../core/errors.ts";
import { type CommandAnswer, runCommand } from "../core/host/command.ts";
import { makePrivateDir, readIfThere, removeIfThere, writeDurable } from "../core/host/files.ts";
import { selfArgv } from "../core/host/self.ts";
import type { Cli } from "./cli.ts";

/** How an endpoint was enabled. */
export interface Enabled {
  readonly how: "systemd" | "cron";
  /** The unit file, or "crontab". */
  readonly where: string;
  /** What is still missing, and what to ask for. */
  readonly warning?: string;
}

/**
 * Enables the endpoint at boot.
 * @throws GcError unavailable `boot.impossible`, with what to ask the administrator for.
 */
export async function enableAtBoot(cli: Cli, name: string): Promise<Enabled> {
  const entry: BootEntry = { name, self: selfArgv(), home: cli.home.root, hostname: cli.host.hostname };
  const run = runner(cli);
  const manager = await run(["systemctl", "--user", "show-environment"]);
  if (manager.code === 0) return enableUnit(cli, entry, run);
  const table = await readCrontab(run);
  if (table !== undefined) {
    const written = await run(["crontab", "-"], withCronLine(table, entry));
    if (written.code === 0) return { how: "cron", where: "crontab" };
  }
  const user = cli.env.USER ?? "YOU";
  const systemd = manager.found ? `systemd has no manager for you (${firstLine(manager)})` : "there is no systemd";
  const what = `Cannot start the endpoint "${name}" at boot: ${systemd}, and no crontab may be written`;
  throw new GcError("unavailable", "boot.impossible", what, {
    hint: `ask the administrator for: loginctl enable-linger ${user} (or for the use of crontab)`,
  });
}

/** Withdraws what enableAtBoot wrote; false when there was nothing. */
export async function disableAtBoot(cli: Cli, name: string): Promise<boolean> {
  const run = runner(cli);
  let was = false;
  const path = unitPath(cli, name);
  if (readIfThere(path) !== undefined) {
    was = true;
    await run(["systemctl", "--user", "disable", unitName(name)]);
    removeIfThere(path);
    await run(["systemctl", "--user", "daemon-reload"]);
  }
  const table = await readCrontab(run);
  if (table !== undefined && hasCronLine(table, name)) {
    const written = await run(["crontab", "-"], withoutCronLine(table, name));
    if (written.code !== 0) {
      throw new GcError("unavailable", "boot.crontab", `Cannot write the crontab: ${firstLine(written)}`, {
        hint: "crontab -e",
      });
    }
    was = true;
  }
  return was;
}

type Run = (argv: string[], stdin?: string) => Promise<CommandAnswer>;

function runner(cli: Cli): Run {
  return (argv, stdin) => runCommand(argv, { env: cli.env, ...(stdin === undefined ? {} : { stdin }) });
}

async function enableUnit(cli: Cli, entry: BootEntry, run: Run): Promise<Enabled> {
  const path = unitPath(cli, entry.name);
  makePrivateDir(join(path, ".."));
  writeDurable(path, unitText(entry), 0o644);
  await run(["systemctl", "--user", "daemon-reload"]);
  const enabled = await run(["systemctl", "--user", "enable", unitName(entry.name)]);
  if (enabled.code !== 0) {
    removeIfThere(path);
    throw new GcError("unavailable", "boot.unit", `systemd does not take the unit: ${firstLine(enabled)}`, {
      hint: `systemctl --user enable ${unitName(entry.name)}`,
    });
  }
  // Without lingering the unit starts at login and ends at logout (ecosystem.md §1.7).
  const linger = await run(["loginctl", "enable-linger"]);
  if (linger.code === 0) return { how: "systemd", where: path };
  const ask = `loginctl enable-linger ${cli.env.USER ?? "YOU"}`;
  return {
    how: "systemd",
    where: path,
    warning: `It will only run while you are logged in, until an administrator types: ${ask}`,
  };
}

function unitPath(cli: Cli, name: string): string {
  const base = cli.env.XDG_CONFIG_HOME || join(cli.env.HOME ?? cli.home.root, ".config");
  return join(base, "systemd", "user", unitName(name));
}

/** The crontab of this user, empty when there is none yet; undefined when crontabs may not be used. */
async function readCrontab(run: Run): Promise<string | undefined> {
  const read = await run(["crontab", "-l"]);
  if (read.code === 0) return read.stdout;
  return read.found && /no crontab/i.test(read.stderr) ? "" : undefined;
}

function firstLine(answer: CommandAnswer): string {
  return answer.stderr.trim().split("\n")[0] || `exit code ${answer.code}`;
}
