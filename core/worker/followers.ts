/**
 * Who follows the output of which task, how far they are, and how much may be sent to them: never more than their
 * window beyond what they acknowledged by their last `follow`. What is sent are orders to read; the bytes stay in
 * files.
 */
import { chunkBytesMax } from "../limits.ts";
import type { Follow } from "../schema/worker_message.ts";
import type { AttemptKey } from "./attempt.ts";

export type StreamName = "stdout" | "stderr";

/** Send `bytes` bytes of a stream from `offset` on to `sid`; with `end`, nothing follows. */
export interface ChunkOrder {
  sid: string;
  tid: string;
  attempt: number;
  key: AttemptKey;
  stream: StreamName;
  offset: number;
  bytes: number;
  end: boolean;
}

interface Place {
  acked: number;
  sent: number;
  ended: boolean;
}

interface Follower {
  readonly sid: string;
  readonly tid: string;
  readonly attempt: number;
  readonly key: AttemptKey;
  window: number;
  readonly places: { readonly [stream in StreamName]: Place };
}

/** What there is of a task's output. `over`: it will not grow any more. */
export interface OutputSizes {
  stdout: number;
  stderr: number;
  over: boolean;
}

/** All followers of one worker. One `sid` may follow many tasks. */
export class Followers {
  readonly #byKey = new Map<AttemptKey, Map<string, Follower>>();

  /** Whether anybody follows this attempt. */
  has(key: AttemptKey): boolean {
    return this.#byKey.has(key);
  }

  /** Takes in a `follow` for an attempt: a new follower, new offsets, or an end. */
  follow(key: AttemptKey, attempt: number, message: Follow): void {
    const { sid, tid, window } = message;
    if (message.stop === true) return this.#remove(key, sid);
    const follower = this.#byKey.get(key)?.get(sid);
    if (follower !== undefined) {
      follower.window = window;
      move(follower.places.stdout, message.stdout_from);
      move(follower.places.stderr, message.stderr_from);
      return;
    }
    const place = (from: number): Place => ({ acked: from, sent: from, ended: false });
    const places = { stdout: place(message.stdout_from), stderr: place(message.stderr_from) };
    const others = this.#byKey.get(key) ?? new Map<string, Follower>();
    this.#byKey.set(key, others.set(sid, { sid, tid, attempt, key, window, places }));
  }

  /** Orders for all that may be sent now. Followers that have got everything of a task that is over are done. */
  pump(key: AttemptKey, sizes: OutputSizes, orders: (order: ChunkOrder) => void): void {
    for (const follower of [...(this.#byKey.get(key)?.values() ?? [])]) {
      for (const stream of ["stdout", "stderr"] as const) {
        advance(follower, stream, sizes[stream], sizes.over, orders);
      }
      if (follower.places.stdout.ended && follower.places.stderr.ended) this.#remove(key, follower.sid);
    }
  }

  /** The endpoint has the result, and serves from the files of the task whoever is not done. */
  drop(key: AttemptKey): void {
    this.#byKey.delete(key);
  }

  /** The link is down: whoever still wants to follow will ask again. Returns the attempts that were followed. */
  clear(): AttemptKey[] {
    const keys = [...this.#byKey.keys()];
    this.#byKey.clear();
    return keys;
  }

  #remove(key: AttemptKey, sid: string): void {
    const others = this.#byKey.get(key);
    others?.delete(sid);
    if (others?.size === 0) this.#byKey.delete(key);
  }
}

/** Offsets between what was acknowledged and what was sent acknowledge; all others are a jump. */
function move(place: Place, from: number): void {
  if (from < place.acked || from > place.sent) {
    place.sent = from;
    place.ended = false;
  }
  place.acked = from;
}

function advance(
  follower: Follower,
  stream: StreamName,
  size: number,
  over: boolean,
  orders: (order: ChunkOrder) => void,
): void {
  const place = follower.places[stream];
  const { sid, tid, attempt, key } = follower;
  while (!place.ended) {
    const room = place.acked + follower.window - place.sent;
    const bytes = Math.min(size - place.sent, room, chunkBytesMax);
    const end = over && place.sent + Math.max(bytes, 0) >= size;
    if (bytes <= 0 && !end) return;
    orders({ sid, tid, attempt, key, stream, offset: place.sent, bytes: Math.max(bytes, 0), end });
    place.sent += Math.max(bytes, 0);
    place.ended = end;
  }
}
