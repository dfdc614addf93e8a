/**
 * The command `sh scripts/bench/run NAME`: sets up a temporary folder, runs one bench in it, and ends with its verdict.
 * Exit codes: 0 gates hold, or the machine lacks something; 1 a gate does not hold; 75 inconclusive; 64 usage.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { closeCrowds } from "./crowd.ts";
import { depth } from "./depth.ts";
import { durability } from "./durability.ts";
import { footprint } from "./footprint.ts";
import { granularity } from "./granularity.ts";
import { type Bench, type RunOptions, runBench, Skip } from "./harness.ts";
import { idle } from "./idle.ts";
import { oneShot } from "./one_shot.ts";
import { packing } from "./packing.ts";
import { pythonCalls } from "./python_calls.ts";
import { pythonLatency } from "./python_latency.ts";
import { recovery } from "./recovery.ts";
import { roundTrip } from "./round_trip.ts";
import { scaleOut } from "./scale_out.ts";
import { shellTasks } from "./shell_tasks.ts";
import { start } from "./start.ts";
import { workerGrowth } from "./worker_growth.ts";
import { zeroWork } from "./zero_work.ts";

const benches: readonly Bench[] = [
  shellTasks,
  zeroWork,
  oneShot,
  roundTrip,
  pythonCalls,
  pythonLatency,
  start,
  depth,
  workerGrowth,
  packing,
  scaleOut,
  granularity,
  recovery,
  footprint,
  durability,
  idle,
];

const usage = `Usage: sh scripts/bench/run NAME [options]
  --rounds N        rounds to play (at least 5 for a verdict)
  --scale X         size of each round; 0.1 for a quick look
  --peers-only      leave gc out, measure what it is compared with
  --record          append the results to scripts/bench/history.jsonl
  --folder DIR      where temporary files go (default: the system's); durable figures depend on its disk
Benches:
${benches.map(({ id, title }) => `  ${id.padEnd(6)} ${title}`).join("\n")}`;

async function main(): Promise<number> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      rounds: { type: "string" },
      scale: { type: "string", default: "1" },
      "peers-only": { type: "boolean", default: false },
      record: { type: "boolean", default: false },
      folder: { type: "string", default: tmpdir() },
      help: { type: "boolean", short: "h" },
    },
  });
  const bench = benches.find(({ id }) => id.toLowerCase() === positionals[0]?.toLowerCase());
  if (bench === undefined || positionals.length !== 1 || values.help === true) {
    console.error(usage);
    return values.help === true ? 0 : 64;
  }
  const options: RunOptions = {
    ...(values.rounds === undefined ? {} : { rounds: Number(values.rounds) }),
    scale: Number(values.scale),
    peers_only: values["peers-only"],
    ...(values.record ? { record: join(import.meta.dir, "history.jsonl") } : {}),
  };
  const folder = mkdtempSync(join(values.folder, "gc-bench-"));
  for (const [signal, code] of [
    ["SIGINT", 130],
    ["SIGTERM", 143],
  ] as const) {
    process.on(signal, () => void takeAway(folder).then(() => process.exit(code)));
  }
  try {
    return await runBench(bench, folder, options);
  } catch (error) {
    if (!(error instanceof Skip)) throw error;
    console.error(`SKIPPED ${bench.id}: ${error.message}`);
    return 0;
  } finally {
    await takeAway(folder);
  }
}

/** Nothing of a bench outlives it. */
async function takeAway(folder: string): Promise<void> {
  await closeCrowds();
  rmSync(folder, { recursive: true, force: true });
}

process.exit(await main());
