/**
 * Who may knock. Before a connection has proved who it is, it costs memory and a descriptor, so there is a bound on
 * those, in all and from one address; and an address that fails to prove anything again and again waits, as with
 * OpenSSH's PerSourcePenalties (reliability-security.md §2.12): 5 s for each failure, felt above 15 s, at most 10 min.
 * Pure; times are of a monotonic clock.
 */

/** Connections that have not proved themselves, in all; one such may make us hold a frame of 16 MiB. */
export const unprovedMax = 256;
/** … and from one address; a login node with many users behind one address must still get through. */
export const unprovedPerSourceMax = 32;
const penalty_ms = 5_000;
const penaltyFelt_ms = 15_000;
const penaltyMax_ms = 600_000;
/** Addresses remembered at most; the oldest is forgotten. */
const sourcesMax = 65_536;

interface Source {
  unproved: number;
  /** The penalty is over then. */
  until_ms: number;
}

/** The door of one listener. `source` undefined: a Unix socket, whose directory is the guard; only the total counts. */
export class Door {
  #unproved = 0;
  readonly #sources = new Map<string, Source>();

  /** How many addresses it remembers. */
  get remembered(): number {
    return this.#sources.size;
  }

  /** Seconds to wait, or undefined: come in, and end with `proved`, `failed` or `left`. */
  knock(source: string | undefined, now_ms: number): number | undefined {
    if (this.#unproved >= unprovedMax) return 1;
    if (source !== undefined) {
      const known = this.#sources.get(source) ?? { unproved: 0, until_ms: 0 };
      if (known.until_ms - now_ms > penaltyFelt_ms) return (known.until_ms - now_ms - penaltyFelt_ms) / 1000;
      if (known.unproved >= unprovedPerSourceMax) return 1;
      known.unproved += 1;
      this.#remember(source, known);
    }
    this.#unproved += 1;
    return undefined;
  }

  /** It proved itself. */
  proved(source: string | undefined): void {
    this.left(source);
  }

  /** It gave a wrong proof, or none in time. */
  failed(source: string | undefined, now_ms: number): void {
    this.left(source);
    if (source === undefined) return;
    const known = this.#sources.get(source) ?? { unproved: 0, until_ms: 0 };
    known.until_ms = Math.min(now_ms + penaltyMax_ms, Math.max(now_ms, known.until_ms) + penalty_ms);
    this.#remember(source, known);
  }

  /** It went away by itself before it proved anything. */
  left(source: string | undefined): void {
    this.#unproved -= 1;
    if (source === undefined) return;
    const known = this.#sources.get(source);
    if (known === undefined) return;
    known.unproved -= 1;
    if (known.unproved <= 0 && known.until_ms === 0) this.#sources.delete(source);
  }

  #remember(source: string, known: Source): void {
    this.#sources.delete(source);
    this.#sources.set(source, known);
    if (this.#sources.size <= sourcesMax) return;
    for (const [name, oldest] of this.#sources) {
      if (oldest.unproved > 0) continue;
      this.#sources.delete(name);
      return;
    }
  }
}
