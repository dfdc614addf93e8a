/**
 * The endpoints of this home folder as their folders tell: which there are, which one a person means, and whether its
 * daemon runs, here or on another machine that shares the folder. Never talks to a daemon or to a relay.
 */
import { GcError, messageOf } from "../errors.ts";
import { readIfThere } from "../host/files.ts";
import { foldersIn } from "../host/folder.ts";
import type { Host } from "../host/host.ts";
import { leaseIsLive, readLease } from "../host/lease.ts";
import { isName } from "./endpoint_name.ts";
import type { EndpointPaths, Home } from "./home.ts";
import { loadEndpointKey } from "./identity.ts";
import { nearest } from "./nearest.ts";

/** What the folder of an endpoint tells of its daemon. */
export type EndpointState =
  | { readonly state: "running"; readonly host: string; readonly pid: number; readonly since_ms: number }
  | { readonly state: "stopped" }
  | { readonly state: "broken"; readonly why: string };

export interface OwnEndpointFolder {
  readonly name: string;
  readonly paths: EndpointPaths;
  /** Undefined when its keys cannot be read. */
  readonly id: string | undefined;
  readonly state: EndpointState;
}

/** All endpoints of this home folder, by name. */
export function listOwnEndpoints(home: Home, host: Pick<Host, "hostname">): OwnEndpointFolder[] {
  return foldersIn(home.endpoints)
    .filter(isName)
    .map((name) => lookInto(home, host, name));
}

/**
 * The endpoint that a person means by its name, its id or the beginning of its id.
 * @throws GcError missing `endpoint.unknown`, data `endpoint.ambiguous`, usage `name.malformed`.
 */
export function findOwnEndpoint(home: Home, host: Pick<Host, "hostname">, said: string): OwnEndpointFolder {
  const names = foldersIn(home.endpoints).filter(isName);
  if (names.includes(said)) return lookInto(home, host, said);
  const wanted = said.toLowerCase();
  if (/^[0-9a-f-]{4,36}$/.test(wanted)) {
    const fit = listOwnEndpoints(home, host).filter((own) => own.id?.startsWith(wanted));
    if (fit.length === 1 && fit[0] !== undefined) return fit[0];
    if (fit.length > 1) {
      const which = fit.map((own) => own.name).join(", ");
      throw new GcError("data", "endpoint.ambiguous", `"${said}" may be any of these endpoints: ${which}`, {
        hint: "use a name",
      });
    }
  } else {
    home.endpointDir(said);
  }
  const meant = nearest(said, names);
  const guess = meant === undefined ? "" : `; did you mean "${meant}"?`;
  throw new GcError("missing", "endpoint.unknown", `There is no endpoint "${said}" on this machine${guess}`, {
    hint: names.length === 0 ? `gc endpoint configure ${isName(said) ? said : "NAME"}` : "gc endpoint list",
  });
}

/** Whether its daemon runs, by its lease; `broken` when configuration or keys are missing. */
export function stateOf(paths: EndpointPaths, host: Pick<Host, "hostname">): EndpointState {
  const holder = readLease(paths.lease);
  if (holder !== undefined && leaseIsLive(paths.lease, holder, host)) {
    return { state: "running", host: holder.host, pid: holder.pid, since_ms: holder.taken_ms };
  }
  return { state: "stopped" };
}

function lookInto(home: Home, host: Pick<Host, "hostname">, name: string): OwnEndpointFolder {
  const paths = home.endpoint(name);
  try {
    const id = loadEndpointKey(paths.key).identity.id;
    if (readIfThere(paths.config) === undefined) {
      return { name, paths, id, state: { state: "broken", why: "it has no config.yaml" } };
    }
    return { name, paths, id, state: stateOf(paths, host) };
  } catch (error) {
    if (error instanceof GcError && error.code === "endpoint.no_key") {
      return { name, paths, id: undefined, state: { state: "broken", why: "it has no key.json" } };
    }
    return { name, paths, id: undefined, state: { state: "broken", why: messageOf(error) } };
  }
}
