/**
 * B6: how long does one call of a Python function take for a program in Python? A closed loop of calls through the SDK,
 * beside Parsl's HighThroughputExecutor, which is what Globus Compute is made of, where a Python has it: that of
 * GC_BENCH_PARSL, else python3. Where none has, the gate is 1.5 times what HTEX takes in performance.md §2 (1.2 ms).
 */
import { join } from "node:path";
import { type Bench, type Gate, type Opened, type Reading, type RunOptions, type Side, Skip } from "./harness.ts";
import { quantile } from "./statistics.ts";
import { executable, World } from "./world.ts";

/** A program that reads how many calls to make, and answers with the milliseconds that each took. */
const loop = `
import json, sys, time
def f():
    return None
def answer():
    for line in sys.stdin:
        times = []
        for _ in range(int(line)):
            begun = time.perf_counter()
            call(f).result()
            times.append((time.perf_counter() - begun) * 1000)
        print(json.dumps(times), flush=True)
`;

const sdkProgram = `${loop}
from gc_compute import Executor
with Executor(endpoint_id="bench") as executor:
    call = executor.submit
    answer()
`;

const parslProgram = `${loop}
import logging
import parsl
from parsl.config import Config
from parsl.executors import HighThroughputExecutor
from parsl.providers import LocalProvider
logging.disable(logging.CRITICAL)
local = LocalProvider(init_blocks=1, max_blocks=1)
htex = HighThroughputExecutor(label="htex", address="127.0.0.1", max_workers_per_node=2, provider=local)
with parsl.load(Config(executors=[htex], run_dir=sys.argv[1], initialize_logging=False)):
    call = lambda f: htex.submit(f, {})
    answer()
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
    const program = new Program(argv, { ...env, PATH: process.env.PATH ?? "", GC_EXE: executable(), PYTHONPATH: sdk });
    await program.loop(Math.min(n, 200));
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
  const parsl = parslPython();
  if (parsl === undefined)
    console.error("  SKIPPED: Parsl HTEX as a peer (no Python with parsl; GC_BENCH_PARSL=PYTHON)");
  if (parsl === undefined && options.peers_only) throw new Skip("there is no Python with parsl");
  if (parsl !== undefined) {
    const path = `${join(parsl, "..")}:${process.env.PATH ?? ""}`;
    const program = new Program([parsl, "-c", parslProgram, join(folder, "parsl")], { PATH: path, HOME: folder });
    await program.loop(Math.min(n, 200));
    closing.unshift(() => program.close());
    sides.push({
      name: "HTEX",
      mode: "Parsl HighThroughputExecutor.submit, one call at a time, nothing durable",
      round: async () => {
        const { reading, answer } = await timed(n, async (work) => ({ n, ...(await work()) }), program);
        return { ...reading, more: answer };
      },
    });
  }
  return {
    sides,
    gates: options.peers_only ? [] : [gate(parsl !== undefined)],
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
  program: Program,
): Promise<{ reading: Reading; answer: { [name: string]: number } }> {
  let times_ms: number[] = [];
  const reading = await measure(async () => {
    const begun_ms = performance.now();
    times_ms = await program.loop(n);
    return { wall_ms: performance.now() - begun_ms };
  });
  return { reading, answer: { p50_ms: quantile(times_ms, 0.5), p99_ms: quantile(times_ms, 0.99) } };
}

/** A Python that has Parsl; a shim of pyenv is asked for what it stands for. */
function parslPython(): string | undefined {
  const python = process.env.GC_BENCH_PARSL ?? Bun.which("python3");
  if (python === null) return undefined;
  const asked = Bun.spawnSync([python, "-c", "import sys, parsl; print(sys.executable)"], { stderr: "ignore" });
  return asked.success ? asked.stdout.toString().trim() : undefined;
}

class Program {
  private readonly child: Bun.Subprocess<"pipe", "pipe", "inherit">;
  private readonly output: ReadableStreamDefaultReader<Uint8Array>;
  private held = "";

  constructor(argv: string[], env: { [name: string]: string }) {
    this.child = Bun.spawn(argv, { env, stdin: "pipe", stdout: "pipe", stderr: "inherit" });
    this.output = this.child.stdout.getReader();
  }

  /** Makes `n` calls. Returns the milliseconds that each took. @throws Error when the program ends instead. */
  async loop(n: number): Promise<number[]> {
    this.child.stdin.write(`${n}\n`);
    await this.child.stdin.flush();
    while (!this.held.includes("\n")) {
      const { value, done } = await this.output.read();
      if (done) throw new Error(`The program in Python ended with ${await this.child.exited}`);
      this.held += Buffer.from(value).toString();
    }
    const end = this.held.indexOf("\n");
    const line = this.held.slice(0, end);
    this.held = this.held.slice(end + 1);
    return JSON.parse(line) as number[];
  }

  async close(): Promise<void> {
    await this.child.stdin.end();
    await this.child.exited;
  }
}

export const pythonLatency: Bench = {
  id: "B6",
  title: "1,000 calls of a Python function, one after the other, from the Python SDK",
  rounds: 7,
  calibrators: ["spawn", "fdatasync"],
  open,
};
