/**
 * Tasks from lines of JSON: an array is program and arguments, an object is a whole task, a string is a line of shell.
 * Lines are read as they come and checked before anything of their batch is sent.
 */
import * as fs from "node:fs";
import { nearest } from "../core/config/nearest.ts";
import { GcError, messageOf } from "../core/errors.ts";
import { fileError } from "../core/host/files.ts";
import { bodyBytesMax, tasksPerEnvelopeMax } from "../core/limits.ts";
import { type TaskSpec, taskKinds, taskSpecSchema } from "../core/schema/task.ts";
import { problems } from "../core/schema/validate.ts";
import { rankFault } from "../core/task/ranks.ts";
import { readSome } from "./streams.ts";

/** A batch of tasks, and the number of its first line. */
export interface TaskLines {
  tasks: TaskSpec[];
  first_line: number;
}

/** Bytes of lines in one batch: below what one envelope holds, whatever sealing and `base` add. */
const batchBytesMax = bodyBytesMax - 512 * 1024;
/** A line that is longer is not read to its end. Shorter ones are judged by what their task takes, not by their
 * text. */
const lineCharsMax = 2 * bodyBytesMax;

/**
 * Batches of at most 10,000 tasks from a file; `-` is standard input. Holds one batch at a time.
 * @throws GcError data `task.line` with the number of the line that is wrong.
 */
export async function* taskBatches(path: string): AsyncGenerator<TaskLines> {
  let tasks: TaskSpec[] = [];
  let bytes = 0;
  let number = 0;
  let first = 1;
  for await (const line of lines(path)) {
    number += 1;
    if (line.trim() === "") continue;
    const size = Buffer.byteLength(line);
    if (tasks.length > 0 && (tasks.length >= tasksPerEnvelopeMax || bytes + size > batchBytesMax)) {
      yield { tasks, first_line: first };
      tasks = [];
      bytes = 0;
    }
    if (tasks.length === 0) first = number;
    tasks.push(taskOf(line, number));
    bytes += size;
  }
  if (tasks.length > 0) yield { tasks, first_line: first };
}

/** One line as a task. */
export function taskOf(line: string, number: number): TaskSpec {
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch (cause) {
    throw wrong(number, `it is not JSON: ${messageOf(cause)}`);
  }
  const spec = Array.isArray(value) ? { argv: value } : typeof value === "string" ? { script: value } : value;
  const [problem] = problems("task_spec", spec);
  if (problem !== undefined) throw wrong(number, sentence(problem));
  const task = spec as TaskSpec;
  const kinds = taskKinds.filter((kind) => task[kind] !== undefined);
  if (kinds.length !== 1) throw wrong(number, 'it needs either "argv", "script", "python" or "python_script"');
  const fault = rankFault(task.resources ?? {});
  if (fault !== undefined) throw wrong(number, fault);
  if (task.stdin?.kind === "stream")
    throw wrong(number, "its input cannot be a stream, because nobody will be attached");
  return task;
}

function sentence(problem: { path: string; message: string; params: { [key: string]: unknown } }): string {
  const extra = problem.params.additionalProperty;
  if (typeof extra !== "string") return `${problem.path === "" ? "it" : problem.path} ${problem.message}`;
  const meant = problem.path === "" ? nearest(extra, Object.keys(taskSpecSchema.properties)) : undefined;
  return `there is no key "${extra}"${meant === undefined ? "" : `; did you mean "${meant}"?`}`;
}

function wrong(number: number, why: string): GcError {
  return new GcError("data", "task.line", `Line ${number} is not a task: ${why}`, { hint: "gc submit --help" });
}

async function* lines(path: string): AsyncGenerator<string> {
  let fd = 0;
  if (path !== "-") {
    try {
      fd = fs.openSync(path, "r");
    } catch (cause) {
      throw fileError("read", path, cause);
    }
  }
  const decoder = new TextDecoder();
  let rest = "";
  for (let piece = await readSome(fd); piece !== undefined; piece = await readSome(fd)) {
    const parts = (rest + decoder.decode(piece, { stream: true })).split("\n");
    rest = parts.pop() ?? "";
    if (rest.length > lineCharsMax) {
      const sizes = `more than ${lineCharsMax} characters; a task holds ${bodyBytesMax} bytes (10 MiB)`;
      throw new GcError("data", "task.too_large", `A line of tasks has ${sizes}`);
    }
    yield* parts;
  }
  rest += decoder.decode();
  if (rest !== "") yield rest;
  if (path !== "-") fs.closeSync(fd);
}
