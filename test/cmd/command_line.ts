/**
 * Runs gc as a person would: in a home folder of its own, with nothing of ours in its environment. From its sources;
 * with E2E_GC=dist/gc the same tests try the executable.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";

/** The words that start gc. */
export const gcArgv = process.env.E2E_GC
  ? [resolve(process.env.E2E_GC)]
  : [process.execPath, join(import.meta.dir, "../../cmd/gc.ts")];

export interface Ran {
  code: number;
  stdout: string;
  stderr: string;
}

export interface RunOptions {
  stdin?: string;
  env?: { [name: string]: string };
  cwd?: string;
}

/** A home folder and the means to run gc in it. */
export class Place {
  readonly dir = mkdtempSync(join(tmpdir(), "gc-cmd-"));
  readonly home = join(this.dir, "home");

  /** The environment that gc gets: small, and nothing of the developer's own. */
  env(more: { [name: string]: string } = {}): { [name: string]: string } {
    return { PATH: process.env.PATH ?? "", HOME: this.dir, GC_HOME: this.home, LANG: "C.UTF-8", ...more };
  }

  /** Runs `gc ARGS`; standard input is empty unless given. A run that hangs (25 s) ends with code 124. */
  async gc(args: string[], options: RunOptions = {}): Promise<Ran> {
    return this.run([...gcArgv, ...args], options);
  }

  /** Runs any program in the same surroundings. */
  async run(argv: string[], { stdin = "", env = {}, cwd = this.dir }: RunOptions = {}): Promise<Ran> {
    const child = Bun.spawn(argv, {
      cwd,
      env: this.env(env),
      stdin: Buffer.from(stdin),
      stdout: "pipe",
      stderr: "pipe",
      timeout: 25_000,
      killSignal: "SIGKILL",
    });
    const [stdout, stderr] = await Promise.all([new Response(child.stdout).text(), new Response(child.stderr).text()]);
    const code = await child.exited;
    return { code: child.signalCode === null ? code : 124, stdout, stderr };
  }

  remove(): void {
    rmSync(this.dir, { recursive: true, force: true });
  }
}
