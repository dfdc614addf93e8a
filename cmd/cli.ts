/**
 * What every command is given: the world, the home folder, the printer, and who sits at the other end of the three
 * descriptors. Made once per process; `settle` is called when the options of the command are known.
 */
import { type Home, openHome } from "../core/config/home.ts";
import type { Host } from "../core/host/host.ts";
import { createLog, type LogLevel } from "../core/host/log.ts";
import { realHost } from "../core/host/real_host.ts";
import { isTerminal } from "./descriptor.ts";
import { writeOut } from "./output.ts";
import { loadPainter, type Mode, makePrinter, type Painter, type Printer, wantsColor } from "./printer.ts";

/** The options that every command takes. */
export interface GlobalOptions {
  json?: boolean;
  quiet?: boolean;
  verbose?: boolean;
  color?: boolean;
  context?: string;
}

export interface Cli {
  /** The command line, without the program. */
  readonly words: readonly string[];
  readonly host: Host;
  readonly env: Host["env"];
  /** The home folder; the first use checks whose it is and who may write there. */
  readonly home: Home;
  /** Settled before an action runs; ask for it then, not earlier. */
  readonly printer: Printer;
  /** Which descriptors are terminals. */
  readonly terminal: { readonly stdin: boolean; readonly stdout: boolean; readonly stderr: boolean };
  /** Whether a question may be asked: a person types, a person reads, and no program waits for JSON. */
  readonly interactive: boolean;
  /** The relay to talk to, by name: `--context`, else GC_CONTEXT, else none (the current one of contexts.json). */
  readonly context: string | undefined;
  /** What the process will exit with when the action returns; 0 until a command says otherwise. */
  exit_code: number;
}

/** A Cli whose options are not known yet. */
export interface UnsettledCli extends Cli {
  readonly error_painter: Painter;
  settle(options: GlobalOptions): void;
}

/** The Cli of this process. `words` is only looked at for what must be known before parsing. */
export async function makeCli(words: readonly string[]): Promise<UnsettledCli> {
  const terminal = { stdin: isTerminal(0), stdout: isTerminal(1), stderr: isTerminal(2) };
  let level: LogLevel = "warn";
  const env = realHost(silent).env;
  const own = beforeDashes(words);
  const allowed = !own.includes("--no-color");
  const painters = {
    out: await loadPainter(allowed && wantsColor(env, terminal.stdout)),
    err: await loadPainter(allowed && wantsColor(env, terminal.stderr)),
  };
  const log = (own: LogLevel) => (event: string, fields?: Parameters<Host["log"]["info"]>[1]) =>
    createLog((line) => writeOut(2, `${line}\n`), level, Date.now)[own](event, fields);
  const host = realHost({ debug: log("debug"), info: log("info"), warn: log("warn"), error: log("error") });
  let options: GlobalOptions = {};
  let home: Home | undefined;
  let printer = makePrinter(modeOf({ json: own.includes("--json") }, env), painters);
  return {
    words,
    host,
    env: host.env,
    terminal,
    error_painter: painters.err,
    exit_code: 0,
    get home() {
      home ??= openHome(host.env);
      return home;
    },
    get printer() {
      return printer;
    },
    get interactive() {
      return terminal.stdin && terminal.stderr && printer.mode === "human" && (host.env.GC_NO_INPUT ?? "") === "";
    },
    get context() {
      return options.context ?? (host.env.GC_CONTEXT || undefined);
    },
    settle(chosen) {
      options = chosen;
      if (chosen.verbose) level = "debug";
      printer = makePrinter(modeOf(chosen, host.env), painters);
    },
  };
}

/** How the answer is wanted: `--json`, else GC_OUTPUT=json, else `--quiet`, else for people. */
export function modeOf(options: GlobalOptions, env: Host["env"]): Mode {
  if (options.json || (!options.quiet && env.GC_OUTPUT === "json")) return "json";
  return options.quiet ? "quiet" : "human";
}

/** The words that are gc's own: those before `--`. */
export function beforeDashes(words: readonly string[]): readonly string[] {
  const dashes = words.indexOf("--");
  return dashes === -1 ? words : words.slice(0, dashes);
}

const silent: Host["log"] = { debug() {}, info() {}, warn() {}, error() {} };
