/**
 * What `gc map` shows of ended tasks: their output, each task's as a whole, as they end or in the order of the input;
 * to the streams, or to files named by a template. With --json one document, a result at a time.
 */
import * as fs from "node:fs";
import { dirname } from "node:path";
import { fileError } from "../../core/host/files.ts";
import type { Result } from "../../core/schema/result.ts";
import { bytesOf } from "../../core/submit/follow.ts";
import type { TaskId } from "../../core/task/id.ts";
import type { Cli } from "../cli.ts";
import { isWhole } from "../result.ts";
import { writeFully } from "../streams.ts";
import { type Input, plainFor } from "./template.ts";

/** One task of the map. `seq` counts from 1. */
export interface Item {
  readonly seq: number;
  readonly input: Input;
  readonly command: string;
}

export interface OutputWish {
  /** In front of every line, with the input. */
  readonly tag: boolean;
  /** Templates of names of files. */
  readonly out?: string;
  readonly err?: string;
}

export class MapOutput {
  private readonly cli: Cli;
  private readonly wish: OutputWish;
  private begun = false;

  constructor(cli: Cli, wish: OutputWish) {
    this.cli = cli;
    this.wish = wish;
  }

  /** Writes out what a task came back with. @throws ReaderGone, GcError io. */
  async show(item: Item, id: TaskId, result: Result): Promise<void> {
    if (this.cli.printer.mode === "json") return this.showJson(item, id, result);
    const [out, err] = [outOf(result), errOf(result)];
    const { wish } = this;
    if (wish.out !== undefined) writeFile(plainFor(wish.out, item.input, item.seq), out);
    else await this.write(1, item, out);
    if (wish.err !== undefined) writeFile(plainFor(wish.err, item.input, item.seq), err);
    else await this.write(2, item, err);
    if (!isWhole(result)) this.cli.printer.note(`only the end of the output of ${id}; all of it: gc logs ${id}`);
    const { reason, cause } = result.outcome;
    if (reason !== undefined && cause !== "exit" && cause !== "exception") this.cli.printer.warn(`${id}: ${reason}`);
  }

  /** Says how it went, as the end of the document. */
  async end(summary: { [name: string]: unknown }): Promise<void> {
    if (this.cli.printer.mode !== "json") return;
    const head = this.begun ? "\n]" : '{"schema":"gc/map/v1","results":[]';
    await writeFully(1, Buffer.from(`${head},"summary":${JSON.stringify(summary)}}\n`));
  }

  private async showJson({ seq, command }: Item, id: TaskId, result: Result): Promise<void> {
    const head = this.begun ? ",\n" : '{"schema":"gc/map/v1","results":[\n';
    this.begun = true;
    await writeFully(1, Buffer.from(head + JSON.stringify({ seq, id, command, ...result })));
  }

  private async write(fd: 1 | 2, { input }: Item, bytes: Uint8Array): Promise<void> {
    if (bytes.byteLength === 0) return;
    if (!this.wish.tag) return writeFully(fd, bytes);
    const tag = `${input.columns.join(" ")}\t`;
    // Each byte a character, so that output in no encoding passes through.
    const lines = Buffer.from(bytes).toString("latin1").split("\n");
    const open = lines.pop() ?? "";
    const tagged = [...lines.map((line) => `${line}\n`), ...(open === "" ? [] : [open])];
    await writeFully(fd, Buffer.concat(tagged.flatMap((line) => [Buffer.from(tag), Buffer.from(line, "latin1")])));
  }
}

/** Standard output, and behind it the value of a function. */
function outOf({ stdout, value }: Result): Uint8Array {
  const bytes = bytesOf(stdout);
  if (value === undefined) return bytes;
  const apart = bytes.byteLength > 0 && bytes.at(-1) !== 10 ? "\n" : "";
  return Buffer.concat([bytes, Buffer.from(`${apart}${value.kind === "json" ? value.text : value.base64}\n`)]);
}

function errOf({ stderr, exception }: Result): Uint8Array {
  const bytes = bytesOf(stderr);
  if (exception === undefined) return bytes;
  const told = exception.traceback === "" ? `${exception.type}: ${exception.message}\n` : exception.traceback;
  return Buffer.concat([bytes, Buffer.from(told)]);
}

function writeFile(path: string, bytes: Uint8Array): void {
  try {
    fs.mkdirSync(dirname(path), { recursive: true });
    fs.writeFileSync(path, bytes);
  } catch (cause) {
    throw fileError("write", path, cause);
  }
}
