/**
 * What makes `gc run -- hostname` work on a fresh machine: the relay of this home folder and an endpoint called "local"
 * are set up and started in the background when they are needed and not there. Several commands may do that at the same
 * moment; leases see to it that one relay and one endpoint come of it. Never touches a relay of somebody else.
 */
import { localContext } from "../config/context.ts";
import type { Home } from "../config/home.ts";
import { GcError } from "../errors.ts";
import { makePrivateDir, readIfThere, readTextIfThere } from "../host/files.ts";
import type { Clock, Host } from "../host/host.ts";
import { leaseIsLive, readLease } from "../host/lease.ts";
import { identify, spawnDetached } from "../host/processes.ts";
import { selfArgv } from "../host/self.ts";
import type { Client } from "./client.ts";
import { type FoundEndpoint, ownEndpoint } from "./endpoint_lookup.ts";

/** Name of the endpoint that is used when none is named. */
export const defaultEndpoint = "local";

/** Time that a daemon may take until it answers, on a slow disk. */
const startTimeout_ms = 20_000;
const lookEvery_ms = 25;

/** The default endpoint's keys, made with an ordinary configuration when there are none. */
export async function ensureDefaultConfigured(home: Home, host: Host): Promise<FoundEndpoint> {
  const there = ownEndpoint(home, defaultEndpoint);
  if (there !== undefined && readIfThere(home.endpoint(defaultEndpoint).config) !== undefined) return there;
  const { configureEndpoint } = await import("../config/configure.ts");
  try {
    const config = { relay: localContext, engine: { type: "local" as const } };
    configureEndpoint(home, host, { name: defaultEndpoint, config, force: false });
  } catch (error) {
    if (!(error instanceof GcError && error.code === "endpoint.exists")) throw error;
  }
  const made = ownEndpoint(home, defaultEndpoint);
  if (made !== undefined) return made;
  throw new GcError("io", "endpoint.no_key", `The endpoint "${defaultEndpoint}" has no keys`, {
    hint: `gc endpoint configure ${defaultEndpoint} --force`,
  });
}

/** Starts the relay of this home folder unless it runs. Resolves when it accepts connections. */
export async function ensureRelay(home: Home, host: Host): Promise<void> {
  const { ensureLocalRelay } = await import("../relay/local.ts");
  await ensureLocalRelay(home, host);
}

/**
 * Starts the endpoint `name` of this home folder unless it runs, and resolves when the relay sees it.
 * @throws GcError unavailable `endpoint.not_started` with the last words of its log.
 */
export async function ensureOnline(home: Home, host: Host, client: Client, endpoint: FoundEndpoint): Promise<void> {
  const paths = home.endpoint(endpoint.name);
  const pid = running(home, host, endpoint.name) ? undefined : startDetached(home, host, endpoint.name);
  const deadline = host.clock.monotonic() + startTimeout_ms;
  for (;;) {
    const [row] = await client.endpoints({ id: endpoint.record.id });
    if (row?.online === true) return;
    const died = pid !== undefined && identify(pid) === undefined && !running(home, host, endpoint.name);
    if (died || host.clock.monotonic() > deadline) {
      const last = (readTextIfThere(paths.log) ?? "").trimEnd().split("\n").at(-1) ?? "";
      const why = died ? "ended at once" : `is not connected after ${startTimeout_ms / 1000} s`;
      throw new GcError("unavailable", "endpoint.not_started", `The endpoint "${endpoint.name}" ${why}: ${last}`, {
        hint: `gc endpoint start ${endpoint.name}`,
      });
    }
    await pause(host.clock, lookEvery_ms);
  }
}

/** Whether a daemon of the endpoint holds its lease, here or on another machine. */
export function running(home: Home, host: Pick<Host, "hostname">, name: string): boolean {
  const { lease } = home.endpoint(name);
  const holder = readLease(lease);
  return holder !== undefined && leaseIsLive(lease, holder, host);
}

function startDetached(home: Home, host: Host, name: string): number {
  const paths = home.endpoint(name);
  makePrivateDir(paths.dir);
  const env: { [name: string]: string } = {};
  for (const [key, value] of Object.entries(host.env)) if (value !== undefined) env[key] = value;
  env.GC_HOME = home.root;
  return spawnDetached([...selfArgv(), "__endpoint", name], { log_path: paths.log, env, cwd: "/" });
}

function pause(clock: Clock, delay_ms: number): Promise<void> {
  return new Promise((resolve) => clock.after(delay_ms, resolve));
}
