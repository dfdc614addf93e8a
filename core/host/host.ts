/**
 * The world as an argument. Nothing outside this folder reads the clock, makes randomness, starts a process or opens a
 * socket; so a whole cluster of clients, relay, endpoints and workers can run inside one seeded test.
 */

/** Wall clock and monotonic clock, both in milliseconds, and timers. */
export interface Clock {
  /** Milliseconds since 1970; may jump. For time-outs of days and for people. */
  now(): number;
  /** Milliseconds since some start; never jumps. For leases and every wait. */
  monotonic(): number;
  /** Calls `fire` once after `delay_ms`; the returned function cancels it. */
  after(delay_ms: number, fire: () => void): () => void;
}

/** Randomness. */
export interface Random {
  /** `count` unpredictable bytes. */
  bytes(count: number): Uint8Array;
  /** A number in [0, 1), for jitter. */
  uniform(): number;
}

/** One line of a daemon's log. `fields` never hold secrets or bytes of tasks. */
export interface Log {
  debug(event: string, fields?: LogFields): void;
  info(event: string, fields?: LogFields): void;
  warn(event: string, fields?: LogFields): void;
  error(event: string, fields?: LogFields): void;
}

export type LogFields = { [key: string]: string | number | boolean | null | undefined };

/** What every living part is given. */
export interface Host {
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  /** The environment of this process, read once. */
  readonly env: { readonly [name: string]: string | undefined };
  /** Name of this machine. */
  readonly hostname: string;
}
