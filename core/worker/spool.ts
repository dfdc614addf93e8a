/**
 * Where a worker makes its results durable: one ledger in its directory. It holds a marker for every start and every
 * result until the endpoint acknowledged it; whoever buries the worker reads from it what ran and what ended.
 *
 * Markers are handed to the operating system before the start, so that a task that kills its worker is known; they
 * wait for the disk only when the task may be started once at most. Results always wait for the disk before they are
 * told.
 */

import { join } from "node:path";
import { type Ledger, openLedger, readLedger } from "../host/ledger.ts";
import { crashPoint } from "../planted.ts";
import { carriedBytes } from "../task/result_size.ts";
import type { AttemptKey, FinishedAttempt } from "./attempt.ts";
import { keyOf } from "./attempt.ts";
import type { WorkerRecord } from "./decision.ts";

/** What the spool of a worker says. */
export interface SpoolContent {
  /** Attempts that were started and of which no result is known. */
  started: { tid: string; attempt: number }[];
  finished: FinishedAttempt[];
}

/** Rewritten when it is larger than this and mostly holds what was acknowledged. */
const compactAbove = 4 * 1024 * 1024;

const slowFrom_ms = 4;

const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** The path of the spool in the directory of a worker. */
export function spoolPath(dir: string): string {
  return join(dir, "spool.log");
}

/**
 * Reads the spool of a worker that is not running (any more); no spool is an empty one.
 * @throws GcError `ledger.damaged`.
 */
export function readSpool(dir: string): SpoolContent {
  const reader = new SpoolReader();
  readLedger(spoolPath(dir), (record) => reader.read(record));
  return reader.content();
}

/** The spool of this worker. */
export class Spool {
  readonly #ledger: Ledger;
  readonly #monotonic: () => number;
  #works = true;
  /** Results as they were written, for as long as somebody has the very list: they are told in the same words. */
  readonly #texts = new WeakMap<readonly FinishedAttempt[], string>();
  /** How long the disk takes, smoothed. */
  #typical_ms = 0;

  constructor(dir: string, monotonic: () => number) {
    this.#ledger = openLedger(spoolPath(dir));
    this.#monotonic = monotonic;
  }

  /**
   * Whether the disk answers so soon that standing still for it costs less than a thread that waits (0.1 ms on a local
   * disk, 5 to 20 on a file server).
   */
  get fast(): boolean {
    return this.#typical_ms < slowFrom_ms;
  }

  /** Whether the last attempt to store something succeeded. */
  get works(): boolean {
    return this.#works;
  }

  /** What is in it from an earlier life of this worker. */
  content(): SpoolContent {
    const reader = new SpoolReader();
    this.#ledger.replay((record) => reader.read(record));
    return reader.content();
  }

  /**
   * Takes in records and hands them to the operating system; waits for the disk if a start asks for it. Results are
   * waited for before they are told (`sync`, `syncLater`). Never throws: returns why it could not.
   */
  keep(records: readonly WorkerRecord[]): Error | undefined {
    let sync = false;
    let starts: { tid: string; attempt: number }[] = [];
    const flushStarts = (): void => {
      if (starts.length > 0) this.#ledger.append(encoder.encode(JSON.stringify({ s: starts })));
      starts = [];
    };
    for (const record of records) {
      if (record.t === "started") {
        starts.push({ tid: record.tid, attempt: record.attempt });
        sync ||= record.sync;
        continue;
      }
      flushStarts();
      const text = JSON.stringify(record.finished);
      this.#texts.set(record.finished, text);
      this.#ledger.append(encoder.encode(`{"f":${text}}`));
    }
    flushStarts();
    return sync ? this.sync() : this.#try(() => this.#ledger.write());
  }

  /** JSON of a list of results. */
  textOf(finished: readonly FinishedAttempt[]): string {
    return this.#texts.get(finished) ?? JSON.stringify(finished);
  }

  /**
   * Waits until all is on stable storage. Returns why it is not, or undefined. What is there already costs nothing.
   */
  sync(): Error | undefined {
    crashPoint("worker.before_store");
    const began_ms = this.#monotonic();
    const error = this.#try(() => this.#ledger.sync());
    this.#took(this.#monotonic() - began_ms);
    crashPoint("worker.after_store");
    return error;
  }

  /** Like `sync`, but without waiting: `done` is called later, with why it is not stored if it is not. */
  syncLater(done: (error?: Error) => void): void {
    const began_ms = this.#monotonic();
    this.#ledger.syncLater((error) => {
      this.#took(this.#monotonic() - began_ms);
      this.#works = error === undefined;
      done(error);
    });
  }

  /**
   * Rewrites the file once it has grown, with what is still needed: what runs, and results without acknowledgement.
   */
  compactIfLarge(running: () => { tid: string; attempt: number }[], finished: () => FinishedAttempt[]): void {
    if (this.#ledger.bytes() < compactAbove || !this.#works) return;
    const kept = finished();
    const keptBytes = kept.reduce((sum, { result }) => sum + 600 + carriedBytes(result), 0);
    if (keptBytes * 2 > this.#ledger.bytes()) return;
    const records = kept.map((item) => encoder.encode(JSON.stringify({ f: [item] })));
    const starts = running();
    if (starts.length > 0) records.push(encoder.encode(JSON.stringify({ s: starts })));
    this.#try(() => this.#ledger.replaceWith(records));
  }

  close(): void {
    this.#ledger.close();
  }

  #took(duration_ms: number): void {
    this.#typical_ms += (duration_ms - this.#typical_ms) / 8;
  }

  #try(act: () => void): Error | undefined {
    try {
      act();
      this.#works = true;
      return undefined;
    } catch (error) {
      this.#works = false;
      return error instanceof Error ? error : new Error(String(error));
    }
  }
}

class SpoolReader {
  readonly #started = new Map<AttemptKey, { tid: string; attempt: number }>();
  readonly #finished = new Map<AttemptKey, FinishedAttempt>();

  read(record: Uint8Array): void {
    const value = JSON.parse(decoder.decode(record)) as {
      s?: { tid: string; attempt: number }[];
      f?: FinishedAttempt[];
    };
    for (const item of value.s ?? []) this.#started.set(keyOf(item.tid, item.attempt), item);
    for (const item of value.f ?? []) this.#finished.set(keyOf(item.tid, item.attempt), item);
  }

  content(): SpoolContent {
    for (const key of this.#finished.keys()) this.#started.delete(key);
    return { started: [...this.#started.values()], finished: [...this.#finished.values()] };
  }
}
