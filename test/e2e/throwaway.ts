/**
 * A throw-away place to try the built executable in: a GC_HOME, a HOME and a working directory of its own, and every
 * process that comes from it, however detached, is gone after `close`. Nothing here looks inside gc: it starts the
 * executable and reads what a person or a shell could read. `running.ts` holds the started commands.
 */
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Ended, Running, type RunWith, TerminalRun } from "./running.ts";

/** The executable under test: E2E_EXECUTABLE, else what `scripts/build` wrote. */
export const gcPath = process.env.E2E_EXECUTABLE ?? join(import.meta.dir, "../../dist/gc");

/** Marks every process of a place. Tasks lose what begins with GC_, so it does not. */
const mark = "E2E_PLACE";
/** A command that runs longer has hung. */
const hangs_ms = 30_000;
/** How long daemons get to end by themselves before they are killed. */
const goneWithin_ms = 4_000;

export class Throwaway {
  readonly dir = mkdtempSync(join(tmpdir(), "gce-"));
  readonly home = join(this.dir, "home");
  readonly cwd = join(this.dir, "cwd");

  constructor() {
    if (!existsSync(gcPath)) throw new Error(`There is no ${gcPath}; first: sh scripts/build`);
    mkdirSync(this.cwd);
  }

  /** The environment of every command: small, and nothing of the developer's own. */
  env(more: { [name: string]: string } = {}): { [name: string]: string } {
    return {
      PATH: process.env.PATH ?? "",
      HOME: this.dir,
      GC_HOME: this.home,
      LANG: "C.UTF-8",
      [mark]: this.dir,
      // Known to whoever runs the test files, so that nothing is left behind even when a test file is killed.
      ...(process.env.TEST_FILE_ID === undefined ? {} : { TEST_FILE_ID: process.env.TEST_FILE_ID }),
      ...more,
    };
  }

  /** Starts `gc WORDS…` and leaves it running. */
  start(words: readonly string[], options: RunWith = {}): Running {
    return this.startAny([gcPath, ...words], options);
  }

  /** Runs `gc WORDS…` to its end; standard input is empty unless given. */
  gc(words: readonly string[], options: RunWith = {}): Promise<Ended> {
    return this.start(words, options).end(hangs_ms);
  }

  /** Runs a line of shell in which "$gc" is the executable. */
  sh(line: string, options: RunWith = {}): Promise<Ended> {
    return this.startAny(["bash", "-c", line], { ...options, env: { gc: gcPath, ...options.env } }).end(hangs_ms);
  }

  startAny(argv: readonly string[], options: RunWith = {}): Running {
    return new Running(argv, this.env(options.env), options.cwd ?? this.cwd, options.stdin);
  }

  /** Starts `gc WORDS…` as a person at a terminal does. */
  terminal(words: readonly string[], options: Pick<RunWith, "env"> = {}): TerminalRun {
    return new TerminalRun([gcPath, ...words], this.env({ TERM: "xterm", ...options.env }), this.cwd);
  }

  /** Runs gc and throws when it fails: for what a test needs but does not try. */
  async must(words: readonly string[], options: RunWith = {}): Promise<string> {
    const { code, stdout, stderr } = await this.gc(words, options);
    if (code !== 0) throw new Error(`gc ${words.join(" ")}: ${code}\n${stderr}`);
    return stdout.trim();
  }

  /** The standing of a task as `gc why --json` tells it. */
  async why(id: string): Promise<{ [name: string]: unknown }> {
    return JSON.parse((await this.gc(["why", "--json", id])).stdout);
  }

  /** Pids of living processes that come from this place. */
  processes(): number[] {
    const wanted = `${mark}=${this.dir}`;
    return pids().filter((pid) => readProc(pid, "environ").split("\0").includes(wanted));
  }

  /** Pids of this place whose command line contains `words`. */
  processesOf(words: string): number[] {
    return this.processes().filter((pid) => commandOf(pid).includes(words));
  }

  /** Ends every process of this place and removes its folder. */
  async close(): Promise<void> {
    signalAll(this.processes(), "SIGTERM");
    const end_ms = performance.now() + goneWithin_ms;
    while (this.processes().length > 0 && performance.now() < end_ms) await Bun.sleep(20);
    // Killing may free a parent to start another: looked at until nothing is left.
    for (let round = 0; round < 50 && this.processes().length > 0; round++) {
      signalAll(this.processes(), "SIGKILL");
      await Bun.sleep(20);
    }
    rmSync(this.dir, { recursive: true, force: true });
  }
}

/** Whether the process is there and no zombie. */
export function isAlive(pid: number): boolean {
  return !/^State:\s+[ZX]/m.test(readProc(pid, "status") || "State: X");
}

/** Largest resident size of a living process so far. */
export function peakBytes(pid: number): number {
  return Number(/^VmHWM:\s+(\d+) kB/m.exec(readProc(pid, "status"))?.[1] ?? 0) * 1024;
}

export function commandOf(pid: number): string {
  return readProc(pid, "cmdline").split("\0").join(" ").trim();
}

export function readProc(pid: number, file: string): string {
  try {
    return readFileSync(`/proc/${pid}/${file}`, "utf8");
  } catch {
    return ""; // It ended meanwhile, or is not ours.
  }
}

function pids(): number[] {
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .map(Number);
}

function signalAll(of: readonly number[], signal: NodeJS.Signals): void {
  for (const pid of of) {
    try {
      process.kill(pid, signal);
    } catch {
      // It ended meanwhile.
    }
  }
}
