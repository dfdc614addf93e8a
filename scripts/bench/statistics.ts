/**
 * Few noisy rounds → one number that can be trusted, and how far. Medians and order statistics only: on a shared
 * machine the mean belongs to whoever else was running.
 */

/** What a list of per-round values says. */
export interface Summary {
  readonly median: number;
  /** Quartiles. */
  readonly iqr: readonly [number, number];
  /** Interval that holds the true median with probability `coverage`, whatever the distribution. */
  readonly interval: readonly [number, number];
  readonly coverage: number;
  readonly count: number;
}

/** The value below which the share `q` (0–1) of `values` lies, interpolated; NaN for none, and when one is NaN. */
export function quantile(values: readonly number[], q: number): number {
  if (values.some(Number.isNaN)) return Number.NaN;
  const sorted = [...values].sort((a, b) => a - b);
  const place = (sorted.length - 1) * q;
  const low = sorted[Math.floor(place)];
  const high = sorted[Math.ceil(place)];
  if (low === undefined || high === undefined) return Number.NaN;
  return low + (high - low) * (place - Math.floor(place));
}

export function median(values: readonly number[]): number {
  return quantile(values, 0.5);
}

/** The narrowest order-statistics interval of at least `wanted` coverage, or the whole range when there are too few. */
export function summarise(values: readonly number[], wanted = 0.9): Summary {
  const sorted = [...values].sort((a, b) => a - b);
  const n = sorted.length;
  let skip = 0;
  while (skip + 1 < n / 2 && coverageOf(n, skip + 1) >= wanted) skip++;
  return {
    median: median(sorted),
    iqr: [quantile(sorted, 0.25), quantile(sorted, 0.75)],
    interval: values.some(Number.isNaN)
      ? [Number.NaN, Number.NaN]
      : [sorted[skip] ?? Number.NaN, sorted[n - 1 - skip] ?? Number.NaN],
    coverage: n === 0 ? 0 : coverageOf(n, skip),
    count: n,
  };
}

/** Probability that the median lies between the (skip+1)-th smallest and the (skip+1)-th largest of n values. */
function coverageOf(n: number, skip: number): number {
  let tail = 0;
  let ways = 1;
  for (let k = 0; k <= skip; k++) {
    tail += ways;
    ways = (ways * (n - k)) / (k + 1);
  }
  return Math.max(0, 1 - (2 * tail) / 2 ** n);
}

/** A number with as many digits as it deserves. */
export function short(value: number): string {
  if (!Number.isFinite(value)) return "–";
  if (Math.abs(value) >= 100) return Math.round(value).toLocaleString("en-US");
  return value.toPrecision(3);
}
