/**
 * An endpoint as a process: started in this one, or as a detached one (`gc __endpoint NAME`). Reads what it is run
 * with, sees to the relay of this machine, turns signals into a stop (INT: with its workers) or a leave (TERM: without
 * them).
 */
import { currentContext, localContext } from "../core/config/context.ts";
import { loadEndpointConfig } from "../core/config/endpoint_config.ts";
import type { OwnEndpointFolder } from "../core/config/endpoint_folder.ts";
import type { Home } from "../core/config/home.ts";
import { loadEndpointKey } from "../core/config/identity.ts";
import { runEndpoint } from "../core/endpoint/daemon.ts";
import { GcError } from "../core/errors.ts";
import { readJsonIfThere, readTextIfThere } from "../core/host/files.ts";
import type { Host } from "../core/host/host.ts";
import { leaseIsLive, readLease } from "../core/host/lease.ts";
import { createLog } from "../core/host/log.ts";
import { alive, identify, spawnDetached } from "../core/host/processes.ts";
import { realHost } from "../core/host/real_host.ts";
import { selfArgv } from "../core/host/self.ts";
import { ensureLocalRelay } from "../core/relay/local.ts";

/** How long a detached start may take. */
const startWithin_ms = 30_000;
/** How long it waits beyond that for the relay, so that others find the endpoint at once; a relay may well be away. */
const connectWithin_ms = 2000;

/**
 * Runs the endpoint in this process until it is over. `write` takes the lines of its log; `started` is told when the
 * journal is read and the door open.
 */
export async function endpointHere(
  home: Home,
  name: string,
  write: (line: string) => void,
  started: () => void = () => {},
): Promise<number> {
  const paths = home.endpoint(name);
  const config = loadEndpointConfig(paths.config);
  const own = loadEndpointKey(paths.key);
  const host = realHost(createLog(write, config.log_level, Date.now));
  const context = currentContext(home, host.env, config.relay);
  if (context.name === localContext) await ensureLocalRelay(home, host);
  const relay = (): typeof context.address => currentContext(home, host.env, config.relay).address;
  const simulate = host.env.GC_SIMULATE_TASKS === "1";
  const socket = home.socket(`endpoint-${name}`);
  const endpoint = await runEndpoint({ name, paths, socket, config, own, relay, simulate }, host);
  let interrupts = 0;
  const interrupt = (): void => (++interrupts === 1 ? endpoint.stop("now") : endpoint.leave());
  process.on("SIGINT", interrupt);
  process.on("SIGTERM", () => endpoint.leave());
  process.on("SIGUSR1", () => endpoint.stop("drain"));
  process.on("SIGHUP", () => {});
  started();
  return endpoint.done;
}

/**
 * Starts the endpoint as a process of its own and waits until it is ready. Returns its pid.
 * @throws GcError `endpoint.already_running`, or `endpoint.did_not_start` with the end of its log.
 */
export async function endpointDetached(own: OwnEndpointFolder, host: Host): Promise<number> {
  refuseSecond(own, host);
  const env: { [name: string]: string } = {};
  for (const [key, value] of Object.entries(host.env)) if (value !== undefined) env[key] = value;
  const before = (readTextIfThere(own.paths.log) ?? "").length;
  const argv = [...selfArgv(), "__endpoint", own.name];
  const pid = spawnDetached(argv, { log_path: own.paths.log, env, cwd: own.paths.dir });
  const identity = identify(pid);
  const deadline = host.clock.monotonic() + startWithin_ms;
  let ready_ms = Number.POSITIVE_INFINITY;
  for (;;) {
    const facts = readJsonIfThere(own.paths.facts) as { pid?: number; connected?: boolean } | undefined;
    if (facts?.pid === pid) {
      ready_ms = Math.min(ready_ms, host.clock.monotonic());
      if (facts.connected === true || host.clock.monotonic() > ready_ms + connectWithin_ms) return pid;
    }
    const dead = identity === undefined || !alive(identity);
    if (dead || host.clock.monotonic() > deadline) {
      const log = (readTextIfThere(own.paths.log) ?? "").slice(before).trim().split("\n").slice(-5).join("\n");
      const what = dead ? "ended at once" : `is not ready after ${startWithin_ms / 1000} s`;
      throw new GcError("unavailable", "endpoint.did_not_start", `The endpoint "${own.name}" ${what}: ${log}`, {
        hint: `gc endpoint logs ${own.name}`,
      });
    }
    await new Promise<void>((resolve) => host.clock.after(5, resolve));
  }
}

/** @throws GcError `endpoint.already_running` when it runs here or on another machine that shares the folder. */
export function refuseSecond(own: OwnEndpointFolder, host: Pick<Host, "hostname">): void {
  const holder = readLease(own.paths.lease);
  if (holder === undefined || !leaseIsLive(own.paths.lease, holder, host)) return;
  const what = `The endpoint "${own.name}" is running already, on ${holder.host} as process ${holder.pid}`;
  throw new GcError("temporary", "endpoint.already_running", what, { hint: `gc endpoint stop ${own.name}` });
}
