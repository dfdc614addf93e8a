/**
 * The order that makes an acknowledgement true (reliability-security.md §3.2): its record was written to the file that
 * it is about, that file was synced, and only then did the acknowledgement leave.
 */

import { type EnvelopeId, taskId } from "../../core/task/id.ts";
import { decodeFrame, type Frameable } from "../../core/wire/codec.ts";
import type { Event } from "./trace.ts";

export interface Checked {
  /** Acknowledged items by kind of acknowledgement. */
  counts: { [kind: string]: number };
  violations: string[];
}

type Written = (key: string) => void;

/** D2 `submitted`, D8 `stored`: the id of the envelope is in the write-ahead log. */
export function checkRelay(events: readonly Event[]): Checked {
  const isLog = (path: string): boolean => path.endsWith("/relay.db-wal");
  const pages: Buffer[] = [];
  return check(events, isLog, {
    written: (bytes) => void pages.push(bytes),
    synced: () => {
      const synced = Buffer.concat(pages.splice(0));
      return (key) => synced.includes(Buffer.from(key.replaceAll("-", ""), "hex"));
    },
    acknowledged: (message) => {
      if (message.t !== "submitted" && message.t !== "stored") return [];
      return (message as unknown as { ids: string[] }).ids;
    },
  });
}

/** D3 accept, D4 `run`, D7 `result_ack`: the record is in the journal. */
export function checkEndpoint(events: readonly Event[]): Checked {
  return check(events, (path) => path.endsWith("/journal.log"), {
    ...ledgerOf((record, written) => {
      for (const message of decodeFrame(record)) {
        const {
          re,
          indices = [],
          attempts = [],
        } = message as unknown as {
          re: EnvelopeId;
          indices?: number[];
          attempts?: number[];
        };
        if (message.t === "accepted") written(`accepted ${re}`);
        for (const [at, index] of indices.entries()) {
          if (message.t === "leased") written(`leased ${taskId(re, index)} ${attempts[at]}`);
          if (message.t === "finished") written(`finished ${taskId(re, index)}`);
        }
      }
    }),
    acknowledged: (message) => {
      if (message.t === "mail_ack") {
        const texts = (message.bytes ?? []).map((bytes) => Buffer.from(bytes).toString("latin1"));
        const accepts = texts.filter((text) => text.includes('"kind":"accept"'));
        return accepts.map((text) => `accepted ${/"re":"([^"]+)"/.exec(text)?.[1]}`);
      }
      if (message.t === "run") {
        const { lots } = message as unknown as { lots: { tasks: { tid: string; attempt: number }[] }[] };
        return lots.flatMap((lot) => lot.tasks.map(({ tid, attempt }) => `leased ${tid} ${attempt}`));
      }
      if (message.t !== "result_ack") return [];
      return (message as unknown as { done: { tid: string }[] }).done.map(({ tid }) => `finished ${tid}`);
    },
  });
}

/** D6 `report` of a result: it is in the spool. */
export function checkWorker(events: readonly Event[]): Checked {
  return check(events, (path) => path.endsWith("/spool.log"), {
    ...ledgerOf((record, written) => {
      const { f = [] } = JSON.parse(Buffer.from(record).toString()) as { f?: { tid: string; attempt: number }[] };
      for (const { tid, attempt } of f) written(`${tid} ${attempt}`);
    }),
    acknowledged: (message) => {
      if (message.t !== "report") return [];
      const { finished } = message as unknown as { finished: { tid: string; attempt: number }[] };
      return finished.map(({ tid, attempt }) => `${tid} ${attempt}`);
    },
  });
}

interface Rules {
  written(bytes: Buffer): void;
  /** All that was written so far is safe; returns how to find out whether something was in it. */
  synced(): (key: string) => boolean;
  /** Keys of what a message acknowledges. */
  acknowledged(message: Frameable): string[];
}

function check(events: readonly Event[], isTheFile: (path: string) => boolean, rules: Rules): Checked {
  const checked: Checked = { counts: {}, violations: [] };
  const safe: ((key: string) => boolean)[] = [];
  for (const event of events) {
    if (event.t === "write" && isTheFile(event.path)) rules.written(event.bytes);
    if (event.t === "sync" && isTheFile(event.path)) safe.push(rules.synced());
    if (event.t !== "sent") continue;
    for (const key of rules.acknowledged(event.message)) {
      checked.counts[event.message.t] = (checked.counts[event.message.t] ?? 0) + 1;
      if (!safe.some((had) => had(key))) checked.violations.push(`${event.message.t} of ${key} before its sync`);
    }
  }
  return checked;
}

/** The rules for a ledger (core/host/ledger.ts): every write is a row of records, the first perhaps a mark. */
function ledgerOf(read: (record: Uint8Array, written: Written) => void): Pick<Rules, "written" | "synced"> {
  let keys = new Set<string>();
  return {
    written: (bytes) => {
      for (let at = 0; at + 8 <= bytes.byteLength; ) {
        const length = bytes.readUInt32LE(at);
        const end = length === 0xffffffff ? at + 24 : at + 8 + length;
        if (length !== 0xffffffff) read(bytes.subarray(at + 8, end), (key) => keys.add(key));
        at = end;
      }
    },
    synced: () => {
      const safe = keys;
      keys = new Set();
      return (key) => safe.has(key);
    },
  };
}
