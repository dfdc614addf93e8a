/**
 * A started command with what has come out of it so far: over pipes, or at a pseudo-terminal. It never judges; a
 * command that does not end in time is killed and says so in `hung`.
 */

export interface Ended {
  code: number;
  stdout: string;
  stderr: string;
  /** Standard output as it came. */
  bytes: Buffer;
  peak_bytes: number;
  /** It was killed because it did not end in time. */
  hung: boolean;
}

export interface RunWith {
  /** "pipe": written to by the test. Default: empty. */
  stdin?: "pipe" | string | Uint8Array | Blob;
  env?: { [name: string]: string };
  cwd?: string;
}

/** A command over pipes. */
export class Running {
  readonly child: Bun.Subprocess<"pipe", "pipe", "pipe">;
  private readonly out: Buffer[] = [];
  private readonly err: Buffer[] = [];
  private readonly done: Promise<unknown>;

  constructor(argv: readonly string[], env: { [name: string]: string }, cwd: string, stdin: RunWith["stdin"]) {
    this.child = Bun.spawn([...argv], { env, cwd, stdin: "pipe", stdout: "pipe", stderr: "pipe" });
    if (stdin !== "pipe") void this.feed(stdin);
    this.done = Promise.all([gather(this.child.stdout, this.out), gather(this.child.stderr, this.err)]);
  }

  get pid(): number {
    return this.child.pid;
  }

  get stdout(): string {
    return Buffer.concat(this.out).toString();
  }

  get stderr(): string {
    return Buffer.concat(this.err).toString();
  }

  kill(signal: NodeJS.Signals): void {
    this.child.kill(signal);
  }

  async end(limit_ms = 30_000): Promise<Ended> {
    let hung = false;
    const timer = setTimeout(() => {
      hung = true;
      this.child.kill("SIGKILL");
    }, limit_ms);
    const code = await this.child.exited;
    clearTimeout(timer);
    // A daemon that kept a pipe of ours open would be a fault: the pipes are waited for, but not for ever.
    await Promise.race([this.done, Bun.sleep(5000)]);
    const peak_bytes = this.child.resourceUsage()?.maxRSS ?? 0;
    return { code, stdout: this.stdout, stderr: this.stderr, bytes: Buffer.concat(this.out), peak_bytes, hung };
  }

  private async feed(stdin: Exclude<RunWith["stdin"], "pipe">): Promise<void> {
    try {
      if (stdin instanceof Blob) for await (const piece of stdin.stream()) this.child.stdin.write(piece);
      else if (stdin !== undefined) this.child.stdin.write(stdin);
      await this.child.stdin.end();
    } catch {
      // It ended before it had read everything.
    }
  }
}

/** A command at a terminal: both streams in one, and a keyboard. */
export class TerminalRun {
  readonly child: Bun.Subprocess;
  private readonly terminal: Bun.Terminal;
  private seen = "";

  constructor(argv: readonly string[], env: { [name: string]: string }, cwd: string) {
    // Given as options, not as a Terminal: only so it becomes the controlling one, whose Ctrl-C is a signal.
    this.child = Bun.spawn([...argv], {
      env,
      cwd,
      terminal: {
        cols: 100,
        rows: 30,
        data: (_, bytes) => {
          this.seen += Buffer.from(bytes).toString();
        },
      },
    });
    if (this.child.terminal === undefined) throw new Error("There is no terminal");
    this.terminal = this.child.terminal;
  }

  /** Everything that was shown. */
  get screen(): string {
    return this.seen;
  }

  get pid(): number {
    return this.child.pid;
  }

  type(keys: string): void {
    this.terminal.write(keys);
  }

  resize(columns: number, rows: number): void {
    this.terminal.resize(columns, rows);
  }

  /** The terminal goes away, as when an ssh session breaks. */
  hangUp(): void {
    this.terminal.close();
  }

  async end(limit_ms = 30_000): Promise<{ code: number; screen: string; hung: boolean }> {
    let hung = false;
    const timer = setTimeout(() => {
      hung = true;
      this.child.kill("SIGKILL");
    }, limit_ms);
    const code = await this.child.exited;
    clearTimeout(timer);
    await Bun.sleep(20); // What the terminal still holds comes with the next turn of the loop.
    if (!this.terminal.closed) this.terminal.close();
    return { code, screen: this.seen, hung };
  }
}

async function gather(stream: ReadableStream<Uint8Array>, into: Buffer[]): Promise<void> {
  try {
    for await (const piece of stream) into.push(Buffer.from(piece));
  } catch {
    // Closed by a test that stopped reading.
  }
}
