/**
 * Our readers against real schedulers. The captures in `test/captures/` are compared word for word; with GC_CAPTURES,
 * all captures that were taken are read, and none may be taken for something that was not so.
 */
import { describe, expect, test } from "bun:test";
import { allCaptures, keptCaptures, samplesOf } from "./captures.ts";
import { readers, sampleReaders } from "./readers.ts";
import type { Reading } from "./reading.ts";
import { situationOf } from "./situations.ts";

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
