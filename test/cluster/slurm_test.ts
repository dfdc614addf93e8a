/**
 * Endpoints on a real Slurm of virtual nodes, for an ordinary user: the one file that starts a cluster. What is told is
 * in the files of stories beside it, one for each kind of work.
 */
// time limit: 290 s
import { afterAll, beforeAll, describe } from "bun:test";
import { Alice } from "./alice.ts";
import { batchStories } from "./batch_stories.ts";
import { mpiStories } from "./mpi_stories.ts";
import { pythonStories } from "./python_stories.ts";
import { startSlurm, stopSlurm } from "./slurm.ts";
import { stage } from "./stage.ts";
import { trialStories } from "./trial_stories.ts";

const missing = startSlurm();
if (missing !== undefined) console.log(`SKIPPED: blocks on a real Slurm (${missing})`);

describe.skipIf(missing !== undefined)("an ordinary user on Slurm", () => {
  let alice: Alice | undefined;

  beforeAll(async () => {
    alice = await Alice.arrive();
  }, 60_000);

  afterAll(async () => {
    await alice?.world.close();
    stopSlurm();
  }, 60_000);

  const told = stage(() => {
    if (alice === undefined) throw new Error("Alice has not arrived");
    return alice;
  });
  mpiStories(told);
  trialStories(told);
  pythonStories(told);
  // Last, because its own last story waits for all others.
  batchStories(told);
});
