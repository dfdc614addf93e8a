// time limit: 480 s
/**
 * The whole of gc in one seeded world: production decisions of client, relay, endpoint and worker under faults. Every
 * promise is checked by an oracle that sees what really happened. `GC_SIM_SEEDS` and `GC_SIM_FIRST` choose the seeds.
 */
import { expect, test } from "bun:test";
import { makeCast } from "./cast.ts";
import { type Outcome, play } from "./scenario.ts";

const first = Number(process.env.GC_SIM_FIRST ?? 1);
const count = Number(process.env.GC_SIM_SEEDS ?? 2000);

const promise = "nothing is lost, nothing runs twice without reason, everything comes to rest";

/** Plays all seeds, some twice. */
async function playAll(count: number, blocks: boolean): Promise<void> {
  const cast = await makeCast();
  const bad: Outcome[] = [];
  const sum = { tasks: 0, events: 0, deaths: 0 };
  for (let seed = first; seed < first + count; seed++) {
    const outcome = play(seed, cast, [], blocks);
    if (outcome.violation !== undefined) bad.push(outcome);
    // The same seed is the same history, or a failure could not be looked at again.
    if (seed % 100 === 0) expect(play(seed, cast, [], blocks).hash).toBe(outcome.hash);
    sum.tasks += outcome.tasks;
    sum.events += outcome.events;
    sum.deaths += outcome.deaths;
  }
  console.log(`simulated ${count} seeds: ${sum.tasks} tasks, ${sum.events} events, ${sum.deaths} faults and deaths`);
  expect(bad.map(({ seed, violation }) => `seed ${seed}: ${violation}`)).toEqual([]);
  expect(sum.tasks).toBeGreaterThan(count * 10);
  expect(sum.deaths).toBeGreaterThan(count * 2);
}

test(`${count} seeds from ${first}: ${promise}`, () => playAll(count, false), 600_000);

const withBlocks = Math.ceil(count / 4);

test(`${withBlocks} seeds from ${first}, in blocks of a scheduler that lies: ${promise}`, () => {
  return playAll(withBlocks, true);
}, 600_000);
