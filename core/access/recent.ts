/**
 * A map that keeps what was used lately and forgets the rest, so that what strangers send cannot fill memory. Two
 * generations: a hit in the old one moves to the young one; when the young one is full it becomes the old one. No list
 * to relink on every hit, as an exact LRU would need.
 */

/** Holds between `capacity` and `2 × capacity` entries once it is full. */
export class RecentMap<K, V> {
  readonly #capacity: number;
  #young = new Map<K, V>();
  #old = new Map<K, V>();

  constructor(capacity: number) {
    this.#capacity = capacity;
  }

  /** The value of `key`, unless it was never set or has been forgotten. */
  get(key: K): V | undefined {
    const young = this.#young.get(key);
    if (young !== undefined) return young;
    const old = this.#old.get(key);
    if (old !== undefined) this.set(key, old);
    return old;
  }

  set(key: K, value: V): void {
    if (this.#young.size >= this.#capacity && !this.#young.has(key)) {
      this.#old = this.#young;
      this.#young = new Map();
    }
    this.#young.set(key, value);
  }

  delete(key: K): void {
    this.#young.delete(key);
    this.#old.delete(key);
  }

  /** Entries held now; one in both generations counts twice. */
  get size(): number {
    return this.#young.size + this.#old.size;
  }
}
