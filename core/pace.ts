/** How often something is done at most: at once when the last time is long enough ago, else at a time that it names. */
export class Pace {
  private readonly every_ms: number;
  private last_ms = Number.NEGATIVE_INFINITY;

  constructor(every_ms: number) {
    this.every_ms = every_ms;
  }

  /** It is done now, whenever it was done last. */
  done(now_ms: number): void {
    this.last_ms = now_ms;
  }

  /** When it may be done again; undefined: now. A clock that was set back counts as now. */
  next(now_ms: number): number | undefined {
    const next_ms = this.last_ms + this.every_ms;
    return now_ms >= this.last_ms && now_ms < next_ms ? next_ms : undefined;
  }
}
