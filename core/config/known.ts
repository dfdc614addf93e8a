/**
 * Endpoints that this machine has seen, so that people can say a name where the wire wants an id, also while the relay
 * is away. A cache: it may be deleted at any time, and a damaged one counts as empty. It cannot be made to lie about
 * keys: a record proves its own id.
 */
import { checkRecord } from "../access/principal.ts";
import { GcError } from "../errors.ts";
import { makePrivateDir, readJsonIfThere, writeJson } from "../host/files.ts";
import type { KnownFile } from "../schema/config.ts";
import type { KeyRecord } from "../schema/envelope.ts";
import { fits } from "../schema/validate.ts";
import type { Home } from "./home.ts";

export type KnownEndpoint = KnownFile["endpoints"][number];

/** Entries kept; the longest unused go first. */
const entriesMax = 1000;

/** Every endpoint seen, newest first. */
export function readKnown(home: Home): KnownEndpoint[] {
  let file: unknown;
  try {
    file = readJsonIfThere(home.known);
  } catch {
    return [];
  }
  return fits("known", file) ? file.endpoints : [];
}

/** Remembers endpoints of `context`; an older entry with the same id at the same context is replaced. */
export function rememberEndpoints(home: Home, context: string, seen: { name: string; record: KeyRecord }[]): void {
  const fresh = seen.map(({ name, record }) => ({ name: name.slice(0, 64), context, record: checkRecord(record) }));
  const old = readKnown(home);
  const stays = old.filter((was) => {
    return was.context !== context || !fresh.some((is) => is.record.id === was.record.id);
  });
  const endpoints = [...fresh, ...stays].slice(0, entriesMax);
  if (JSON.stringify(endpoints) === JSON.stringify(old)) return;
  makePrivateDir(home.root);
  writeJson(home.known, { v: 1, endpoints });
}

/**
 * The known endpoint that a person means by its name, its id or the beginning of its id; undefined when none is known.
 * @throws GcError `endpoint.ambiguous` when several fit.
 */
export function findKnown(home: Home, context: string, said: string): KnownEndpoint | undefined {
  const here = readKnown(home).filter((entry) => entry.context === context);
  const wanted = said.toLowerCase();
  const named = here.filter((entry) => entry.name === said);
  const fit = named.length > 0 ? named : here.filter((entry) => wanted !== "" && entry.record.id.startsWith(wanted));
  if (fit.length > 1) {
    const ids = fit
      .slice(0, 3)
      .map((entry) => entry.record.id)
      .join(", ");
    throw new GcError(
      "data",
      "endpoint.ambiguous",
      `${JSON.stringify(said)} may be any of ${fit.length} endpoints: ${ids}`,
      {
        hint: "use the whole id",
      },
    );
  }
  const [found] = fit;
  return found === undefined ? undefined : { ...found, record: checkRecord(found.record) };
}
