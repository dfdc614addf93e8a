/**
 * What each watch has seen. The relay may send a result again (after a reconnection, after its store was restored); the
 * first copy of a result is the result, later ones are dropped here. A part of `state.ts`; pure.
 */
import type { EnvelopeId, PrincipalId } from "../task/id.ts";
import type { FreshResults, ResultNews, Watched } from "./event.ts";

/** Which tasks of an envelope have a result: one bit each, grown as needed. */
class Indices {
  private bits = new Uint32Array(1);
  private size = 0;

  /** Adds `index`; false when it was there. */
  add(index: number): boolean {
    const word = index >>> 5;
    if (word >= this.bits.length) {
      const grown = new Uint32Array(Math.max(word + 1, this.bits.length * 2));
      grown.set(this.bits);
      this.bits = grown;
    }
    const mask = 1 << (index & 31);
    const before = this.bits[word] ?? 0;
    if ((before & mask) !== 0) return false;
    this.bits[word] = before | mask;
    this.size++;
    return true;
  }

  count(): number {
    return this.size;
  }
}

export interface WatchState {
  readonly watched: Watched;
  /** Relay sequence number up to which the reader has taken everything in. */
  taken: number;
  /** Highest sequence number that was passed on to the reader. */
  passed: number;
  /** Envelope → tasks seen; `"all"` once every task of it has been. */
  readonly seen: Map<EnvelopeId, Indices | "all">;
}

export class Watches {
  readonly open = new Map<number, WatchState>();

  add(watch: number, watched: Watched, after: number): WatchState {
    const state: WatchState = { watched, taken: after, passed: after, seen: new Map() };
    this.open.set(watch, state);
    return state;
  }

  /** Its reader has dealt with everything up to `seq`. Returns whether that is news. */
  take(watch: number, seq: number): boolean {
    const state = this.open.get(watch);
    if (state === undefined || seq <= state.taken) return false;
    state.taken = seq;
    return true;
  }

  /** The relay counts anew (its store was lost or restored): ask for everything, what was seen stays seen. */
  restart(): void {
    for (const state of this.open.values()) if (state.taken !== allPassed) state.taken = state.passed = 0;
  }

  /**
   * The part of `news` that `watch` has not seen.
   * @param endpointOf where we sent an envelope; results of any other endpoint are not results and are dropped.
   * @param countOf how many tasks an envelope has, where known.
   */
  fresh(
    watch: WatchState,
    news: ResultNews,
    endpointOf: PrincipalId | undefined,
    countOf: number | undefined,
  ): FreshResults | undefined {
    if (endpointOf !== undefined && endpointOf !== news.from) return undefined;
    let seen = watch.seen.get(news.id);
    if (seen === "all") return undefined;
    if (seen === undefined) {
      seen = new Indices();
      watch.seen.set(news.id, seen);
    }
    const known = seen;
    const kept: number[] = [];
    news.indices.forEach((index, place) => {
      if ((countOf === undefined || index < countOf) && known.add(index)) kept.push(place);
    });
    if (countOf !== undefined && known.count() >= countOf) watch.seen.set(news.id, "all");
    if (kept.length === 0) return undefined;
    const pinned = endpointOf !== undefined;
    if (kept.length === news.indices.length) return { ...news, pinned };
    const pick = <T>(list: readonly T[]): T[] => kept.map((place) => list[place] as T);
    const fresh: FreshResults = { ...news, pinned, indices: pick(news.indices), classes: pick(news.classes) };
    return news.results === undefined ? fresh : { ...fresh, results: pick(news.results) };
  }
}

/** An `after` beyond every sequence number: such a watch brings accepts and no results. */
export const allPassed = Number.MAX_SAFE_INTEGER;
