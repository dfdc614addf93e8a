/**
 * One person's gc as processes: an executable, a home folder, commands in it, and the daemons that come of them. Every
 * process carries the world's mark in its environment, tasks too, so that none is ever left behind.
 */
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Build, executableIn } from "./executable.ts";
import { until } from "./until.ts";

export type DaemonRole = "relay" | "endpoint" | "worker";

export interface Daemon {
  readonly role: DaemonRole;
  readonly pid: number;
  /** What follows the role on its command line: name of the endpoint, folder of the worker. */
  readonly about: string;
}

export interface Ended {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface CommandOptions {
  readonly env?: { readonly [name: string]: string };
  readonly stdin?: string;
  readonly cwd?: string;
}

const mark = "E2E_WORLD";

export class World {
  readonly folder: string;
  readonly home: string;
  readonly exe: string;
  /** What every process gets; may be changed for those to come. */
  readonly env: { [name: string]: string };
  /** Words before the executable, such as `ip netns exec NAME`. */
  prefix: readonly string[] = [];
  private closed = false;

  static async open(build: Build = "gc-test"): Promise<World> {
    const folder = mkdtempSync(join(tmpdir(), "gc-e2e-"));
    return new World(folder, "home", await executableIn(folder, build));
  }

  private constructor(folder: string, home: string, exe: string) {
    this.folder = folder;
    this.home = join(folder, home);
    this.exe = exe;
    mkdirSync(this.home, { recursive: true, mode: 0o700 });
    this.env = {
      PATH: "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
      HOME: this.home,
      TMPDIR: tmpdir(),
      GC_HOME: this.home,
      [mark]: folder,
      ...(process.env.TEST_FILE_ID === undefined ? {} : { TEST_FILE_ID: process.env.TEST_FILE_ID }),
    };
  }

  /** Another home in this world. */
  neighbour(home: string): World {
    return new World(this.folder, home, this.exe);
  }

  /** Starts a command. */
  start(args: readonly string[], options: CommandOptions = {}): Bun.Subprocess<"ignore" | Blob, "pipe", "pipe"> {
    if (this.closed) throw new Error("This world is closed");
    return Bun.spawn([...this.prefix, this.exe, ...args], {
      cwd: options.cwd ?? this.home,
      env: { ...this.env, ...options.env },
      stdin: options.stdin === undefined ? "ignore" : new Blob([options.stdin]),
      stdout: "pipe",
      stderr: "pipe",
    });
  }

  /** Runs a command to its end, however it ends. */
  async run(args: readonly string[], options: CommandOptions = {}): Promise<Ended> {
    return ended(this.start(args, options));
  }

  /** Runs a command that must succeed; returns its output. */
  async gc(args: readonly string[], options: CommandOptions = {}): Promise<string> {
    const { code, stdout, stderr } = await this.run(args, options);
    if (code !== 0) throw new Error(`gc ${args.join(" ")} ended with ${code}: ${stderr.trim()}`);
    return stdout;
  }

  /** Daemons of this home that live now. */
  daemons(role?: DaemonRole): Daemon[] {
    const found = livingWith(`GC_HOME=${this.home}`).flatMap((pid) => {
      const [, , name = "", about = ""] = /\0(__(relay|endpoint|worker))\0([^\0]*)/.exec(commandLine(pid)) ?? [];
      const daemon = { role: name as DaemonRole, pid, about };
      return name === "" || (role !== undefined && role !== name) ? [] : [daemon];
    });
    // What a daemon starts looks like the daemon itself until it runs its own program.
    return found.filter((one) => !found.some((other) => other.pid === parentOf(one.pid) && other.role === one.role));
  }

  /** Waits for a daemon to live. */
  daemon(role: DaemonRole): Promise<Daemon> {
    return until(() => this.daemons(role)[0], `a ${role}`);
  }

  /** Everything of this world that lives: commands, daemons, tasks and their children. */
  pids(): number[] {
    return livingWith(`${mark}=${this.folder}`);
  }

  /** The ends of all logs, for whoever must find out why a test failed. */
  logs(lines = 30): string {
    const paths = [...new Bun.Glob("**/*.log").scanSync({ cwd: this.home })].filter(
      (path) => !/(spool|journal)\.log$/.test(path),
    );
    return paths
      .map(
        (path) =>
          `── ${path}\n${readFileSync(join(this.home, path), "utf8")
            .split("\n")
            .slice(-lines - 1)
            .join("\n")}`,
      )
      .join("\n");
  }

  /** Ends whatever lives and removes the folder. Commands that are begun later fail. */
  async close(): Promise<void> {
    this.closed = true;
    await until(
      () => {
        const pids = this.pids();
        for (const pid of pids) kill(pid);
        return pids.length === 0;
      },
      () => `the end of ${this.pids().map(commandLine).join(", ")}`,
    );
    rmSync(this.folder, { recursive: true, force: true });
  }
}

/** How a command ended, with all that it wrote. */
export async function ended(child: Bun.Subprocess<"ignore" | Blob, "pipe", "pipe">): Promise<Ended> {
  const [stdout, stderr] = await Promise.all([new Response(child.stdout).text(), new Response(child.stderr).text()]);
  await child.exited;
  return { code: child.signalCode === null ? child.exitCode : null, stdout, stderr };
}

/** kill -9; false when it had ended. */
export function kill(pid: number): boolean {
  try {
    process.kill(pid, "SIGKILL");
    return true;
  } catch {
    return false;
  }
}

/** Pids of living processes with this in their environment. */
function livingWith(variable: string): number[] {
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name) && readProc(name, "environ").split("\0").includes(variable))
    .map(Number);
}

function parentOf(pid: number): number {
  const stat = readProc(String(pid), "stat");
  return Number(stat.slice(stat.lastIndexOf(")") + 2).split(" ")[1]);
}

/** Words of a command line, each with a zero byte behind it; one in front as well. */
function commandLine(pid: number): string {
  return `\0${readProc(String(pid), "cmdline")}`;
}

function readProc(pid: string, file: string): string {
  try {
    return readFileSync(`/proc/${pid}/${file}`, "latin1");
  } catch {
    return ""; // It ended meanwhile.
  }
}
