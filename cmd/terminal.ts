/**
 * The person's terminal while a task has one of its own: raw, so that every key goes to the task, with the escape that
 * ssh has: Enter, tilde, dot leaves the task alone.
 */
import { WriteStream } from "node:tty";
import type { Cli } from "./cli.ts";

export interface TerminalSize {
  columns: number;
  rows: number;
  term: string;
}

export interface RawTerminal {
  size(): TerminalSize;
  onResize(told: (columns: number, rows: number) => void): void;
  /** Passes input on, but for the escape, which calls `leave`. */
  filter(read: () => Promise<Uint8Array | undefined>, leave: () => void): () => Promise<Uint8Array | undefined>;
  /** Puts the terminal back as it was. */
  close(): void;
}

/** Makes the terminal raw, if there is one; else the task gets a terminal of the usual size. */
export function openTerminal(cli: Cli): RawTerminal {
  const before = cli.terminal.stdin ? stty("-g") : undefined;
  const told = new Set<(columns: number, rows: number) => void>();
  const size = (): TerminalSize => {
    // Asked anew each time: a stream tells the size it had when it was made (Bun 1.4.5).
    const [columns, rows] = cli.terminal.stdout ? new WriteStream(1).getWindowSize() : [80, 24];
    return { columns: columns || 80, rows: rows || 24, term: (cli.env.TERM || "xterm-256color").slice(0, 64) };
  };
  const resized = (): void => {
    const now = size();
    for (const each of told) each(now.columns, now.rows);
  };
  if (before !== undefined) stty("raw", "-echo");
  process.on("SIGWINCH", resized);
  let open = true;
  return {
    size,
    onResize: (each) => told.add(each),
    filter(read, leave) {
      let state: "line" | "tilde" | "text" = "line";
      return async () => {
        const piece = await read();
        if (piece === undefined || before === undefined) return piece;
        for (const byte of piece) {
          if (byte === 13 || byte === 10) state = "line";
          else if (state === "line" && byte === 126) state = "tilde";
          else if (state === "tilde" && byte === 46) {
            leave();
            return undefined;
          } else state = "text";
        }
        return piece;
      };
    },
    close() {
      if (!open) return;
      open = false;
      process.off("SIGWINCH", resized);
      if (before !== undefined) stty(before);
    },
  };
}

/**
 * Sets or reads the modes of the terminal by the program for that: the runtime's own raw mode goes on turning line
 * feeds of the output into two characters, which the task's terminal has done already.
 */
function stty(...words: string[]): string | undefined {
  const { success, stdout } = Bun.spawnSync(["stty", ...words], { stdin: 0, stdout: "pipe", stderr: "ignore" });
  const text = stdout.toString().trim();
  return success ? text : undefined;
}
