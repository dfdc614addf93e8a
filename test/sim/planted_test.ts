/** Every planted bug is found within 500 seeds, or the simulation would be no evidence. */
import { expect, test } from "bun:test";
import type { PlantedBug } from "../../core/planted.ts";
import { makeCast } from "./cast.ts";
import { play } from "./scenario.ts";

const bugs: PlantedBug[] = [
  "noIdem",
  "relayAckBeforeFsync",
  "cumulativeAck",
  "relayResultAckBeforeFsync",
  "deleteOnSend",
  "epAckBeforeStore",
  "resultMemOnly",
  "noAdopt",
  "leaseNoFence",
  "attemptNotPersisted",
  "resultOverwrite",
  "lateOverwrite",
  "staleAttemptDropped",
  "discardOnSend",
  "workerNoDedupe",
  "workerFireOnce",
];
const seedsMax = 500;

for (const bug of bugs) {
  test(`${bug} is found`, async () => {
    const cast = await makeCast();
    let seed = 1;
    while (seed <= seedsMax && play(seed, cast, [bug]).violation === undefined) seed++;
    if (seed <= seedsMax)
      console.log(`planted ${bug}: found at seed ${seed}: ${play(seed, cast, [bug]).violation?.slice(0, 100)}`);
    expect(seed).toBeLessThanOrEqual(seedsMax);
  }, 120_000);
}
