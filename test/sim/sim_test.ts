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

test(`${count} seeds from ${first}: ${promise}`, async () => {
  const cast = await makeCast();
  const bad: Outcome[] = [];
  const sum = { tasks: 0, events: 0, deaths: 0 };
  for (let seed = first; seed < first + count; seed++) {
    const outcome = play(seed, cast);
    if (outcome.violation !== undefined) bad.push(outcome);
    // The same seed is the same history, or a failure could not be looked at again.
    if (seed % 100 === 0) expect(play(seed, cast).hash).toBe(outcome.hash);
    sum.tasks += outcome.tasks;
    sum.events += outcome.events;
    sum.deaths += outcome.deaths;
  }
  console.log(`simulated ${count} seeds: ${sum.tasks} tasks, ${sum.events} events, ${sum.deaths} faults and deaths`);
  expect(bad.map(({ seed, violation }) => `seed ${seed}: ${violation}`)).toEqual([]);
  expect(sum.tasks).toBeGreaterThan(count * 10);
  expect(sum.deaths).toBeGreaterThan(count * 2);
}, 600_000);
