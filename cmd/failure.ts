/**
 * The one place where something thrown becomes words and an exit code. A GcError is for the person who typed; anything
 * else is our bug and asks for a report. Nothing thrown while printing hides the first cause.
 */
import { exitCodeByKind, GcError, messageOf } from "../core/errors.ts";
import { writeOut } from "./output.ts";
import type { Painter } from "./printer.ts";
import { QuietEnd } from "./quiet_end.ts";
import { commit, version } from "./version.ts";
import { visible, visibleText } from "./visible.ts";

/** How a failure is told. */
export interface Telling {
  json: boolean;
  paint: Painter;
  /** Exit code of every failure of this command, instead of the kind's own: 125 for `gc run` (DESIGN §9). */
  exit_code?: number | undefined;
  write?: (text: string) => void;
}

/** A command line that commander refused: the sentence it wrote, and the command to ask for help. */
export interface Refused {
  message: string;
  help: string;
}

/** Tells what went wrong on standard error and returns the exit code. */
export function tellFailure(error: unknown, telling: Telling): number {
  if (error instanceof QuietEnd) return error.exit_code;
  const known = error instanceof GcError ? error : undefined;
  const write = telling.write ?? ((text: string) => writeOut(2, text));
  try {
    write(telling.json ? asDocument(error, known) : asWords(error, known, telling.paint));
  } catch {
    // Nobody reads our errors; the exit code still tells.
  }
  return telling.exit_code ?? exitCodeByKind[known?.kind ?? "internal"];
}

/** A refused command line as an error: first line says what, a second one has commander's guess. */
export function usageError(refused: Refused): GcError {
  const [first = "", ...guess] = refused.message.replace(/^error: /, "").split("\n");
  const said = first.charAt(0).toUpperCase() + first.slice(1).replace(/'([^']*)'/g, '"$1"');
  const meant = guess.join(" ").replace(/^\((.*)\)$/, "$1");
  const sentence = meant === "" ? said : `${said}. ${meant}`;
  return new GcError("usage", "usage.refused", sentence.replace(/\.$/, ""), { hint: refused.help });
}

function asWords(error: unknown, known: GcError | undefined, paint: Painter): string {
  if (known !== undefined) {
    const hint = known.hint === undefined ? "" : `  ${paint.dim("next:")} ${visible(known.hint)}\n`;
    return `${paint.red("error:")} ${visibleText(known.message)}\n${hint}`;
  }
  const trace = error instanceof Error && error.stack !== undefined ? error.stack : messageOf(error);
  return (
    `${paint.red("bug:")} gc broke: ${visibleText(messageOf(error))}\n` +
    `${visibleText(trace)}\n` +
    `  ${paint.dim("next:")} report this text with what you typed (gc ${version}, ${commit})\n`
  );
}

function asDocument(error: unknown, known: GcError | undefined): string {
  const { code, message, hint, retry_after_ms } = known ?? {
    code: "internal.bug",
    message: messageOf(error),
    hint: `report this with what you typed (gc ${version}, ${commit})`,
    retry_after_ms: undefined,
  };
  return `${JSON.stringify({ schema: "gc/error/v1", error: { code, message, hint, retry_after_ms } })}\n`;
}
