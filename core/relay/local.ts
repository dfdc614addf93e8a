/**
 * The relay of this machine, started by whoever needs it first: `gc __relay` as a process of its own, on a Unix socket
 * of mode 0600. When many start it at once, the lease lets one live and the others end; all wait for the same socket.
 */
import type { Home } from "../config/home.ts";
import { GcError } from "../errors.ts";
import { makePrivateDir, readTextIfThere } from "../host/files.ts";
import type { Host } from "../host/host.ts";
import { leaseIsLive, readLease } from "../host/lease.ts";
import { identify, spawnDetached } from "../host/processes.ts";
import { selfArgv } from "../host/self.ts";
import { answers } from "../host/unix_socket.ts";
import type { Address } from "../wire/link.ts";

/** A start takes 0.1 s; a large store is read through first (`quick_check`), which takes as long as it takes. */
const startTimeout_ms = 30_000;
const checkTimeout_ms = 10 * 60_000;

/**
 * Sees to it that the relay of this home folder runs, and resolves to its address once it answers.
 * @throws GcError unavailable `relay.not_started` with the last words of its log, `relay.elsewhere` when it runs on
 *   another machine that shares the folder.
 */
export async function ensureLocalRelay(home: Home, host: Host): Promise<Address> {
  const path = home.socket("relay");
  const address: Address = { kind: "unix", path };
  if (await answers(path)) return address;
  const began_ms = host.clock.monotonic();
  let child: number | undefined;
  for (let pause_ms = 5; ; pause_ms = Math.min(100, pause_ms * 1.5)) {
    const holder = readLease(home.relay.lease);
    const live = holder !== undefined && leaseIsLive(home.relay.lease, holder, host);
    if (live && holder.host !== host.hostname) throw elsewhere(holder.host, holder.pid);
    if (!live && child === undefined) child = startRelayProcess(home, host);
    await new Promise<void>((resolve) => host.clock.after(pause_ms, resolve));
    if (await answers(path)) return address;
    const waited_ms = host.clock.monotonic() - began_ms;
    const childDied = child !== undefined && identify(child) === undefined;
    if (childDied && !isHeld(home, host)) throw notStarted(home, "ended at once");
    if (waited_ms > (live ? checkTimeout_ms : startTimeout_ms)) throw notStarted(home, "does not answer");
  }
}

/** Starts `gc __relay` and does not wait for it. */
export function startRelayProcess(home: Home, host: Host): number {
  makePrivateDir(home.relay.dir);
  const env: { [name: string]: string } = { GC_HOME: home.root };
  for (const [name, value] of Object.entries(host.env))
    if (value !== undefined && name !== "GC_HOME") env[name] = value;
  return spawnDetached([...selfArgv(), "__relay"], { log_path: home.relay.log, env, cwd: home.relay.dir });
}

function isHeld(home: Home, host: Host): boolean {
  const holder = readLease(home.relay.lease);
  return holder !== undefined && leaseIsLive(home.relay.lease, holder, host);
}

function notStarted(home: Home, what: string): GcError {
  const log = (readTextIfThere(home.relay.log) ?? "").trim().split("\n").slice(-3).join("\n");
  return new GcError("unavailable", "relay.not_started", `The relay of this machine ${what}: ${log}`, {
    hint: "gc relay up",
  });
}

function elsewhere(name: string, pid: number): GcError {
  const message = `The relay of this home folder runs on another machine, "${name}" (process ${pid})`;
  return new GcError("unavailable", "relay.elsewhere", message, {
    hint: `ssh ${name} gc relay down, or gc relay up --listen there and gc login here`,
  });
}
