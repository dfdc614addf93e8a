/**
 * The client's files. A task envelope is on stable storage in `outbox/` before it is sent for the first time; one that
 * nobody is told of, when it is promised, or when the relay has it. It moves to `sent/` when its endpoint has signed
 * for it; there it stays for 14 days, so that `gc ps`, `gc retry` and `last` know what it was. The relay's word that it
 * has stored an envelope is noted in the file's name: losing that note only costs a resend.
 *
 *     outbox/ID.task               not confirmed by the relay
 *     outbox/ID.EPOCH.task         stored by the relay of that epoch, not accepted yet
 *     sent/ID.task                 accepted, or refused for ever: then sent/ID.refused says why
 *     sent/last                    id of the newest
 */
import * as fs from "node:fs";
import { digestOf } from "../envelope/envelope.ts";
import { GcError } from "../errors.ts";
import {
  isAbsent,
  makePrivateDir,
  readIfThere,
  readJsonIfThere,
  removeIfThere,
  syncDir,
  syncFile,
  writeDurable,
  writeWhole,
} from "../host/files.ts";
import { dirname, join } from "../host/path.ts";
import { timeToLive_ms } from "../limits.ts";
import { crashPoint } from "../planted.ts";
import type { ParcelHead } from "../schema/outbox.ts";
import type { WireError } from "../schema/session_message.ts";
import { type EnvelopeId, isId } from "../task/id.ts";
import type { ClientRecord } from "./event.ts";
import { headBytesMax, type Parcel, packParcel, unpackHead, unpackParcel } from "./parcel.ts";

/** What `client.ts` needs of a place that keeps parcels. The simulation has one in memory. */
export interface ParcelStore {
  /** Keeps a parcel; when this returns, a power cut cannot undo it if it is `promised`, nor a kill if it has a key. */
  put(parcel: Parcel, promised: boolean): void;
  /** Promises a parcel that was put without: when this returns, a power cut cannot undo it. */
  promised(id: EnvelopeId): void;
  stored(id: EnvelopeId, epoch: string): void;
  accepted(id: EnvelopeId): void;
  refused(id: EnvelopeId, error: WireError): void;
  withdrawn(id: EnvelopeId): void;
  /** The signed bytes, to be sent (again). Undefined when they are gone. @throws GcError when they are damaged. */
  envelope(id: EnvelopeId): Uint8Array | undefined;
  /** Parcels that no endpoint has accepted yet. */
  waiting(): { head: ParcelHead; epoch?: string }[];
}

/** Keeps what a turn of `state.ts` decided. */
export function keepRecords(store: ParcelStore, records: readonly ClientRecord[]): void {
  for (const record of records) {
    if (record.kind === "entry") store.put(record.parcel, record.promised);
    else if (record.kind === "promised") store.promised(record.id);
    else if (record.kind === "stored") store.stored(record.id, record.epoch);
    else if (record.kind === "accepted") store.accepted(record.id);
    else if (record.kind === "refused") store.refused(record.id, record.error);
    else store.withdrawn(record.id);
  }
}

/** One parcel as `ps` shows it. */
export interface Kept {
  head: ParcelHead;
  where: "outbox" | "sent";
  /** Why it was refused for ever. */
  refused?: WireError;
}

interface Place {
  path: string;
  where: "outbox" | "sent";
  id: EnvelopeId;
  epoch?: string;
}

const epochPattern = /^[A-Za-z0-9_-]{1,64}$/;

/** The outbox of one home folder. Several processes may use it at the same time. */
export class Outbox implements ParcelStore {
  private readonly outbox: string;
  private readonly sent: string;
  private readonly context: string;
  private readonly names = new Map<EnvelopeId, string>();
  /** Put by this process without a promise: parcels without a file, and ids of those whose file no fsync was for. */
  private readonly unwritten = new Map<EnvelopeId, Parcel>();
  private readonly unsynced = new Set<EnvelopeId>();

  /** @param context only parcels for this relay are waited for; others stay until it is their turn. */
  constructor(home: { outbox: string; sent: string }, context: string) {
    this.outbox = home.outbox;
    this.sent = home.sent;
    this.context = context;
  }

  put(parcel: Parcel, promised: boolean): void {
    const id = parcel.head.id as EnvelopeId;
    // One with a key is looked for by the program that made it when we died early: it is written before it is sent.
    if (!promised && parcel.head.key === undefined) return void this.unwritten.set(id, parcel);
    crashPoint("submit.before_outbox");
    this.write(this.outbox, `${id}.task`, parcel, promised);
    crashPoint("submit.after_outbox");
  }

  promised(id: EnvelopeId): void {
    const parcel = this.unwritten.get(id);
    if (parcel !== undefined) return this.write(this.outbox, `${id}.task`, parcel, true);
    if (!this.unsynced.delete(id)) return;
    const path = this.pathOf(id);
    if (path === undefined) return;
    syncFile(path);
    syncDir(dirname(path));
  }

  /** The endpoint works on it now: the moment to write what was not promised, since nothing else is due. */
  stored(id: EnvelopeId, epoch: string): void {
    if (!epochPattern.test(epoch)) return;
    const name = `${id}.${epoch}.task`;
    const parcel = this.unwritten.get(id);
    if (parcel !== undefined) return this.write(this.outbox, name, parcel, false);
    if (move(join(this.outbox, this.nameOf(id)), join(this.outbox, name))) this.names.set(id, name);
  }

  accepted(id: EnvelopeId): void {
    const name = `${id}.task`;
    const parcel = this.unwritten.get(id);
    if (parcel !== undefined) this.write(this.sent, name, parcel, false);
    else move(join(this.outbox, this.nameOf(id)), join(this.sent, name));
    this.names.delete(id);
  }

  refused(id: EnvelopeId, error: WireError): void {
    if (this.unwritten.has(id)) makePrivateDir(this.sent);
    fs.writeFileSync(join(this.sent, `${id}.refused`), JSON.stringify(error), { mode: 0o600 });
    this.accepted(id);
  }

  withdrawn(id: EnvelopeId): void {
    this.unwritten.delete(id);
    removeIfThere(join(this.outbox, this.nameOf(id)));
    this.names.delete(id);
  }

  envelope(id: EnvelopeId): Uint8Array | undefined {
    const parcel = this.find(id);
    return parcel !== undefined && digestOf(parcel.envelope) === parcel.head.digest ? parcel.envelope : undefined;
  }

  waiting(): { head: ParcelHead; epoch?: string }[] {
    const found: { head: ParcelHead; epoch?: string }[] = [];
    for (const place of placesIn(this.outbox, "outbox")) {
      const head = readHead(place.path);
      if (head === undefined || head.context !== this.context) continue;
      this.names.set(place.id, place.path.slice(this.outbox.length + 1));
      found.push(place.epoch === undefined ? { head } : { head, epoch: place.epoch });
    }
    return found;
  }

  /** The whole parcel, wherever it is; undefined when it was not made here or is too old. */
  find(id: EnvelopeId): Parcel | undefined {
    const unwritten = this.unwritten.get(id);
    if (unwritten !== undefined) return unwritten;
    const named = this.names.get(id);
    if (named !== undefined) {
      const path = join(this.outbox, named);
      const bytes = readIfThere(path);
      if (bytes !== undefined) return unpackParcel(bytes, path);
    }
    const place = this.places().find((each) => each.id === id);
    const bytes = place === undefined ? undefined : readIfThere(place.path);
    return place === undefined || bytes === undefined ? undefined : unpackParcel(bytes, place.path);
  }

  /** Ids of all parcels whose id begins with `prefix`, without opening them. */
  idsFrom(prefix: string): EnvelopeId[] {
    return this.places()
      .map((place) => place.id)
      .filter((id) => id.startsWith(prefix));
  }

  /** The head of one parcel. */
  head(id: EnvelopeId): Kept | undefined {
    const direct: Place = { path: join(this.sent, `${id}.task`), where: "sent", id };
    const kept = this.look(direct);
    if (kept !== undefined) return kept;
    const place = placesIn(this.outbox, "outbox").find((each) => each.id === id);
    return place === undefined ? undefined : this.look(place);
  }

  /** All parcels, newest first, `limit` at most. Files are looked at by age, and only as many opened as are
   * returned. */
  list(limit: number, group?: string): Kept[] {
    const dated = this.places().flatMap((place) => {
      const stat = fs.statSync(place.path, { throwIfNoEntry: false });
      return stat === undefined ? [] : [{ place, at: stat.mtimeMs }];
    });
    dated.sort((a, b) => b.at - a.at);
    const found: Kept[] = [];
    for (const { place } of dated) {
      if (found.length >= limit) break;
      const kept = this.look(place);
      if (kept !== undefined && (group === undefined || kept.head.group === group)) found.push(kept);
    }
    return found;
  }

  /** The newest envelope that was made here. */
  last(): EnvelopeId | undefined {
    const path = join(this.sent, "last");
    const text = Buffer.from(readIfThere(path) ?? [])
      .toString()
      .trim();
    const noted_ms = fs.statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? 0;
    // One that is on its way is noted only when its endpoint has it: no run waits for a note.
    const waiting = this.newest(placesIn(this.outbox, "outbox"));
    if (waiting !== undefined && waiting.at_ms > noted_ms) return waiting.id;
    if (isId(text)) return text as EnvelopeId;
    return this.newest(this.places())?.id;
  }

  private newest(places: readonly Place[]): { id: EnvelopeId; at_ms: number } | undefined {
    let newest: { id: EnvelopeId; at_ms: number } | undefined;
    for (const { id, path } of places) {
      const at_ms = fs.statSync(path, { throwIfNoEntry: false })?.mtimeMs;
      if (at_ms !== undefined && at_ms > (newest?.at_ms ?? 0)) newest = { id, at_ms };
    }
    return newest;
  }

  /** Removes what is older than 14 days; looks once a day at most. */
  sweep(now_ms: number): void {
    const mark = join(this.sent, ".swept");
    const before = fs.statSync(mark, { throwIfNoEntry: false })?.mtimeMs ?? 0;
    if (now_ms - before < 24 * 3600 * 1000 || !fs.existsSync(this.sent)) return;
    fs.writeFileSync(mark, "", { mode: 0o600 });
    for (const dir of [this.sent, this.outbox]) {
      for (const name of namesIn(dir)) {
        const path = join(dir, name);
        const stat = fs.statSync(path, { throwIfNoEntry: false });
        if (stat !== undefined && name !== "last" && now_ms - stat.mtimeMs > timeToLive_ms) removeIfThere(path);
      }
    }
  }

  private look(place: Place): Kept | undefined {
    const head = readHead(place.path);
    if (head === undefined) return undefined;
    const kept: Kept = { head, where: place.where };
    if (place.where === "outbox") return kept;
    const refused = readJsonIfThere(join(this.sent, `${place.id}.refused`));
    return refused === undefined ? kept : { ...kept, refused: refused as WireError };
  }

  private places(): Place[] {
    return [...placesIn(this.outbox, "outbox"), ...placesIn(this.sent, "sent")];
  }

  /** Writes a parcel's file and notes it as the newest; the folders are made when they are missing. */
  private write(folder: string, name: string, parcel: Parcel, lasting: boolean): void {
    const id = parcel.head.id as EnvelopeId;
    const replace = lasting ? writeDurable : writeWhole;
    const bytes = packParcel(parcel);
    try {
      replace(join(folder, name), bytes);
    } catch (error) {
      if (!(error instanceof GcError) || !isAbsent(error.cause)) throw error;
      makePrivateDir(this.outbox);
      makePrivateDir(this.sent);
      replace(join(folder, name), bytes);
    }
    this.unwritten.delete(id);
    if (!lasting) this.unsynced.add(id);
    if (folder === this.outbox) this.names.set(id, name);
    this.noteLast(id);
  }

  /** Where the file of a parcel is that this process put. */
  private pathOf(id: EnvelopeId): string | undefined {
    const name = this.names.get(id);
    const path = name === undefined ? join(this.sent, `${id}.task`) : join(this.outbox, name);
    return fs.existsSync(path) ? path : undefined;
  }

  private nameOf(id: EnvelopeId): string {
    return this.names.get(id) ?? `${id}.task`;
  }

  private noteLast(id: EnvelopeId): void {
    try {
      fs.writeFileSync(join(this.sent, "last"), id, { mode: 0o600 });
    } catch {
      // A convenience: without it `last` is found by the age of the files.
    }
  }
}

function placesIn(dir: string, where: "outbox" | "sent"): Place[] {
  return namesIn(dir).flatMap((name) => {
    const [id = "", epoch, ...rest] = name.endsWith(".task") ? name.slice(0, -5).split(".") : [];
    if (!isId(id) || rest.length > 0) return [];
    const place = { path: join(dir, name), where, id: id as EnvelopeId };
    return [epoch === undefined ? place : { ...place, epoch }];
  });
}

function namesIn(dir: string): string[] {
  try {
    return fs.readdirSync(dir);
  } catch (cause) {
    if (isAbsent(cause)) return [];
    throw cause;
  }
}

/** The head of a parcel's file; undefined when another process has just moved it, or it is damaged. */
function readHead(path: string): ParcelHead | undefined {
  let fd: number;
  try {
    fd = fs.openSync(path, "r");
  } catch {
    return undefined;
  }
  try {
    const bytes = new Uint8Array(headBytesMax);
    return unpackHead(bytes.subarray(0, fs.readSync(fd, bytes, 0, headBytesMax, 0)), path);
  } catch {
    return undefined;
  } finally {
    fs.closeSync(fd);
  }
}

/** Renames; false when there is nothing to rename (another process was quicker). */
function move(from: string, to: string): boolean {
  try {
    fs.renameSync(from, to);
    return true;
  } catch (cause) {
    if (isAbsent(cause)) return false;
    throw cause;
  }
}
