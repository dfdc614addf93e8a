/** The scenarios as a program, to be compiled: prints `ok NAME` or `failed NAME: why`, and ends with 1 if any
 * failed. */

import { Ground } from "./ground.ts";
import { playPeer } from "./other_process.ts";
import { scenarios } from "./scenarios.ts";

/** Runs every scenario once. */
async function runAll(): Promise<number> {
  let failed = 0;
  for (const { name, run } of scenarios) {
    const ground = new Ground();
    try {
      await run(ground);
      console.log(`ok ${name}`);
    } catch (error) {
      failed += 1;
      console.log(`failed ${name}: ${error instanceof Error ? error.stack : String(error)}`);
    } finally {
      await ground.end();
    }
  }
  return failed;
}

if (!(await playPeer(process.argv))) process.exit((await runAll()) > 0 ? 1 : 0);
