/**
 * The log of `gc map --joblog`: one line per ended task, with the columns of GNU parallel and the task's id behind
 * them. The name of the last column holds the task group, so that `--resume` finds what was submitted and not logged.
 * A line that a kill cut off is dropped; the task's result is then fetched again, not run again.
 */
import * as fs from "node:fs";
import { constants } from "node:os";
import { GcError } from "../../core/errors.ts";
import { fileError, readTextIfThere } from "../../core/host/files.ts";
import type { Result } from "../../core/schema/result.ts";
import { type GroupId, isId, type TaskId } from "../../core/task/id.ts";

const columns = "Seq\tHost\tStarttime\tJobRuntime\tSend\tReceive\tExitval\tSignal\tCommand\tTask@";

export class Joblog {
  readonly group: GroupId;
  /** Commands of the tasks that are in the log, by number. */
  readonly done = new Map<number, string>();
  /** Tasks of the log that failed. */
  failed = 0;
  private readonly fd: number;
  private readonly path: string;

  /**
   * Opens the log for a new run, or to go on with an earlier one.
   * @throws GcError usage `map.joblog_exists`, data `map.joblog`.
   */
  constructor(path: string, resume: boolean, fresh: () => GroupId) {
    this.path = path;
    const before = readTextIfThere(path) ?? "";
    if (before !== "" && !resume) {
      const message = `The joblog "${path}" is there already`;
      throw new GcError("usage", "map.joblog_exists", message, { hint: "add --resume, or remove it" });
    }
    const whole = before.slice(0, before.lastIndexOf("\n") + 1);
    const [header = "", ...rows] = whole.split("\n").slice(0, -1);
    if (header !== "" && !(header.startsWith(columns) && isId(header.slice(columns.length)))) {
      throw new GcError("data", "map.joblog", `"${path}" is no joblog of gc map`);
    }
    this.group = header === "" ? fresh() : (header.slice(columns.length) as GroupId);
    for (const row of rows) this.learn(row);
    this.fd = opened(path);
    fs.ftruncateSync(this.fd, Buffer.byteLength(whole));
    if (header === "") {
      this.write(`${columns}${this.group}\n`);
      this.sync();
    }
  }

  add(seq: number, command: string, id: TaskId, result: Result): void {
    const { outcome, host, started_ms, ended_ms, stdout } = result;
    const signal = outcome.signal === undefined ? 0 : (constants.signals[outcome.signal as NodeJS.Signals] ?? 0);
    const cells = [
      seq,
      host,
      (started_ms / 1000).toFixed(3),
      ((ended_ms - started_ms) / 1000).toFixed(3),
      0,
      stdout.total,
      outcome.exit_code,
      signal,
      inOneCell(command),
      id,
    ];
    this.write(`${cells.join("\t")}\n`);
  }

  /** Makes the lines that were added outlast a power cut. */
  sync(): void {
    fs.fdatasyncSync(this.fd);
  }

  /** @throws GcError data `map.other_input` when task `seq` was another command the last time. */
  requireSame(seq: number, command: string): void {
    const before = this.done.get(seq);
    if (before === undefined || before === inOneCell(command)) return;
    const message = `Input ${seq} is another one than in "${this.path}": ${before}`;
    throw new GcError("data", "map.other_input", message, { hint: "resume with the command and input it began with" });
  }

  close(): void {
    fs.closeSync(this.fd);
  }

  private learn(row: string): void {
    const cells = row.split("\t");
    this.done.set(Number(cells[0]), cells[8] ?? "");
    if (cells[6] !== "0") this.failed += 1;
  }

  private write(text: string): void {
    const bytes = Buffer.from(text);
    for (let at = 0; at < bytes.length; ) at += fs.writeSync(this.fd, bytes, at);
  }
}

function inOneCell(command: string): string {
  return command.replace(/[\t\r\n]+/g, " ");
}

function opened(path: string): number {
  try {
    return fs.openSync(path, "a", 0o644);
  } catch (cause) {
    throw fileError("write", path, cause);
  }
}
