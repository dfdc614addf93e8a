/**
 * From what a person calls an endpoint (its name, its id, the beginning of its id) to its key record: in this home
 * folder, among the endpoints seen before, at the relay. Usually no question to anybody is needed. An id pins its key;
 * a name is what the relay said it was when it was first seen here.
 */
import { checkRecord } from "../access/principal.ts";
import { isName } from "../config/endpoint_name.ts";
import type { Home } from "../config/home.ts";
import { findKnown, rememberEndpoints } from "../config/known.ts";
import { nearest } from "../config/nearest.ts";
import { GcError } from "../errors.ts";
import { foldersIn } from "../host/folder.ts";
import { readPrivate } from "../host/private_file.ts";
import type { KeyRecord } from "../schema/envelope.ts";
import type { EndpointRow } from "../schema/relay_message.ts";
import { fits } from "../schema/validate.ts";
import type { Client } from "./client.ts";

/** An endpoint that tasks can be sealed to. */
export interface FoundEndpoint {
  readonly name: string;
  readonly record: KeyRecord;
  /** Its folder is in this home, so it can be started from here. */
  readonly own: boolean;
}

/** Where to look. */
export interface Lookup {
  readonly home: Home;
  readonly context: string;
  readonly client: Client;
}

/**
 * The endpoint that `said` means. Waits for the relay only when nothing on this machine knows it.
 * @throws GcError missing `endpoint.unknown`, data `endpoint.ambiguous`.
 */
export async function lookupEndpoint(said: string, { home, context, client }: Lookup): Promise<FoundEndpoint> {
  const here = ownEndpoint(home, said) ?? knownEndpoint(home, context, said) ?? ownById(home, said);
  if (here !== undefined) return here;
  const rows = await atRelay(client, said);
  const named = rows.filter((row) => row.name === said);
  const fit = named.length > 0 ? named : rows.filter((row) => row.record.id.startsWith(said.toLowerCase()));
  if (fit.length > 1) throw ambiguous(said, fit);
  const [found] = fit;
  if (found === undefined) throw unknown(said, rows);
  const record = checkRecord(found.record);
  rememberEndpoints(home, context, [{ name: found.name, record }]);
  return { name: found.name, record, own: false };
}

/** The endpoint whose folder in this home has this very name; undefined when there is none, or it has no keys yet. */
export function ownEndpoint(home: Home, name: string): FoundEndpoint | undefined {
  if (!isName(name)) return undefined;
  const bytes = readPrivate(home.endpoint(name).key);
  if (bytes === undefined) return undefined;
  let file: unknown;
  try {
    file = JSON.parse(Buffer.from(bytes).toString());
  } catch {
    return undefined;
  }
  return fits("endpoint_key", file) ? { name, record: checkRecord(file.identity.record), own: true } : undefined;
}

function knownEndpoint(home: Home, context: string, said: string): FoundEndpoint | undefined {
  const known = findKnown(home, context, said);
  return known === undefined ? undefined : { name: known.name, record: known.record, own: false };
}

function ownById(home: Home, said: string): FoundEndpoint | undefined {
  const wanted = said.toLowerCase();
  if (!/^[0-9a-f][0-9a-f-]{3,35}$/.test(wanted)) return undefined;
  const own = foldersIn(home.endpoints).flatMap((name) => ownEndpoint(home, name) ?? []);
  const fit = own.filter((each) => each.record.id.startsWith(wanted));
  if (fit.length > 1) throw ambiguous(said, fit);
  return fit[0];
}

/** What the relay knows: those whose id or name begins so, else all, so that the error can name what is near. */
async function atRelay(client: Client, said: string): Promise<EndpointRow[]> {
  const rows = await client.endpoints({ prefix: said.slice(0, 64) });
  const fit = rows.some((row) => row.name === said || row.record.id.startsWith(said.toLowerCase()));
  return fit ? rows : client.endpoints();
}

function ambiguous(said: string, fit: readonly { name: string; record: KeyRecord }[]): GcError {
  const list = fit.slice(0, 5).map((each) => `${each.record.id} (${each.name})`);
  const more = fit.length > 5 ? `, and ${fit.length - 5} more` : "";
  const message = `${JSON.stringify(said)} may be any of ${fit.length} endpoints: ${list.join(", ")}${more}`;
  return new GcError("data", "endpoint.ambiguous", message, { hint: "use the whole id" });
}

function unknown(said: string, rows: readonly EndpointRow[]): GcError {
  const names = rows.map((row) => row.name);
  const meant = nearest(said, names);
  const guess = meant === undefined ? "" : `; did you mean ${JSON.stringify(meant)}?`;
  return new GcError("missing", "endpoint.unknown", `There is no endpoint ${JSON.stringify(said)}${guess}`, {
    hint: names.length === 0 ? "gc endpoint configure NAME && gc endpoint start --detach NAME" : "gc endpoint list",
  });
}
