/** When blocks may be asked for: windows, pauses, time zones and the nights on which the clocks change. */
import { describe, expect, test } from "bun:test";
import { OpeningHours } from "../../core/endpoint/opening_hours.ts";
import type { Schedule } from "../../core/schema/schedule.ts";

const hours_ms = 3600_000;
const schedule = (said: Partial<Schedule>): Schedule => {
  return { timezone: "America/Chicago", windows: [], pauses: [], running_blocks: "keep", ...said };
};
const nights = schedule({ windows: [{ from: "0 18 * * mon-fri", for_s: 14 * 3600 }] });
const at = (said: Schedule, time: string) => new OpeningHours(said).at(Date.parse(time));
/** Hours of the day that begins at `from` in which it is open, each asked of one that remembers. */
function openHours(said: Schedule, from: string, hours = 24): number[] {
  const one = new OpeningHours(said);
  const begin_ms = Date.parse(from);
  return Array.from({ length: hours }, (_, i) => i).filter((i) => one.at(begin_ms + i * hours_ms).is === "open");
}

describe("OpeningHours", () => {
  test("is open from its beginning to just before its end", () => {
    // 18:00 in Chicago is 24:00 UTC in winter.
    expect(at(nights, "2026-11-24T23:59:59.999Z").is).toBe("outside");
    expect(at(nights, "2026-11-25T00:00:00Z").is).toBe("open");
    expect(at(nights, "2026-11-25T13:59:59.999Z").is).toBe("open");
    expect(at(nights, "2026-11-25T14:00:00Z").is).toBe("outside");
  });

  test("says when it changes and, while it is closed, when it opens", () => {
    expect(at(nights, "2026-11-25T01:00:00Z")).toEqual({
      is: "open",
      changes_ms: Date.parse("2026-11-25T14:00:00Z"),
      opens_ms: undefined,
    });
    // Saturday morning: the window of Friday has closed, and the next one is on Monday.
    const weekend = at(nights, "2026-11-28T15:00:00Z");
    expect(weekend.opens_ms).toBe(Date.parse("2026-12-01T00:00:00Z"));
    expect(weekend.changes_ms).toBe(Date.parse("2026-11-29T15:00:00Z"));
  });

  test("asks again within a day, because timers do not reach for ever", () => {
    const yearly = schedule({ windows: [{ from: "0 0 1 1 *", for_s: 3600 }] });
    expect(at(yearly, "2026-03-01T00:00:00Z").changes_ms).toBe(Date.parse("2026-03-02T00:00:00Z"));
    expect(at(yearly, "2026-03-01T00:00:00Z").opens_ms).toBe(Date.parse("2027-01-01T06:00:00Z"));
  });

  test("ends a window at the next time of `until`, also on days without a beginning", () => {
    const weekend = schedule({ timezone: "UTC", windows: [{ from: "0 20 * * fri", until: "0 6 * * *" }] });
    expect(at(weekend, "2026-11-28T05:59:00Z").is).toBe("open");
    expect(at(weekend, "2026-11-28T06:00:00Z").is).toBe("outside");
    expect(at(weekend, "2026-11-29T05:00:00Z").is).toBe("outside");
  });

  test("is closed in a pause, and opens after it when a window is open by then", () => {
    const said = schedule({
      timezone: "UTC",
      windows: [{ from: "0 0 * * *", for_s: 20 * 3600 }],
      pauses: [{ from: "0 6 * * 2#2", for_s: 8 * 3600 }],
    });
    const second = at(said, "2026-12-08T06:00:00Z");
    expect(second).toEqual({
      is: "pause",
      changes_ms: Date.parse("2026-12-08T14:00:00Z"),
      opens_ms: Date.parse("2026-12-08T14:00:00Z"),
    });
    expect(at(said, "2026-12-01T06:00:00Z").is).toBe("open");
  });

  test("with pauses only is open otherwise", () => {
    const said = schedule({ timezone: "UTC", pauses: [{ from: "0 6 * * *", for_s: 2 * 3600 }] });
    expect(openHours(said, "2026-11-25T00:00:00Z")).toHaveLength(22);
  });

  test("keeps to the clock on the wall when the clocks change, where the end is a time of day", () => {
    const said = schedule({ windows: [{ from: "0 18 * * *", until: "0 8 * * *" }] });
    // From noon to noon of the next day, in hours that pass: 14 as ever, 13 in spring, 15 in autumn.
    expect(openHours(said, "2026-03-05T18:00:00Z")).toHaveLength(14);
    expect(openHours(said, "2026-03-07T18:00:00Z", 23)).toHaveLength(13);
    expect(openHours(said, "2026-10-31T17:00:00Z", 25)).toHaveLength(15);
  });

  test("lasts as long as it says when the clocks change, where it has a length", () => {
    const said = schedule({ windows: [{ from: "0 18 * * *", for_s: 14 * 3600 }] });
    expect(openHours(said, "2026-03-07T18:00:00Z", 23)).toHaveLength(14);
    expect(openHours(said, "2026-10-31T17:00:00Z", 25)).toHaveLength(14);
  });

  test("opens behind the gap when its beginning is a time that the change of clocks skips", () => {
    const said = schedule({ windows: [{ from: "30 2 * * *", for_s: 3600 }] });
    expect(at(said, "2026-03-08T08:29:00Z").is).toBe("outside");
    // 03:30, one hour behind the time that is not there.
    expect(at(said, "2026-03-08T08:31:00Z").is).toBe("open");
    expect(at(said, "2026-03-08T08:31:00Z").changes_ms).toBe(Date.parse("2026-03-08T09:30:00Z"));
  });

  test("opens once when its beginning comes twice", () => {
    const said = schedule({ windows: [{ from: "30 1 * * *", for_s: 1800 }] });
    expect(at(said, "2026-11-01T06:31:00Z").is).toBe("open");
    expect(at(said, "2026-11-01T07:31:00Z").is).toBe("outside");
  });

  test("gives the same answers when asked in any order, also backwards", () => {
    const one = new OpeningHours(nights);
    const times = Array.from(
      { length: 100 },
      (_, i) => Date.parse("2026-11-23T00:00:00Z") + ((i * 37) % 100) * hours_ms,
    );
    for (const time_ms of times) expect(one.at(time_ms).is).toBe(new OpeningHours(nights).at(time_ms).is);
  });

  test("finds a beginning that lies years back", () => {
    const leap = schedule({ timezone: "UTC", windows: [{ from: "0 0 29 2 *", until: "0 0 28 2 *" }] });
    expect(at(leap, "2028-12-01T00:00:00Z").is).toBe("open");
    expect(at(leap, "2027-12-01T00:00:00Z").is).toBe("outside");
  });
});
