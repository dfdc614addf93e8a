/** The `schedule` of a configuration → the same, checked: every expression means something, every beginning ends. */
import type { GcError } from "../errors.ts";
import type { Schedule, ScheduleFile, Spell } from "../schema/schedule.ts";
import { cronProblem, zoneProblem } from "./cron.ts";
import { secondsOfSpan } from "./span.ts";

/** Makes the error for something wrong at these keys below `schedule`. */
type Complain = (keys: readonly string[], what: string) => GcError;

type SpellFile = NonNullable<ScheduleFile["windows"]>[number];

/** @throws what `complain` makes of the first thing that is wrong. */
export function checkedSchedule(file: ScheduleFile, complain: Complain): Schedule {
  const timezone = file.timezone ?? Intl.DateTimeFormat().resolvedOptions().timeZone;
  const wrong = zoneProblem(timezone);
  if (wrong !== undefined) throw complain(["timezone"], `is "${timezone}", which ${wrong}`);
  const spells = (key: "windows" | "pauses"): Spell[] =>
    (file[key] ?? []).map((spell, i) => checkedSpell(spell, (keys, what) => complain([key, String(i), ...keys], what)));
  const schedule: Schedule = {
    timezone,
    windows: spells("windows"),
    pauses: spells("pauses"),
    running_blocks: file.running_blocks ?? "keep",
  };
  if (schedule.windows.length + schedule.pauses.length === 0) throw complain([], 'has neither "windows" nor "pauses"');
  return schedule;
}

function checkedSpell(spell: SpellFile, complain: Complain): Spell {
  for (const key of ["from", "until"] as const) {
    const expression = spell[key];
    const wrong = expression === undefined ? undefined : cronProblem(expression);
    if (wrong !== undefined) throw complain([key], `is "${expression}", which ${wrong}`);
  }
  const { from, until } = spell;
  if ((spell.for === undefined) === (until === undefined)) throw complain([], 'must have either "for" or "until"');
  if (until !== undefined) return { from, until };
  const for_s = secondsOfSpan(spell.for ?? "");
  if (for_s < 1) throw complain(["for"], `is "${spell.for}", so it would never be open`);
  return { from, for_s };
}
