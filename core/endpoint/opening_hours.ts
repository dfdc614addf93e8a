/**
 * When an endpoint may ask for blocks: a schedule, asked with a time. Pure but for what it remembers of the last
 * answer. An expression is only ever asked what comes next: looking back, cron-parser misses times that a change of the
 * clocks moved, so what has begun is found by looking forward from before it.
 */
import { nextTime } from "../config/cron.ts";
import type { Schedule, Spell } from "../schema/schedule.ts";

/** How it stands at one time. */
export interface Opening {
  readonly is: "open" | "outside" | "pause";
  /** When to ask again, within a day; undefined: it stays so. */
  readonly changes_ms: number | undefined;
  /** When it opens, unless it is open; undefined: not for as long as can be seen. */
  readonly opens_ms: number | undefined;
}

/** An hour, then ever longer, at last four years and a day: the 29th of February comes as rarely. */
const looksBack_ms = [1, 8, 72, 24 * 32, 24 * 366, 24 * 1462].map((hours) => hours * 3600_000);
/** Timers do not reach much further than some days. */
const askAgain_ms = 24 * 3600_000;
/** Changes that are looked ahead for the next opening. */
const looksAheadMax = 200;

export class OpeningHours {
  readonly running_blocks: Schedule["running_blocks"];
  private readonly schedule: Schedule;
  private last: { readonly from_ms: number; readonly opening: Opening } | undefined;

  constructor(schedule: Schedule) {
    this.schedule = schedule;
    this.running_blocks = schedule.running_blocks;
  }

  /** How it stands at `now_ms`. Cheap while nothing changes. */
  at(now_ms: number): Opening {
    const { from_ms = Number.POSITIVE_INFINITY, opening } = this.last ?? {};
    if (opening !== undefined && now_ms >= from_ms && now_ms < (opening.changes_ms ?? Number.POSITIVE_INFINITY)) {
      return opening;
    }
    const fresh = this.look(now_ms);
    const { is } = fresh;
    const changes_ms = fresh.changes_ms === undefined ? undefined : Math.min(fresh.changes_ms, now_ms + askAgain_ms);
    const found = { is, changes_ms, opens_ms: is === "open" ? undefined : this.nextOpening(fresh.changes_ms) };
    this.last = { from_ms: now_ms, opening: found };
    return found;
  }

  private look(now_ms: number): Omit<Opening, "opens_ms"> {
    const { windows, pauses, timezone } = this.schedule;
    let changes_ms: number | undefined;
    const lasts = (spell: Spell): boolean => {
      const { open, changes_ms: at_ms } = stateOf(spell, timezone, now_ms);
      if (at_ms !== undefined) changes_ms = Math.min(changes_ms ?? at_ms, at_ms);
      return open;
    };
    // Each is asked, because each may be the next to change.
    const within = windows.map(lasts).includes(true) || windows.length === 0;
    const paused = pauses.map(lasts).includes(true);
    return { is: paused ? "pause" : within ? "open" : "outside", changes_ms };
  }

  private nextOpening(from_ms: number | undefined): number | undefined {
    let at_ms = from_ms;
    for (let looks = 0; at_ms !== undefined && looks < looksAheadMax; looks++) {
      const { is, changes_ms } = this.look(at_ms);
      if (is === "open") return at_ms;
      at_ms = changes_ms;
    }
    return undefined;
  }
}

/** Why no block is asked for, as the end of a sentence about the endpoint; undefined while it may be. */
export function closedWords(opening: Opening | undefined): string | undefined {
  if (opening === undefined || opening.is === "open") return undefined;
  const what = opening.is === "pause" ? "in a pause of its schedule" : "outside its availability window";
  const { opens_ms } = opening;
  const when = opens_ms === undefined ? "and never opens again" : `opens at ${new Date(opens_ms).toISOString()}`;
  return `${what}, ${when}`;
}

function stateOf(spell: Spell, zone: string, now_ms: number): { open: boolean; changes_ms: number | undefined } {
  const begun_ms = lastBeginning(spell.from, zone, now_ms);
  const ends_ms = begun_ms === undefined ? undefined : endOf(spell, zone, begun_ms);
  if (begun_ms !== undefined && (ends_ms === undefined || ends_ms > now_ms)) return { open: true, changes_ms: ends_ms };
  return { open: false, changes_ms: nextTime(spell.from, zone, now_ms) };
}

function endOf(spell: Spell, zone: string, begun_ms: number): number | undefined {
  return "until" in spell ? nextTime(spell.until, zone, begun_ms) : begun_ms + spell.for_s * 1000;
}

function lastBeginning(from: string, zone: string, now_ms: number): number | undefined {
  for (const back_ms of looksBack_ms) {
    let found: number | undefined;
    for (let at = nextTime(from, zone, now_ms - back_ms); at !== undefined && at <= now_ms; ) {
      found = at;
      at = nextTime(from, zone, at);
    }
    if (found !== undefined) return found;
  }
  return undefined;
}
