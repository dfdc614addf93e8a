/** Runs the command line as a process against a stub world, the way a shell would. */
import { join } from "node:path";
import { TestHome } from "../submit/bench_home.ts";

export { until } from "../submit/bench_home.ts";

const entry = join(import.meta.dir, "../../cmd/gc.ts");

export interface Ended {
  code: number;
  stdout: string;
  stderr: string;
  bytes: Buffer;
  rss_max_bytes: number;
}

export class CliHome extends TestHome {
  override async open(): Promise<this> {
    await super.open();
    this.makeDefault();
    return this;
  }

  /** Starts `gc WORDS…` and leaves it running. */
  start(words: readonly string[], options: RunWith = {}): Running {
    const env = {
      PATH: process.env.PATH ?? "",
      HOME: this.root,
      GC_HOME: this.root,
      GC_AUTOSTART: "0",
      ...options.env,
    };
    return new Running([process.execPath, entry, ...words], env, this.root, options.stdin);
  }

  /** Runs `gc WORDS…` to its end. */
  gc(words: readonly string[], options: RunWith = {}): Promise<Ended> {
    return this.start(words, options).end();
  }
}

export interface RunWith {
  stdin?: "pipe" | Uint8Array;
  env?: { [name: string]: string };
}

/** A command that runs, with what has come out of it so far. */
export class Running {
  readonly child: Bun.Subprocess<"pipe", "pipe", "pipe">;
  private readonly out: Buffer[] = [];
  private readonly err: Buffer[] = [];
  private readonly done: Promise<unknown>;

  constructor(argv: string[], env: { [name: string]: string }, cwd: string, stdin: "pipe" | Uint8Array | undefined) {
    this.child = Bun.spawn(argv, { env, stdin: "pipe", stdout: "pipe", stderr: "pipe", cwd });
    if (stdin !== "pipe") {
      if (stdin !== undefined) this.child.stdin.write(stdin);
      void this.child.stdin.end();
    }
    this.done = Promise.all([gather(this.child.stdout, this.out), gather(this.child.stderr, this.err)]);
  }

  get stdout(): string {
    return Buffer.concat(this.out).toString();
  }

  get stderr(): string {
    return Buffer.concat(this.err).toString();
  }

  async end(): Promise<Ended> {
    const code = await this.child.exited;
    await this.done;
    const { stdout, stderr, child } = this;
    return { code, stdout, stderr, bytes: Buffer.concat(this.out), rss_max_bytes: child.resourceUsage()?.maxRSS ?? 0 };
  }
}

async function gather(stream: ReadableStream<Uint8Array>, into: Buffer[]): Promise<void> {
  try {
    for await (const piece of stream) into.push(Buffer.from(piece));
  } catch {
    // Closed by a test that stopped reading.
  }
}
