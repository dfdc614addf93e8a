/** A world in which time passes only when told to, and a socket made of plain numbers. */
import type { Clock } from "../../core/host/host.ts";
import type { Socket } from "../../core/host/websocket.ts";

/** A clock whose timers fire in `pass`. */
export class StillClock implements Clock {
  #now_ms = 1_000_000;
  #timers: { at_ms: number; fire: () => void }[] = [];
  /** Timers that fired. */
  wakes = 0;

  now(): number {
    return this.#now_ms;
  }

  monotonic(): number {
    return this.#now_ms;
  }

  after(delay_ms: number, fire: () => void): () => void {
    const timer = { at_ms: this.#now_ms + delay_ms, fire };
    this.#timers.push(timer);
    return () => {
      this.#timers = this.#timers.filter((each) => each !== timer);
    };
  }

  /** How many timers are armed. */
  get armed(): number {
    return this.#timers.length;
  }

  /** Lets time pass, with the microtasks of every moment. */
  async pass(ms: number): Promise<void> {
    const until_ms = this.#now_ms + ms;
    await microtasks();
    for (;;) {
      const next = this.#timers.toSorted((a, b) => a.at_ms - b.at_ms)[0];
      if (next === undefined || next.at_ms > until_ms) break;
      this.#timers = this.#timers.filter((each) => each !== next);
      this.#now_ms = next.at_ms;
      this.wakes += 1;
      next.fire();
      await microtasks();
    }
    this.#now_ms = until_ms;
  }
}

/** Lets everything that was queued as a microtask happen. */
export async function microtasks(): Promise<void> {
  for (let at = 0; at < 20; at++) await Promise.resolve();
}

/** A socket that takes everything and, while `stuck`, passes nothing on. */
export class StillSocket implements Socket {
  readonly sent: Uint8Array[] = [];
  waiting = 0;
  stuck = false;
  state: "open" | "closing" | "gone" = "open";

  send(message: Uint8Array<ArrayBuffer>): boolean {
    if (this.state !== "open") return false;
    this.sent.push(message);
    if (this.stuck) this.waiting += message.byteLength;
    return true;
  }

  buffered(): number {
    return this.waiting;
  }

  close(): void {
    this.state = "closing";
  }

  terminate(): void {
    this.state = "gone";
  }
}
