/**
 * B6: how long does one call of a Python function take for a program in Python? A closed loop of calls through the SDK,
 * beside Parsl's HighThroughputExecutor where a Python has it. Where none has, the gate is 1.5 times what HTEX takes in
 * performance.md §2 (1.2 ms).
 */
import { join } from "node:path";
import { type Bench, type Gate, type Opened, type Reading, type RunOptions, type Side, Skip } from "./harness.ts";
import { openHtex, PythonProgram, pythonLoop } from "./python_peer.ts";
import { quantile } from "./statistics.ts";
import { executable, World } from "./world.ts";

const sdkProgram = `${pythonLoop}
from gc_compute import Executor
with Executor(endpoint_id="bench") as executor:
    answer(executor.submit)
`;

async function open(folder: string, options: RunOptions): Promise<Opened> {
  const n = Math.max(50, Math.round(1000 * options.scale));
  const sides: Side[] = [];
  const closing: (() => Promise<void>)[] = [];
  if (!options.peers_only) {
    const python = Bun.which("python3");
    if (python === null) throw new Skip("there is no python3");
    const world = await World.open(folder, { slots: 2 });
    const { env } = world.bareCommand([]);
    const sdk = join(import.meta.dir, "../../sdk/python");
    const argv = world.crowd.join([python, "-c", sdkProgram]);
    const program = new PythonProgram(argv, {
      ...env,
      PATH: process.env.PATH ?? "",
      GC_EXE: executable(),
      PYTHONPATH: sdk,
    });
    await program.each_ms(Math.min(n, 200));
    closing.push(
      () => program.close(),
      () => world.close(),
    );
    sides.push({
      name: "gc",
      mode: "the SDK, one call at a time, durable at relay, endpoint and worker, sealed",
      cpu_by: world.crowd.how,
      round: async () => {
        const { reading, answer } = await timed(n, (work) => world.measured(n, work), program);
        return { ...reading, more: { ...answer, ...reading.more } };
      },
    });
  }
  const htex = openHtex(folder);
  if (htex === undefined && options.peers_only) throw new Skip("there is no Python with parsl");
  if (htex !== undefined) {
    await htex.program.each_ms(Math.min(n, 200));
    closing.unshift(() => htex.close());
    sides.push({
      name: "HTEX",
      mode: "Parsl HighThroughputExecutor.submit, one call at a time, nothing durable",
      cpu_by: htex.crowd.how,
      round: async () => {
        const { reading, answer } = await timed(n, (work) => htex.measured(n, work), htex.program);
        return { ...reading, more: answer };
      },
    });
  }
  return {
    sides,
    gates: options.peers_only ? [] : [gate(htex !== undefined)],
    close: async () => {
      for (const close of closing) await close();
    },
  };
}

function gate(has_peer: boolean): Gate {
  const p50 = (reading: Reading): number => reading.more?.p50_ms ?? Number.NaN;
  if (has_peer) {
    const value: Gate["value"] = (of) => p50(of("gc")) / p50(of("HTEX"));
    return { what: "median call, ratio to HTEX", value, limit: 1.5, better: "at most", goal: 1, peer: "Parsl HTEX" };
  }
  return {
    what: "median call, milliseconds",
    value: (of) => p50(of("gc")),
    limit: 1.8,
    better: "at most",
    goal: 1.2,
  };
}

/** Runs one loop inside of `measure`, and tells its times beside the reading. */
async function timed(
  n: number,
  measure: (work: () => Promise<{ wall_ms: number }>) => Promise<Reading>,
  program: PythonProgram,
): Promise<{ reading: Reading; answer: { [name: string]: number } }> {
  let times_ms: number[] = [];
  const reading = await measure(async () => {
    const begun_ms = performance.now();
    times_ms = await program.each_ms(n);
    return { wall_ms: performance.now() - begun_ms };
  });
  return { reading, answer: { p50_ms: quantile(times_ms, 0.5), p99_ms: quantile(times_ms, 0.99) } };
}

export const pythonLatency: Bench = {
  id: "B6",
  title: "1,000 calls of a Python function, one after the other, from the Python SDK",
  rounds: 7,
  calibrators: ["spawn", "fdatasync"],
  open,
};
