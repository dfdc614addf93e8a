/**
 * Where workers on other machines find their endpoint: a port with its own certificate. Key and certificate are made
 * once and the port is kept when it can be, so that workers find the endpoint again after a restart; the file
 * `door.json` tells them where, and they read it before every attempt, because the next start may be on another login
 * node.
 */
import * as os from "node:os";
import { join } from "node:path";
import { makeCertificate } from "../access/certificate.ts";
import { readJsonIfThere, writeJson } from "../host/files.ts";
import type { Host } from "../host/host.ts";
import type { Door } from "../schema/worker_file.ts";

/** What the endpoint itself keeps: never read by workers. */
interface DoorKey {
  v: 1;
  key: string;
  cert: string;
  port: number;
}

export interface OwnDoor {
  readonly tls: { readonly key: string; readonly cert: string };
  /** The port of the last start, 0 for none. */
  readonly port: number;
  /** File for workers. */
  readonly path: string;
  /** Writes down where the door is now. */
  opened(port: number): void;
}

/** The door of the endpoint in folder `dir`; makes key and certificate at the first time. */
export async function ownDoor(dir: string, endpoint_id: string, host: Host): Promise<OwnDoor> {
  const keyPath = join(dir, "door.key.json");
  const path = join(dir, "door.json");
  let own = readJsonIfThere(keyPath) as DoorKey | undefined;
  if (own?.v !== 1) {
    const { key_pem, cert_pem } = await makeCertificate(host.clock.now(), host.random);
    own = { v: 1, key: key_pem, cert: cert_pem, port: 0 };
    writeJson(keyPath, own);
  }
  const { key, cert, port } = own;
  return {
    tls: { key, cert },
    port,
    path,
    opened(now) {
      if (now !== port) writeJson(keyPath, { v: 1, key, cert, port: now });
      const door: Door = { v: 1, endpoint_id, port: now, addresses: addresses(host.hostname), ca_pem: cert };
      writeJson(path, door);
    },
  };
}

/** Where this machine may be reached: its addresses, outer ones first, then its name, then itself. */
function addresses(hostname: string): string[] {
  const found: string[] = [];
  for (const list of Object.values(os.networkInterfaces())) {
    for (const one of list ?? []) if (one.family === "IPv4" && !one.internal) found.push(one.address);
  }
  return [...new Set([...found, hostname, "127.0.0.1"])];
}
