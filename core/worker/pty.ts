/** A task under a pseudo-terminal: what it writes comes to us, what is typed goes to it, and it has a size. */
import type { Stdin, TaskSpec } from "../schema/task.ts";
import type { Taken, TaskInput } from "./input.ts";

/** What a terminal tells. */
export interface TtyEvents {
  output(bytes: Uint8Array): void;
  /** Nobody has it open any more: no output will follow. */
  closed(): void;
  taken: Taken;
}

/** ^D: ends the input of a program that reads lines from a terminal. */
const endOfInput = Buffer.from([4]);

/** The terminal of one task. */
export class Tty implements TaskInput {
  /**
   * For `Bun.spawn`, which makes the terminal. A terminal that is made before keeps its inner end open, and then never
   * tells that everybody else has closed it (Bun 1.4.5).
   */
  readonly options: Bun.TerminalOptions;
  #terminal: Bun.Terminal | undefined;
  #offset = 0;
  #over = false;

  constructor(tty: NonNullable<TaskSpec["tty"]>, events: TtyEvents) {
    this.options = {
      cols: tty.columns,
      rows: tty.rows,
      name: tty.term,
      data: (_terminal, bytes) => events.output(bytes),
      drain: () => events.taken(this.#offset, false),
      exit: () => {
        this.#over = true;
        events.closed();
      },
    };
  }

  /** Whether nothing can come out of it any more. */
  get over(): boolean {
    return this.#over;
  }

  /** The task runs in it: types input that came with the task. */
  begin(terminal: Bun.Terminal | undefined, stdin: Stdin | undefined): void {
    this.#terminal = terminal;
    if (stdin?.kind === "stream") return;
    if (stdin?.kind === "inline") this.#type(Buffer.from(stdin.base64, "base64"));
    this.#type(endOfInput);
  }

  write(bytes: Uint8Array | undefined, end: boolean): void {
    this.#offset += bytes?.byteLength ?? 0;
    if (bytes !== undefined) this.#type(bytes);
    if (end) this.#type(endOfInput);
  }

  resize(columns: number, rows: number): void {
    if (this.#terminal?.closed === false) this.#terminal.resize(columns, rows);
  }

  close(): void {
    if (this.#terminal?.closed === false) this.#terminal.close();
  }

  #type(bytes: Uint8Array): void {
    if (this.#terminal?.closed === false) this.#terminal.write(bytes);
  }
}
