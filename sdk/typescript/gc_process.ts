/** A running `gc sdk serve`: lines in, lines out, and its death. Knows nothing of what the lines say but the first. */
import { type ChildProcess, spawn } from "node:child_process";
import { StringDecoder } from "node:string_decoder";
import { ComputeError } from "./errors.ts";
import { findGc } from "./find_gc.ts";
import type { Answer } from "./messages.ts";

/** Version of the protocol of `gc sdk serve` (docs/SDK_PROTOCOL.md). */
const protocol = 1;

interface Holdable {
  ref?(): unknown;
  unref?(): unknown;
}

export class GcProcess {
  /** It has said hello. */
  is_greeted = false;
  private readonly child: ChildProcess;
  private is_held = true;

  /**
   * Starts it. `died` is called once, with an error when it could not even be started.
   * @throws ComputeError `gc.not_found`.
   */
  constructor(took: (message: Answer) => void, died: (error: Error | undefined) => void) {
    // In a session of its own: Ctrl-C is for this program, and gc sees tasks off after it.
    this.child = spawn(findGc(), ["sdk", "serve"], { stdio: ["pipe", "pipe", "inherit"], detached: true });
    const { stdin, stdout } = this.child;
    stdin?.on("error", () => {}); // It is dead, which is told below.
    const decoder = new StringDecoder("utf8");
    let begun: string[] = [];
    stdout?.on("data", (piece: Buffer) => {
      const lines = decoder.write(piece).split("\n");
      const last = lines.pop() ?? "";
      for (const line of lines) {
        const whole = begun.length === 0 ? line : begun.join("") + line;
        begun = [];
        takeLine(whole, took);
      }
      if (last !== "") begun.push(last);
    });
    let is_over = false;
    const over = (error: Error | undefined): void => {
      if (is_over) return;
      is_over = true;
      died(error);
    };
    this.child.on("error", (error) => over(new ComputeError(`Cannot start gc: ${error.message}`, "gc.start")));
    this.child.on("close", () => over(undefined));
    this.write(JSON.stringify({ t: "hello", v: protocol, sdk: `typescript (${process.version})` }));
  }

  write(line: string): void {
    this.child.stdin?.write(`${line}\n`);
  }

  /** Whether the program stays for it. */
  hold(is_held: boolean): void {
    if (this.is_held === is_held) return;
    this.is_held = is_held;
    const parts = [this.child, this.child.stdin, this.child.stdout] as unknown as (Holdable | null)[];
    for (const part of parts) {
      if (is_held) part?.ref?.();
      else part?.unref?.();
    }
  }
}

function takeLine(line: string, took: (message: Answer) => void): void {
  let message: Answer;
  try {
    message = JSON.parse(line);
  } catch {
    process.emitWarning(`A line of gc is not JSON: ${line.slice(0, 200)}`, "gc");
    return;
  }
  took(message);
}
