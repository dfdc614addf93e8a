/** Token buckets, one per person: `burst` requests at once, then a steady rate. Forgets who has a full bucket again. */
export class RateBook {
  private readonly buckets = new Map<string, { tokens: number; mono_ms: number }>();
  private readonly burst: number;
  private readonly per_ms: number;

  constructor(burst: number, per_10_s: number) {
    this.burst = burst;
    this.per_ms = per_10_s / 10_000;
  }

  /** Takes one token of `who`: 0, or how long to wait, in milliseconds. */
  take(who: string, mono_ms: number): number {
    const bucket = this.buckets.get(who) ?? { tokens: this.burst, mono_ms };
    const tokens = Math.min(this.burst, bucket.tokens + Math.max(0, mono_ms - bucket.mono_ms) * this.per_ms);
    const seen_ms = Math.max(bucket.mono_ms, mono_ms);
    const wait_ms = tokens >= 1 ? 0 : Math.ceil((1 - tokens) / this.per_ms);
    this.buckets.set(who, { tokens: wait_ms === 0 ? tokens - 1 : tokens, mono_ms: seen_ms });
    if (this.buckets.size > 1000) this.forget(mono_ms);
    return wait_ms;
  }

  private forget(mono_ms: number): void {
    for (const [who, bucket] of this.buckets) {
      if (bucket.tokens + (mono_ms - bucket.mono_ms) * this.per_ms >= this.burst) this.buckets.delete(who);
    }
  }
}
