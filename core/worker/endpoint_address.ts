/**
 * Where a worker finds its endpoint: a socket on the same machine, or whatever `door.json` says now. Of several
 * addresses one is tried after the other; the file is read before every attempt, because the endpoint may have moved.
 */
import { GcError } from "../errors.ts";
import { readJsonIfThere } from "../host/files.ts";
import { fits } from "../schema/validate.ts";
import type { WorkerFile } from "../schema/worker_file.ts";
import type { Address } from "../wire/link.ts";

/** The address for `keepLink`; its function throws GcError `worker.no_door` while there is none. */
export function endpointAddress(link: WorkerFile["link"]): Address | (() => Address) {
  if (link.kind === "unix") return { kind: "unix", path: link.path };
  let attempt = 0;
  return () => {
    const door = readJsonIfThere(link.path);
    if (!fits("door", door)) {
      throw new GcError("unavailable", "worker.no_door", `The endpoint does not say where it is ("${link.path}")`);
    }
    const address = door.addresses[attempt++ % door.addresses.length] ?? "127.0.0.1";
    return { kind: "url", url: `wss://${address}:${door.port}`, ca_pem: door.ca_pem };
  };
}
