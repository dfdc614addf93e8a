/**
 * Commands as functions: text whose places are filled in with values, run by bash on the endpoint. Makes tasks and
 * reads their results; never sends one.
 */
import { ComputeError } from "./errors.ts";
import { type FormatValues, formatCommand } from "./format.ts";
import type { TaskResult } from "./messages.ts";
import { streamText } from "./messages.ts";

/** What a command came back with. `returncode` is 124 when its walltime was over. */
export interface ShellFields {
  cmd: string;
  stdout: string;
  stderr: string;
  returncode: number;
  exception_name: string | null;
}

/** The same as an object that prints well. */
export class ShellResult implements ShellFields {
  readonly cmd: string;
  readonly stdout: string;
  readonly stderr: string;
  readonly returncode: number;
  readonly exception_name: string | null;

  constructor(fields: ShellFields) {
    this.cmd = fields.cmd;
    this.stdout = fields.stdout;
    this.stderr = fields.stderr;
    this.returncode = fields.returncode;
    this.exception_name = fields.exception_name;
  }

  /** The end of the output; when it failed, also that of standard error. */
  toString(): string {
    const parts = this.returncode === 0 ? [this.stdout] : [this.stdout, "stderr: ", this.stderr];
    return parts
      .map((text) => text.split("\n").slice(-11).join("\n").slice(-1024))
      .join("\n")
      .replace(/\n+$/, "");
  }
}

export interface ShellOptions<AsDict extends boolean = false> {
  /** Seconds after which it is ended with all that it started (returncode 124). */
  walltime?: number;
  /** Last lines of each stream that come back; default 1000. */
  snippetLines?: number;
  /** The result is a plain object instead of a `ShellResult`. */
  returnDict?: AsDict;
  /** Files at the endpoint that the output is appended to as well. */
  stdout?: string;
  stderr?: string;
  /** For people, and in `gc function list`: a word without blanks. */
  name?: string;
}

/** What of a task says which command it is. */
export interface CommandSpec {
  argv?: string[];
  script?: string;
  snippet_lines: number;
  walltime_s?: number;
}

/** A command as a function: `{name}` in it is filled in with the value of that name. */
export class ShellFunction<AsDict extends boolean = false> {
  readonly cmd: string;
  readonly walltime: number | undefined;
  readonly snippetLines: number;
  readonly returnDict: AsDict;
  readonly stdout: string | undefined;
  readonly stderr: string | undefined;
  readonly name: string;

  /** @throws ComputeError `shell.invalid` for options that cannot be. */
  constructor(cmd: string, options: ShellOptions<AsDict> = {}) {
    const { walltime, snippetLines = 1000, returnDict = false, stdout, stderr, name = new.target.name } = options;
    const wrong = (message: string) => new ComputeError(message, "shell.invalid");
    if (typeof cmd !== "string" || cmd === "") throw wrong(`The command must be text, not ${JSON.stringify(cmd)}`);
    if (walltime !== undefined && !(walltime >= 0)) throw wrong(`The walltime must not be negative: ${walltime}`);
    if (!Number.isSafeInteger(snippetLines) || snippetLines < 0 || snippetLines > 1_000_000) {
      throw wrong(`snippetLines must be a whole number up to 1000000, not ${snippetLines}`);
    }
    if (!/^[\p{L}_][\p{L}\p{N}_]*$/u.test(name)) throw wrong(`The name must be a word without blanks: "${name}"`);
    this.cmd = cmd;
    this.walltime = walltime;
    this.snippetLines = snippetLines;
    this.returnDict = returnDict as AsDict;
    this.stdout = stdout;
    this.stderr = stderr;
    this.name = name;
  }

  /** The command with its places filled in. @throws ComputeError `format.invalid`. */
  line(values: FormatValues): string {
    return formatCommand(this.cmd, values);
  }

  /** What to run for a line. With ranks it is a script, which starts them itself; of a program each would be one. */
  spec(line: string, has_ranks = false): CommandSpec {
    const { snippetLines: snippet_lines, walltime } = this;
    const limits = { snippet_lines, ...(walltime === undefined ? {} : { walltime_s: walltime }) };
    const words = bashWords(this, line);
    if (!has_ranks) return { argv: words, ...limits };
    return { script: `exec ${words.map((word) => `'${word.replaceAll("'", "'\\''")}'`).join(" ")}`, ...limits };
  }

  /** The result of that line. */
  result(line: string, result: TaskResult): ShellFields | ShellResult {
    const { exit_code, cause } = result.outcome;
    const failure = exit_code === 0 ? null : "subprocess.CalledProcessError";
    const fields: ShellFields = {
      cmd: line,
      stdout: streamText(result.stdout),
      stderr: streamText(result.stderr),
      returncode: exit_code,
      exception_name: cause === "walltime" ? "subprocess.TimeoutExpired" : failure,
    };
    return this.returnDict ? fields : new ShellResult(fields);
  }
}

/**
 * A command that an MPI launcher starts on the nodes and ranks that `resourceSpecification` of the executor names. Only
 * the first word is started in ranks: what follows a `|` or `&&` runs once.
 */
export class MPIFunction<AsDict extends boolean = false> extends ShellFunction<AsDict> {
  /** The worker puts the launcher and its options into PARSL_MPI_PREFIX. */
  override line(values: FormatValues): string {
    return `$PARSL_MPI_PREFIX ${super.line(values)}`;
  }
}

function bashWords({ stdout, stderr, snippetLines }: ShellFunction<boolean>, line: string): string[] {
  if (stdout === undefined && stderr === undefined) return ["bash", "-c", line];
  const files = [stdout ?? "/dev/fd/1", stderr ?? "/dev/fd/2"];
  return ["bash", "-c", withFiles, "bash", line, String(snippetLines), ...files];
}

/**
 * Runs a command with its output appended to files, and then prints the ends of the files. It outlives the signal that
 * ends the command, so that what was written until then comes back.
 */
const withFiles = [
  "trap : TERM",
  "cmd=$1 lines=$2 out=$3 err=$4",
  'for file in "$out" "$err"; do case $file in */*) mkdir -p "${' + 'file%/*}" || exit 125 ;; esac; done',
  'bash -c "$cmd" >>"$out" 2>>"$err" &',
  "wait $!; code=$?",
  '[ "$out" = /dev/fd/1 ] || tail -n "$lines" "$out"',
  '[ "$err" = /dev/fd/2 ] || tail -n "$lines" "$err" >&2',
  "exit $code",
].join("\n");
