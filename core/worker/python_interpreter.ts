/**
 * One interpreter that stays warm: a process in a session of its own, one call at a time, talked to by pipes that are
 * not its standard streams. It may die at any time, of what the function does: that is the end of this call alone.
 */
import type { Clock } from "../host/host.ts";
import { signal } from "../host/processes.ts";
import type { PythonReply } from "../schema/python.ts";
import { fits } from "../schema/validate.ts";
import type { Exit } from "./attempt.ts";
import { PythonFrames, pythonFrame } from "./python_frames.ts";

/** Who is told what becomes of a call. Exactly one of the two is called. */
export interface CallListener {
  replied(reply: PythonReply): void;
  /** It ended without a reply. */
  exited(exit: Exit, process: Bun.Subprocess): void;
}

/** How often functions are kept before both sides forget them all. */
const functionsMax = 200;
/** What a dead process said last is waited for so long, in case a child of it keeps the pipe open. */
const lastWords_ms = 200;

export class Interpreter {
  readonly key: string;
  readonly process: Bun.Subprocess;
  /** It has shown to be a Python that can run the program. */
  greeted = false;
  /** Its process has ended: nothing that it said before may make it be used again. */
  dead = false;
  /** When it became idle; monotonic. */
  idle_since_ms = 0;
  #listener: CallListener | undefined;
  /** How it ended, once that was told. */
  #told: Exit | undefined;
  readonly #functions = new Set<string>();
  readonly #reading: Promise<void>;

  constructor(key: string, process: Bun.Subprocess) {
    this.key = key;
    this.process = process;
    this.#reading = this.#read(process.stdout as ReadableStream<Uint8Array>);
  }

  get pid(): number {
    return this.process.pid;
  }

  /** Sends a call, and its code if that is not there yet. */
  call(call: { code: string; define: object; [more: string]: unknown }, listener: CallListener): void {
    this.#listener = listener;
    const { define, ...known } = call;
    const has = this.#functions.has(call.code);
    const forget = !has && this.#functions.size >= functionsMax;
    if (forget) this.#functions.clear();
    this.#functions.add(call.code);
    const sink = this.process.stdin as Bun.FileSink;
    try {
      sink.write(pythonFrame(has ? known : { ...call, forget }));
      void Promise.resolve(sink.flush()).catch(() => {});
    } catch {
      // It has died; that is told by itself.
    }
  }

  /** Ends it, and nothing that it started; `exited` is told when that is done. */
  kill(exited?: CallListener["exited"]): void {
    if (exited !== undefined) this.#listener = { replied: () => {}, exited };
    if (!this.dead) signal(this.pid, "SIGKILL");
    else if (this.#told !== undefined) exited?.(this.#told, this.process);
  }

  /** Its process has ended; tells whoever waits for a reply, after its last words. */
  ended(exit: Exit, clock: Clock): void {
    this.dead = true;
    const waited = new Promise<void>((resolve) => {
      const cancel = clock.after(lastWords_ms, resolve);
      void this.#reading.then(() => {
        cancel();
        resolve();
      });
    });
    void waited.then(() => {
      this.#told = exit;
      const listener = this.#listener;
      this.#listener = undefined;
      listener?.exited(exit, this.process);
    });
  }

  async #read(stream: ReadableStream<Uint8Array>): Promise<void> {
    const frames = new PythonFrames();
    try {
      for await (const piece of stream) for (const message of frames.take(piece)) this.#hear(message);
    } catch {
      this.kill();
    }
  }

  #hear(message: unknown): void {
    if (!this.greeted) {
      this.greeted = true;
      return;
    }
    const listener = this.#listener;
    this.#listener = undefined;
    if (listener === undefined || !fits("python_reply", message)) return this.kill();
    listener.replied(message);
  }
}
