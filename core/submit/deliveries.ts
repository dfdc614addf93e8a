/**
 * Results on their way to a reader, as an async sequence. What is handed out next says that the one before was taken
 * in, so the relay sends no faster than the reader reads.
 */
import type { EnvelopeId } from "../task/id.ts";
import type { FreshResults } from "./event.ts";

/** What one piece of news brought. Each result comes once per watch, whatever happens to connections. */
export interface Delivery {
  readonly batches: FreshResults[];
  /** Envelopes that no endpoint took before they expired. */
  readonly expired: EnvelopeId[];
}

export class Deliveries implements AsyncIterableIterator<Delivery> {
  private readonly queue: { delivery: Delivery; seq: number }[] = [];
  private reader: ((value: IteratorResult<Delivery>) => void) | undefined;
  private handedOut = 0;
  private ended = false;
  private readonly taken: (seq: number) => void;
  private readonly stopped: () => void;

  /** @param taken is told when everything up to a relay sequence number has been read. */
  constructor(taken: (seq: number) => void, stopped: () => void) {
    this.taken = taken;
    this.stopped = stopped;
  }

  push(seq: number, delivery: Delivery): void {
    if (this.ended) return;
    if (this.reader === undefined) {
      this.queue.push({ delivery, seq });
      return;
    }
    const reader = this.reader;
    this.reader = undefined;
    this.handedOut = seq;
    reader({ done: false, value: delivery });
  }

  /** What has arrived and was not read yet, without waiting; undefined when there is nothing. */
  poll(): Delivery | undefined {
    this.settle();
    const head = this.queue.shift();
    if (head === undefined) return undefined;
    this.handedOut = head.seq;
    return head.delivery;
  }

  /** The next delivery. One call at a time. */
  next(): Promise<IteratorResult<Delivery>> {
    const value = this.poll();
    if (value !== undefined) return Promise.resolve({ done: false, value });
    if (this.ended) return Promise.resolve({ done: true, value: undefined });
    return new Promise((resolve) => {
      this.reader = resolve;
    });
  }

  /** Ends the sequence: the reader is told, and the relay sends no more. */
  stop(): void {
    if (this.ended) return;
    this.ended = true;
    this.queue.length = 0;
    this.stopped();
    this.reader?.({ done: true, value: undefined });
    this.reader = undefined;
  }

  return(): Promise<IteratorResult<Delivery>> {
    this.settle();
    this.stop();
    return Promise.resolve({ done: true, value: undefined });
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  private settle(): void {
    if (this.handedOut === 0) return;
    this.taken(this.handedOut);
    this.handedOut = 0;
  }
}
