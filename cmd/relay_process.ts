/** A relay as a process: in this one until it is told to stop, by a signal or over its socket. */
import type { Home } from "../core/config/home.ts";
import { GcError, messageOf } from "../core/errors.ts";
import { createLog, type LogLevel } from "../core/host/log.ts";
import { realHost } from "../core/host/real_host.ts";
import { planted } from "../core/planted.ts";
import { readRelayConfig } from "../core/relay/relay_files.ts";
import type { Relay } from "../core/relay/server.ts";
import { startRelay } from "../core/relay/server.ts";

/**
 * Runs the relay of this home folder. `write` takes the lines of its log; `started` is told when it accepts
 * connections.
 * @throws GcError as `startRelay`; what made a running relay give up.
 */
export async function relayHere(
  home: Home,
  write: (line: string) => void,
  started: (relay: Relay) => void = () => {},
): Promise<number> {
  process.umask(0o077);
  const config = readRelayConfig(home.relay);
  const level: LogLevel = config.log_level ?? "info";
  const host = realHost(createLog(write, level, Date.now));
  const lazy = planted("synchronousOff") ? ({ synchronous: "OFF" } as const) : {};
  const relay = await startRelay({ paths: home.relay, socket: home.socket("relay"), config, ...lazy }, host);
  const stop = (): void => {
    relay.stop().catch((error: unknown) => host.log.error("relay.stop_failed", { why: messageOf(error) }));
  };
  process.on("SIGINT", stop);
  process.on("SIGTERM", stop);
  process.on("SIGHUP", () => {});
  started(relay);
  const why = await relay.done;
  if (why === undefined) return 0;
  throw why instanceof GcError ? why : new GcError("io", "relay.gave_up", `The relay gave up: ${messageOf(why)}`);
}
