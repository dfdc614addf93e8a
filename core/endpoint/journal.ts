/**
 * The journal of an endpoint on disk: a ledger of frames, one per record. Here a result is made durable. When most of
 * the file is history it is written anew with what is still of use.
 */
import { join } from "node:path";
import { assert } from "../assert.ts";
import type { Arrival } from "../engine/held_envelope.ts";
import { GcError, messageOf } from "../errors.ts";
import { makePrivateDir } from "../host/files.ts";
import { openLedger } from "../host/ledger.ts";
import { crashPoint } from "../planted.ts";
import type { Result } from "../schema/result.ts";
import type { EnvelopeId } from "../task/id.ts";
import { decodeFrame, encodeFrame, type Frameable } from "../wire/codec.ts";
import { type JournalRecord, mustBeDurable, reallyWritten } from "./journal_record.ts";
import type { EndpointMemory } from "./memory.ts";

/** A journal below this size is never written anew. */
const compactAbove_bytes = 32 * 1024 * 1024;

export interface Journal {
  /** Hands out all records, oldest first; `open` opens a task envelope again. */
  replay(
    open: (envelope: Uint8Array) => Arrival | Promise<Arrival>,
    visit: (record: JournalRecord) => void,
  ): Promise<void>;
  /** Writes records; returns once those that must be durable are. @throws GcError `file.no_space` or `file.failed`. */
  keep(records: readonly JournalRecord[]): void;
  /** Whether it is time to `compact`. */
  readonly overgrown: boolean;
  /** Writes the file anew, without what `memory` has let go of. */
  compact(memory: EndpointMemory): void;
  /** The raw task envelopes with these ids. */
  envelopes(ids: ReadonlySet<EnvelopeId>): Map<EnvelopeId, Uint8Array>;
  /** Results that were written down, by envelope and index. */
  results(of: ReadonlyMap<EnvelopeId, readonly number[]>): Map<EnvelopeId, Map<number, Result>>;
  close(): void;
}

/**
 * Opens the journal in folder `dir`.
 * @throws GcError `ledger.damaged` when what was once safe cannot be read any more.
 */
export function openJournal(dir: string): Journal {
  makePrivateDir(dir);
  const ledger = openLedger(join(dir, "journal.log"));
  let compactAt = Math.max(compactAbove_bytes, ledger.bytes() * 2);

  const scan = (visit: (record: Frameable) => void): void => ledger.replay((bytes) => visit(readRecord(bytes)));

  return {
    async replay(open, visit) {
      const records: Frameable[] = [];
      scan((record) => records.push(record));
      for (const record of records) {
        if (record.t !== "accepted") {
          visit(record as unknown as JournalRecord);
          continue;
        }
        const [bytes] = record.bytes ?? [];
        assert(bytes !== undefined, "an accepted record carries its envelope");
        const arrival = await open(bytes);
        visit({ ...(record as unknown as Extract<JournalRecord, { t: "accepted" }>), arrival });
      }
    },
    keep(records) {
      let durable = false;
      for (const record of records) {
        if (!reallyWritten(record)) continue;
        ledger.append(writeRecord(record));
        durable ||= mustBeDurable(record);
      }
      if (!durable) return;
      const kinds = new Set(records.map((record) => record.t));
      if (kinds.has("accepted")) crashPoint("endpoint.before_accept");
      if (kinds.has("leased")) crashPoint("endpoint.before_lease");
      if (kinds.has("finished")) crashPoint("endpoint.before_result");
      if (kinds.has("receipted")) crashPoint("endpoint.before_receipt");
      ledger.sync();
      if (kinds.has("accepted")) crashPoint("endpoint.after_accept");
      if (kinds.has("leased")) crashPoint("endpoint.after_lease");
      if (kinds.has("finished")) crashPoint("endpoint.after_result");
      if (kinds.has("receipted")) crashPoint("endpoint.after_receipt");
    },
    get overgrown() {
      return ledger.bytes() > compactAt;
    },
    compact(memory) {
      ledger.sync();
      const kept: Uint8Array[] = [];
      ledger.replay((bytes) => {
        if (ofUse(aboutOf(bytes), memory)) kept.push(bytes.slice());
      });
      ledger.replaceWith(kept);
      compactAt = Math.max(compactAbove_bytes, ledger.bytes() * 2);
    },
    envelopes(ids) {
      const found = new Map<EnvelopeId, Uint8Array>();
      scan((record) => {
        const [bytes] = record.bytes ?? [];
        if (record.t !== "accepted" || bytes === undefined) return;
        const id = (record as unknown as { re: EnvelopeId }).re;
        if (ids.has(id)) found.set(id, bytes.slice());
      });
      return found;
    },
    results(of) {
      const found = new Map<EnvelopeId, Map<number, Result>>();
      ledger.sync();
      scan((record) => {
        if (record.t !== "finished") return;
        const { re, indices, results } = record as unknown as Extract<JournalRecord, { t: "finished" }>;
        const wanted = of.get(re);
        if (wanted === undefined) return;
        const map = found.get(re) ?? new Map<number, Result>();
        found.set(re, map);
        indices.forEach((index, k) => {
          const result = results[k];
          if (result !== undefined && wanted.includes(index) && !map.has(index)) map.set(index, result);
        });
      });
      return found;
    },
    close() {
      ledger.sync();
      ledger.close();
    },
  };
}

function writeRecord(record: JournalRecord): Uint8Array {
  if (record.t !== "accepted") return encodeFrame([record as unknown as Frameable]);
  const { arrival, t, ...written } = record;
  return encodeFrame([{ t, re: arrival.header.id, ...written } as unknown as Frameable]);
}

/** How records of one envelope begin. They are nearly all there is, and the rest of them is long. */
const ofEnvelope =
  /^\[\{"t":"(accepted|leased|finished|requeued|reported|receipted)",(?:"worker":"[^"\\]*",)?"re":"([^"\\]*)"/;
const beginningBytes = 160;

/** What a record is and whom it is about; read from its first bytes where they tell. */
function aboutOf(bytes: Uint8Array): Frameable {
  const beginning = Buffer.from(bytes.buffer, bytes.byteOffset + 4, Math.min(beginningBytes, bytes.byteLength - 4));
  const [, t, re] = ofEnvelope.exec(beginning.toString("latin1")) ?? [];
  return t === undefined || re === undefined ? readRecord(bytes) : ({ t, re } as Frameable);
}

function readRecord(bytes: Uint8Array): Frameable {
  try {
    const [record] = decodeFrame(bytes);
    assert(record !== undefined, "a journal frame holds one record");
    return record;
  } catch (cause) {
    throw new GcError("io", "journal.unreadable", `A record of the journal cannot be read: ${messageOf(cause)}`, {
      cause,
    });
  }
}

/** Whether a record still says something about what the endpoint holds or remembers. */
function ofUse(record: Frameable, memory: EndpointMemory): boolean {
  const { re, worker, block } = record as unknown as { re?: EnvelopeId; worker?: string; block?: string };
  switch (record.t) {
    case "gone":
      return re !== undefined && memory.tombstones.has(re);
    case "epoch":
    case "paused":
    case "resumed":
    case "scaled":
      return true;
    case "block_planned":
    case "block_submitted":
    case "block_over":
      return block !== undefined && memory.blocks.has(block);
    case "worker_made":
    case "worker_buried":
      return worker !== undefined && memory.workers.has(worker);
    case "cancelled":
      return re !== undefined && (memory.held.has(re) || memory.earlyCancels.has(re));
    default:
      return re !== undefined && memory.held.has(re);
  }
}
