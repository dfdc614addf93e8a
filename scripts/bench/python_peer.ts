/**
 * Programs in Python as sides of a bench, and Parsl's HighThroughputExecutor, which is what Globus Compute is made of,
 * as one of them. Which Python has it: that of GC_BENCH_PARSL, else python3.
 */
import { join } from "node:path";
import { type Crowd, gatherCrowd } from "./crowd.ts";
import type { Reading } from "./harness.ts";

/** Text of a program up to where it has something to `answer` with: a `submit` that takes a function. */
export const pythonLoop = `
import json, sys, time
def f():
    return None
def answer(submit):
    for line in sys.stdin:
        count, how = line.split()
        times, begun = [], time.perf_counter()
        if how == "all":
            for future in [submit(f) for _ in range(int(count))]:
                future.result()
            times.append((time.perf_counter() - begun) * 1000)
        else:
            for _ in range(int(count)):
                begun = time.perf_counter()
                submit(f).result()
                times.append((time.perf_counter() - begun) * 1000)
        print(json.dumps(times), flush=True)
`;

const htexProgram = `${pythonLoop}
import logging
import parsl
from parsl.config import Config
from parsl.executors import HighThroughputExecutor
from parsl.providers import LocalProvider
logging.disable(logging.CRITICAL)
local = LocalProvider(init_blocks=1, max_blocks=1)
htex = HighThroughputExecutor(label="htex", address="127.0.0.1", max_workers_per_node=2, provider=local)
with parsl.load(Config(executors=[htex], run_dir=sys.argv[1], initialize_logging=False)):
    answer(lambda f: htex.submit(f, {}))
`;

export interface Htex {
  readonly program: PythonProgram;
  readonly crowd: Crowd;
  /** Runs `work`, which makes `n` calls, and takes the CPU time of all its processes. */
  measured(n: number, work: () => Promise<{ wall_ms: number }>): Promise<Reading>;
  close(): Promise<void>;
}

/** Starts HTEX with two workers and its defaults, its files in `folder`; undefined, and told, where there is none. */
export function openHtex(folder: string): Htex | undefined {
  const python = parslPython();
  if (python === undefined) {
    console.error("  SKIPPED: Parsl HTEX as a peer (no Python with parsl; GC_BENCH_PARSL=PYTHON)");
    return undefined;
  }
  const mark = join(folder, "parsl");
  const crowd = gatherCrowd(`GC_BENCH_SIDE=${mark}`);
  const path = `${join(python, "..")}:${process.env.PATH ?? ""}`;
  const argv = crowd.join([python, "-c", htexProgram, mark]);
  const program = new PythonProgram(argv, { PATH: path, HOME: folder, GC_BENCH_SIDE: mark });
  crowd.know(program.pid);
  return {
    program,
    crowd,
    async measured(n, work) {
      const before_us = crowd.cpu_us();
      const { wall_ms } = await work();
      return { n, wall_ms, cpu_us: crowd.cpu_us() - before_us };
    },
    async close() {
      await program.close();
      await crowd.close();
    },
  };
}

/** A program that is told how many calls to make, and answers with the milliseconds that they took. */
export class PythonProgram {
  private readonly child: Bun.Subprocess<"pipe", "pipe", "inherit">;
  private readonly output: ReadableStreamDefaultReader<Uint8Array>;
  private held = "";

  constructor(argv: string[], env: { [name: string]: string }) {
    this.child = Bun.spawn(argv, { env, stdin: "pipe", stdout: "pipe", stderr: "inherit" });
    this.output = this.child.stdout.getReader();
  }

  get pid(): number {
    return this.child.pid;
  }

  /** Makes `n` calls, one after the other. Returns the time of each. @throws Error when the program ends instead. */
  each_ms(n: number): Promise<number[]> {
    return this.ask(`${n} each`);
  }

  /** Makes `n` calls at once and waits for all. Returns the time of all. @throws Error likewise. */
  async all_ms(n: number): Promise<number> {
    return (await this.ask(`${n} all`))[0] ?? Number.NaN;
  }

  private async ask(line: string): Promise<number[]> {
    this.child.stdin.write(`${line}\n`);
    await this.child.stdin.flush();
    while (!this.held.includes("\n")) {
      const { value, done } = await this.output.read();
      if (done) throw new Error(`The program in Python ended with ${await this.child.exited}`);
      this.held += Buffer.from(value).toString();
    }
    const end = this.held.indexOf("\n");
    const answer = this.held.slice(0, end);
    this.held = this.held.slice(end + 1);
    return JSON.parse(answer) as number[];
  }

  async close(): Promise<void> {
    await this.child.stdin.end();
    await this.child.exited;
  }
}

/** A Python that has Parsl; a shim of pyenv is asked for what it stands for. */
function parslPython(): string | undefined {
  const python = process.env.GC_BENCH_PARSL ?? Bun.which("python3");
  if (python === null) return undefined;
  const asked = Bun.spawnSync([python, "-c", "import sys, parsl; print(sys.executable)"], { stderr: "ignore" });
  return asked.success ? asked.stdout.toString().trim() : undefined;
}
