/** A scheduler is known by what it says of itself: each real answer is taken for its own scheduler and for no other. */
import { describe, expect, test } from "bun:test";
import type { SchedulerName } from "../../core/schema/batch_engine.ts";
import { detectionQuestions, readDetection } from "../../providers/detect.ts";
import { schedulers } from "../../providers/schedulers.ts";
import { answerOf, keptCaptures, samplesOf } from "./captures.ts";

const owners: [SchedulerName, ReturnType<typeof keptCaptures>][] = [
  ["slurm", keptCaptures("slurm")],
  ["pbspro", keptCaptures("openpbs")],
  ["openlava", keptCaptures("openlava")],
  ["cobalt", keptCaptures("cobalt")],
  ["gridengine", keptCaptures("gridengine")],
  ["lsf", samplesOf("lsf")],
  ["torque", samplesOf("torque").filter(({ case: name }) => name !== "version-pbspro")],
];

describe("readDetection()", () => {
  test.each(owners)("knows %s by its version text, and takes nothing of it for another", (owner, captures) => {
    let known = 0;
    for (const capture of captures) {
      const answer = answerOf(capture);
      for (const name of Object.keys(schedulers) as SchedulerName[]) {
        const found = readDetection(new Map([[name, [answer]]]));
        if (found.length > 0) expect(`${capture.case}: ${name}`).toBe(`${capture.case}: ${owner}`);
        known += found.length;
      }
    }
    expect(known).toBeGreaterThan(0);
  });

  test("asks only what is there", () => {
    expect(detectionQuestions((command) => command === "qstat").map(({ scheduler }) => scheduler)).toEqual([
      "pbspro",
      "torque",
      "cobalt",
      "gridengine",
    ]);
    expect(detectionQuestions(() => false)).toEqual([]);
  });
});
