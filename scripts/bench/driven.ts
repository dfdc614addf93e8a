/** The bench's end of a client process (`driver.ts`): one request at a time, a JSON line each way. */
import type { Crowd } from "./crowd.ts";
import type { Answer, Ask } from "./driver.ts";

export class Driver {
  private readonly child: Bun.Subprocess<"pipe", "pipe", "inherit">;
  private readonly lines: AsyncGenerator<string>;

  /** Starts it and waits until it is connected. */
  static async start(argv: string[], env: { [name: string]: string }, crowd: Crowd): Promise<Driver> {
    const driver = new Driver(argv, env);
    crowd.know(driver.child.pid);
    await driver.answer("connect");
    return driver;
  }

  private constructor(argv: string[], env: { [name: string]: string }) {
    this.child = Bun.spawn(argv, { env, stdin: "pipe", stdout: "pipe", stderr: "inherit" });
    this.lines = linesOf(this.child.stdout);
  }

  get pid(): number {
    return this.child.pid;
  }

  /** @throws Error with what the client said when it could not do it. */
  async ask(ask: Ask): Promise<Answer> {
    this.child.stdin.write(`${JSON.stringify(ask)}\n`);
    await this.child.stdin.flush();
    return this.answer(ask.do);
  }

  async close(): Promise<void> {
    await this.child.stdin.end();
    this.child.kill();
    await this.child.exited;
  }

  private async answer(what: string): Promise<Answer> {
    const line = await this.lines.next();
    if (line.done === true) throw new Error(`The client ended while it was asked to ${what}`);
    const answer = JSON.parse(line.value) as Answer | { error: string };
    if ("error" in answer) throw new Error(`The client could not ${what}: ${answer.error}`);
    return answer;
  }
}

async function* linesOf(stream: ReadableStream<Uint8Array>): AsyncGenerator<string> {
  const decoder = new TextDecoder();
  let rest = "";
  for await (const bytes of stream) {
    const parts = (rest + decoder.decode(bytes, { stream: true })).split("\n");
    rest = parts.pop() ?? "";
    yield* parts;
  }
}
