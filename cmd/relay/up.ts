/** `gc relay up`: runs the relay of this home folder, in the foreground or as a process of its own. */
import * as fs from "node:fs";
import type { Command } from "commander";
import { GcError } from "../../core/errors.ts";
import { makePrivateDir } from "../../core/host/files.ts";
import { freePort } from "../../core/host/free_port.ts";
import { leaseIsLive, readLease } from "../../core/host/lease.ts";
import type { RelayStatus } from "../../core/relay/admin.ts";
import { ensureLocalRelay } from "../../core/relay/local.ts";
import { parseListen, readRelayConfig, writeRelayConfig } from "../../core/relay/relay_files.ts";
import type { RelayConfig } from "../../core/schema/relay_config.ts";
import type { Cli } from "../cli.ts";
import { addExamples } from "../examples.ts";
import { writeOut } from "../output.ts";
import { askRelay, orderRelay } from "../relay_admin.ts";
import { relayHere } from "../relay_process.ts";
import { visible } from "../visible.ts";

interface UpOptions {
  listen?: string | false;
  behindProxy?: boolean;
  publicUrl?: string;
  detach?: boolean;
}

export function describe(parent: Command, cli: Cli): void {
  const command = parent
    .command("up")
    .description(
      "Run the relay of this home folder: where tasks and results wait until the other side takes them. It always " +
        "answers on a Unix socket that only you can reach; others reach it once you say where to listen. What you " +
        "say is kept for the next start.",
    )
    .option(
      "--listen <host:port>",
      "also accept connections over TCP, with TLS and a certificate of its own; port 0: any",
    )
    .option("--no-listen", "no longer accept connections over TCP")
    .option("--behind-proxy", "speak no TLS: something in front of it does")
    .option("--public-url <url>", "where people reach it, for invites (https://gc.example.org)")
    .option("-d, --detach", "return once it answers, and let it run by itself")
    .action(async (options: UpOptions) => {
      await up(cli, options);
    });
  addExamples(command, [
    ["gc relay up --detach", "for this machine alone, in the background"],
    ["gc relay up --listen 0.0.0.0:7443", "for others too; next: gc relay invite --role user"],
    ["gc relay up --listen 127.0.0.1:7443 --behind-proxy --public-url https://gc.example.org", "behind nginx"],
  ]);
}

async function up(cli: Cli, options: UpOptions): Promise<void> {
  const { home, host } = cli;
  const holder = readLease(home.relay.lease);
  if (holder !== undefined && leaseIsLive(home.relay.lease, holder, host)) {
    const where = `on host "${holder.host}" as process ${holder.pid}`;
    throw new GcError("temporary", "relay.already_running", `The relay is already running ${where}`, {
      hint: "gc relay status, or gc relay down first",
    });
  }
  const config = await withPort(configured(readRelayConfig(home.relay), options));
  writeRelayConfig(home.relay, config);
  if (options.detach === true) {
    await ensureLocalRelay(home, host);
    return tell(cli, await orderRelay<RelayStatus>(cli, "GET", "status"));
  }
  makePrivateDir(home.relay.dir);
  const log = fs.openSync(home.relay.log, "a", 0o600);
  const write = (line: string): void => {
    fs.writeSync(log, `${line}\n`);
    writeOut(2, `${line}\n`);
  };
  cli.exit_code = await relayHere(home, write, () => {
    askRelay<RelayStatus>(cli, "GET", "status").then(
      (status) => status !== undefined && tell(cli, status),
      () => {},
    );
  });
}

/** What was kept from the last start, with what is said now. @throws GcError usage. */
function configured(kept: RelayConfig, options: UpOptions): RelayConfig {
  const { listen, behind_proxy, public_url, ...rest } = kept;
  if (options.listen === false) return rest;
  const place = options.listen ?? listen;
  if (place !== undefined) parseListen(place);
  const proxied = options.behindProxy ?? behind_proxy;
  const url = options.publicUrl ?? public_url;
  if (place === undefined && (options.behindProxy === true || options.publicUrl !== undefined)) {
    throw new GcError("usage", "relay.no_listen", "--behind-proxy and --public-url need --listen", {
      hint: "gc relay up --listen 127.0.0.1:7443 --behind-proxy --public-url https://gc.example.org",
    });
  }
  return {
    ...rest,
    ...(place === undefined ? {} : { listen: place }),
    ...(proxied === undefined ? {} : { behind_proxy: proxied }),
    ...(url === undefined ? {} : { public_url: url }),
  };
}

/** Invites name the port, so one that we may choose is chosen once, not at every start. */
async function withPort(config: RelayConfig): Promise<RelayConfig> {
  if (config.listen === undefined || parseListen(config.listen).port !== 0) return config;
  const port = await freePort(parseListen(config.listen).hostname);
  return { ...config, listen: config.listen.replace(/0+$/, String(port)) };
}

function tell(cli: Cli, status: RelayStatus): void {
  const { paint } = cli.printer;
  const next = status.url === undefined ? "gc run -- hostname" : "gc relay invite --role user";
  const human = (): string =>
    [
      `The relay is running (process ${status.pid})`,
      status.url === undefined ? `For this machine alone: ${visible(status.socket)}` : `At ${visible(status.url)}`,
      `Next: ${paint.cyan(next)}`,
    ].join("\n");
  cli.printer.document("gc/relay_started/v1", status, human, () => status.url ?? status.socket);
}
