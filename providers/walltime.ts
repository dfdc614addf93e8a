/** Spans of time in the words of schedulers. Always rounded up: a block that is asked for 90 s must get 90 s. */

/** `90` → `2`: whole minutes. */
export function minutesOf(seconds: number): number {
  return Math.max(1, Math.ceil(seconds / 60));
}

/** `3700` → `1:01:40`; hours are not turned into days. */
export function hoursMinutesSeconds(seconds: number): string {
  const rest = (value: number) => String(value % 60).padStart(2, "0");
  return `${Math.floor(seconds / 3600)}:${rest(Math.floor(seconds / 60))}:${rest(seconds)}`;
}

/** `3700` → `1:02`: hours and minutes. */
export function hoursMinutes(seconds: number): string {
  const minutes = minutesOf(seconds);
  return `${Math.floor(minutes / 60)}:${String(minutes % 60).padStart(2, "0")}`;
}

/** `1-02:03:04`, `02:03:04`, `03:04` or `45` (seconds) → seconds. */
export function secondsOf(text: string): number | undefined {
  const match = text.trim().match(/^(?:(?:(\d+)-)?(\d+):)?(?:(\d+):)?(\d+(?:\.\d+)?)$/);
  if (match === null) return undefined;
  const [, days = "0", a, b, last = "0"] = match;
  const [hours, minutes] = b === undefined ? ["0", a ?? "0"] : [a ?? "0", b];
  return Number(days) * 86_400 + Number(hours) * 3600 + Number(minutes) * 60 + Math.floor(Number(last));
}

/** `2026-11-23T06:26:51`, told in UTC because the commands run with TZ=UTC → milliseconds since 1970. */
export function utcTime(text: string): number | undefined {
  if (!/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d$/.test(text)) return undefined;
  const time_ms = Date.parse(`${text}Z`);
  return Number.isNaN(time_ms) ? undefined : time_ms;
}

const months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/** `Mon Nov 23 06:26:51 2026`, as ctime(3) writes it with TZ=UTC → milliseconds since 1970. */
export function ctimeOf(text: string): number | undefined {
  const match = text.trim().match(/^[A-Z][a-z]{2} ([A-Z][a-z]{2}) +(\d+) (\d\d):(\d\d):(\d\d) (\d{4})$/);
  const month = months.indexOf(match?.[1] ?? "");
  if (match === null || month < 0) return undefined;
  const [day, hours, minutes, seconds, year] = match.slice(2).map(Number);
  return Date.UTC(year ?? 0, month, day, hours, minutes, seconds);
}
