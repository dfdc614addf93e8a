/**
 * Our readers against real schedulers. The captures in `test/captures/` are compared word for word; with GC_CAPTURES,
 * all captures that were taken are read, and none may be taken for something that was not so.
 */
import { describe, expect, test } from "bun:test";
import { openProvider } from "../../providers/provider.ts";
import { schedulers } from "../../providers/schedulers.ts";
import { allCaptures, answerOf, keptCaptures, samplesOf, told } from "./captures.ts";
import { readers, sampleReaders } from "./readers.ts";
import type { Reading } from "./reading.ts";
import { siteOf } from "./sites.ts";
import { situationOf } from "./situations.ts";

const profiles = {
  slurm: schedulers.slurm,
  openpbs: schedulers.pbspro,
  openlava: schedulers.openlava,
  cobalt: schedulers.cobalt,
  gridengine: schedulers.gridengine,
};

for (const [file, read] of Object.entries(readers)) {
  describe(file, () => {
    for (const capture of keptCaptures(file)) {
      test(`${capture.case}: ${capture.cmd.slice(0, 100)}`, () => {
        expect(read(capture)?.means).toBe(capture.means);
      });
    }

    const { captures, skipped } = allCaptures(file);
    if (skipped !== undefined) console.log(`SKIPPED: all captures of ${file}: ${skipped}`);
    test.skipIf(skipped !== undefined)("no capture is taken for what it is not", () => {
      const wrong = captures.flatMap((capture) => {
        const reading = read(capture);
        const situation = situationOf(capture.case);
        if (reading?.kind !== "status" || situation === undefined) return [];
        const [ended, fine] = [wordsOf(reading, ends), wordsOf(reading, ["ok"])];
        const bad = (situation.alive && ended.length > 0) || (!situation.fine && fine.length > 0);
        return bad ? [`${capture.case}: ${reading.means}`] : [];
      });
      expect(wrong).toEqual([]);
      expect(captures.length).toBeGreaterThan(100);
    });
  });
}

/** What was asked, in any form: whichever reader gets such an answer by mistake must not end a block by it. */
describe("every capture, whatever command it is of", () => {
  for (const [file, profile] of Object.entries(profiles)) {
    const { captures, skipped } = allCaptures(file);
    const some = skipped === undefined ? captures : keptCaptures(file);
    test(`${file}: no answer ends a block that had not ended`, () => {
      const provider = openProvider(profile, siteOf(profile));
      const wrong = some.flatMap((capture) => {
        const ids = [...new Set(capture.cmd.match(/(?<=[ ,'])\d{1,5}(?:\.pbshead)?(?=[ ,'[]|$)/g) ?? [])];
        const refs = ids.map((id) => ({ id }));
        const answers = ids.map(() => answerOf(capture));
        const situation = situationOf(capture.case);
        if (situation === undefined || ids.length === 0) return [];
        const said = [provider.readObserve(refs, answers), provider.readResolve(refs, answers)].flatMap((sights) => {
          return ids.map((id) => told(sights.get(id)).split(" ")[0] ?? "");
        });
        const ended = said.filter((word) => ends.includes(word));
        const bad = (situation.alive && ended.length > 0) || (!situation.fine && said.includes("ok"));
        return bad ? [`${capture.case}: ${said.join(" ")}`] : [];
      });
      expect(wrong).toEqual([]);
      expect(some.length).toBeGreaterThan(50);
    });
  }
});

for (const [file, read] of Object.entries(sampleReaders)) {
  describe(`${file}, by its manual`, () => {
    for (const sample of samplesOf(file)) {
      test(`${sample.case}: ${sample.cmd.slice(0, 60)}`, () => {
        expect(read(sample)?.means).toBe(sample.means);
      });
    }
  });
}

const ends = ["ok", "failed", "timeout", "cancelled", "node_fail", "preempted", "oom", "launch_failed", "ended"];

function wordsOf(reading: Reading, words: readonly string[]): string[] {
  return reading.means.split("; ").flatMap((part) =>
    part
      .split(" ")
      .slice(1, 2)
      .filter((word) => words.includes(word)),
  );
}
