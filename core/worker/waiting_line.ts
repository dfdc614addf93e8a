/** Attempts that wait for a slot, in the order they came. Those that were ended meanwhile fall out by themselves. */
import type { HeldAttempt } from "./attempt.ts";

export class WaitingLine {
  #line: HeldAttempt[] = [];
  #head = 0;

  push(held: HeldAttempt): void {
    this.#line.push(held);
  }

  /** Back to the front: it could not start after all. */
  putBack(held: HeldAttempt): void {
    this.#line = [held, ...this.#line.slice(this.#head)];
    this.#head = 0;
  }

  /** Who is next; undefined when nobody waits. */
  first(): HeldAttempt | undefined {
    while (this.#head < this.#line.length) {
      const next = this.#line[this.#head];
      if (next?.phase === "queued") return next;
      this.#head++;
    }
    this.#line = [];
    this.#head = 0;
    return undefined;
  }

  /** Takes out whoever is first. */
  shift(): void {
    this.#head++;
    if (this.#head < 1024 || this.#head * 2 < this.#line.length) return;
    this.#line = this.#line.slice(this.#head);
    this.#head = 0;
  }
}
