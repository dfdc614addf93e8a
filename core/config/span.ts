/** Spans of time as people write them in a configuration: `90m`, `1h30m`, `01:30:00`, `1-12:00:00` → seconds. */
const units: { readonly [unit: string]: number } = { d: 86_400, h: 3600, m: 60, s: 1 };

/** Whole seconds in `text`, which fits `spanPattern`. Two numbers with a colon are hours and minutes. */
export function secondsOfSpan(text: string): number {
  const clock = text.match(/^(?:(\d+)-)?(\d+):(\d{2})(?::(\d{2}))?$/);
  if (clock !== null) {
    const [days, hours, minutes, seconds] = clock.slice(1).map((part) => Number(part ?? 0));
    return (days ?? 0) * 86_400 + (hours ?? 0) * 3600 + (minutes ?? 0) * 60 + (seconds ?? 0);
  }
  const parts = [...text.matchAll(/(\d+(?:\.\d+)?)([dhms])/g)];
  return Math.ceil(parts.reduce((sum, [, value, unit]) => sum + Number(value) * (units[unit ?? "s"] ?? 1), 0));
}
