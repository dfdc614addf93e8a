/**
 * Short commands of the system whose answer we read: systemctl, crontab, scheduler tools. Never a task: those belong to
 * `worker/`. The command gets the environment it is given and nothing else, and a time limit.
 */
import { systemCode } from "../errors.ts";

/** What came back. `found` is false when there is no such program. */
export interface CommandAnswer {
  readonly found: boolean;
  /** Exit code; 124 when the time was over, 127 when not found. */
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
  /** It was ended because its time was over. */
  readonly timed_out: boolean;
}

export interface CommandOptions {
  readonly env: { readonly [name: string]: string | undefined };
  readonly stdin?: string;
  readonly timeout_ms?: number;
}

const timeout_ms = 15_000;
const outputBytesMax = 1024 * 1024;

/** Runs `argv` and resolves when it has ended. Never rejects: what goes wrong is in the answer. */
export async function runCommand(argv: readonly string[], options: CommandOptions): Promise<CommandAnswer> {
  try {
    const child = Bun.spawn([...argv], {
      env: { ...options.env },
      stdin: options.stdin === undefined ? "ignore" : Buffer.from(options.stdin),
      stdout: "pipe",
      stderr: "pipe",
      timeout: options.timeout_ms ?? timeout_ms,
      killSignal: "SIGKILL",
      maxBuffer: outputBytesMax,
    });
    const [stdout, stderr] = await Promise.all([new Response(child.stdout).text(), new Response(child.stderr).text()]);
    const code = await child.exited;
    const timed_out = child.signalCode !== null;
    return { found: true, code: timed_out ? 124 : code, stdout, stderr, timed_out };
  } catch (error) {
    const found = systemCode(error) !== "ENOENT";
    return {
      found,
      code: found ? 126 : 127,
      stdout: "",
      stderr: error instanceof Error ? error.message : "",
      timed_out: false,
    };
  }
}

/** Both streams of a command that ends at once; this process stands still meanwhile. Empty when there is none. */
export function askCommand(argv: readonly string[], { env, timeout_ms: limit_ms }: CommandOptions): string {
  try {
    const { stdout, stderr } = Bun.spawnSync([...argv], {
      env: { ...env },
      stdin: "ignore",
      stdout: "pipe",
      stderr: "pipe",
      timeout: limit_ms ?? timeout_ms,
      killSignal: "SIGKILL",
    });
    return `${stdout}\n${stderr}`;
  } catch {
    return "";
  }
}

/** The absolute path of a command found in `path` (as of PATH; undefined: that of this process), or undefined. */
export function findCommand(name: string, path: string | undefined): string | undefined {
  const found = path === undefined ? Bun.which(name) : Bun.which(name, { PATH: path });
  return found ?? undefined;
}
