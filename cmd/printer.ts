/**
 * The one way to say something. Standard output carries what was asked for and nothing else; everything said about it
 * goes to standard error. A command returns data and says how it looks for people; whether people or a program read is
 * decided here.
 */
import type { ChalkInstance } from "chalk";
import { writeOut } from "./output.ts";
import { visible } from "./visible.ts";

/** `human`: words and tables. `json`: one document with a schema name. `quiet`: the payload, no words around it. */
export type Mode = "human" | "json" | "quiet";

/** A document of `--json`: its schema is `gc/<thing>/v<version>`. */
export type SchemaId = `gc/${string}/v${number}`;

/** One column of a table: its heading, and its cell for a row. Cells are made harmless by the table. */
export interface Column<Row> {
  heading: string;
  cell(row: Row): string | number | undefined;
  align?: "right";
  paint?(text: string, row: Row): string;
}

/** What Painter leaves as it is when colour is off. */
export interface Painter {
  bold(text: string): string;
  dim(text: string): string;
  red(text: string): string;
  green(text: string): string;
  yellow(text: string): string;
  cyan(text: string): string;
}

export interface Printer {
  readonly mode: Mode;
  /** Colours for standard output. */
  readonly paint: Painter;
  /**
   * Answers the command: `value` as one JSON document, or the text that `human` makes of it, or the bare payload that
   * `quiet` makes of it (what `human` makes, when it is not given).
   */
  document(schema: SchemaId, value: object, human: () => string, quiet?: () => string): void;
  /** One line of an answer that has no end, such as `--follow`: one JSON document a line, or `human`'s text. */
  line(schema: SchemaId, value: object, human: () => string): void;
  /** Bytes exactly as they are, in every mode. */
  payload(content: string | Uint8Array): void;
  /** Something good to know, to standard error; silent when quiet or JSON. */
  note(text: string): void;
  /** Something off, to standard error; silent only when quiet. */
  warn(text: string): void;
  /** Rows as aligned columns, with a dim heading. */
  table<Row>(rows: readonly Row[], columns: readonly Column<Row>[]): string;
}

const plain: Painter = {
  bold: (text) => text,
  dim: (text) => text,
  red: (text) => text,
  green: (text) => text,
  yellow: (text) => text,
  cyan: (text) => text,
};

/** Whether to colour a stream: NO_COLOR and --no-color win, then FORCE_COLOR, then whether it is a terminal. */
export function wantsColor(env: { readonly [name: string]: string | undefined }, is_terminal: boolean): boolean {
  if ((env.NO_COLOR ?? "") !== "") return false;
  if ((env.FORCE_COLOR ?? "") !== "" && env.FORCE_COLOR !== "0") return true;
  return is_terminal && env.TERM !== "dumb" && env.CLICOLOR !== "0";
}

/** Colours for a stream that wants them; chalk is only loaded then. */
export async function loadPainter(colored: boolean): Promise<Painter> {
  if (!colored) return plain;
  const { Chalk } = await import("chalk");
  const chalk: ChalkInstance = new Chalk({ level: 1 });
  return chalk;
}

/** A printer for one command. `write` takes the descriptor (1 or 2) and the text. */
export function makePrinter(
  mode: Mode,
  painters: { out: Painter; err: Painter },
  write: (fd: 1 | 2, content: string | Uint8Array) => void = writeOut,
): Printer {
  const say = (text: string): void => {
    if (text !== "") write(1, text.endsWith("\n") ? text : `${text}\n`);
  };
  return {
    mode,
    paint: painters.out,
    document(schema, value, human, quiet) {
      if (mode === "json") say(JSON.stringify({ schema, ...value }, null, 2));
      else say(mode === "quiet" && quiet !== undefined ? quiet() : human());
    },
    line(schema, value, human) {
      say(mode === "json" ? JSON.stringify({ schema, ...value }) : human());
    },
    payload: (content) => write(1, content),
    note(text) {
      if (mode === "human") write(2, `${painters.err.dim(text)}\n`);
    },
    warn(text) {
      if (mode !== "quiet") write(2, `${painters.err.yellow("warning:")} ${text}\n`);
    },
    table: (rows, columns) => formatTable(rows, columns, painters.out),
  };
}

/** Columns two spaces apart, as wide as their widest cell; the last one is not padded. */
function formatTable<Row>(rows: readonly Row[], columns: readonly Column<Row>[], paint: Painter): string {
  const cells = rows.map((row) => columns.map((column) => visible(String(column.cell(row) ?? "-"))));
  const widths = columns.map((column, i) =>
    Math.max(Bun.stringWidth(column.heading), ...cells.map((line) => Bun.stringWidth(line[i] ?? ""))),
  );
  const pad = (text: string, i: number): string => {
    const gap = " ".repeat(Math.max(0, (widths[i] ?? 0) - Bun.stringWidth(text)));
    if (columns[i]?.align === "right") return gap + text;
    return i === columns.length - 1 ? text : text + gap;
  };
  const heading = paint.dim(columns.map((column, i) => pad(column.heading, i)).join("  "));
  const lines = cells.map((line, r) =>
    line
      .map((cell, i) => {
        const row = rows[r] as Row;
        return columns[i]?.paint?.(pad(cell, i), row) ?? pad(cell, i);
      })
      .join("  ")
      .trimEnd(),
  );
  return [heading.trimEnd(), ...lines].join("\n");
}
