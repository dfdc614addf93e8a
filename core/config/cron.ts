/**
 * Cron expressions, as people write them in a schedule → points in time. The only importer of cron-parser, which is
 * loaded by configurations that have a schedule and by nobody else: it takes longer to load than gc to start. Pure:
 * every time is an argument.
 */
import type { CronExpressionParser } from "cron-parser";
import { messageOf } from "../errors.ts";

/** Short forms of cron. */
const words = new Set(["@yearly", "@annually", "@monthly", "@weekly", "@daily", "@midnight", "@hourly"]);
const fields = "minute hour day-of-month month day-of-week";

/** What is wrong with an expression, as the end of a sentence that begins with it; undefined when nothing is. */
export function cronProblem(expression: string): string | undefined {
  const parts = expression.trim().split(/\s+/);
  if (parts[0]?.startsWith("@") && !words.has(expression.trim())) return `is none of ${[...words].join(", ")}`;
  if (!parts[0]?.startsWith("@") && parts.length !== 5) {
    return `has ${parts.filter((part) => part !== "").length} fields, not the five of cron (${fields})`;
  }
  // "H" is a field of cron-parser's own: any value, another one each time it is asked.
  if (parts.some((part) => /(^|,)H/.test(part))) return 'has an "H" in it, which is no fixed time';
  try {
    parser().parse(expression, { currentDate: new Date(0), tz: "UTC" });
  } catch (error) {
    return `is not a cron expression: ${messageOf(error)}`;
  }
  return undefined;
}

/** Why there is no such time zone; undefined when there is. */
export function zoneProblem(zone: string): string | undefined {
  try {
    new Intl.DateTimeFormat("en", { timeZone: zone });
    return undefined;
  } catch {
    return "is not a time zone of the IANA data base, such as America/Chicago";
  }
}

/**
 * The first time after `after_ms` that a checked expression means, in wall clock of `zone`; undefined: none ever. A
 * time that a change of the clocks skips is moved behind the gap, one that comes twice counts the first time.
 */
export function nextTime(expression: string, zone: string, after_ms: number): number | undefined {
  try {
    return parser()
      .parse(expression, { currentDate: new Date(after_ms), tz: zone })
      .next()
      .getTime();
  } catch {
    return undefined;
  }
}

/** Loaded at the first use, and at once: a configuration is read in one go. */
function parser(): typeof CronExpressionParser {
  const loaded: typeof import("cron-parser") = require("cron-parser");
  return loaded.CronExpressionParser;
}
