/**
 * What a running task has to itself on disk: a sandbox and a file for each stream. Made once per slot, used by turns.
 */
import { join } from "node:path";
import type { Output } from "../schema/result.ts";
import type { TaskSpec } from "../schema/task.ts";
import { Capture, nothing } from "./output.ts";
import { Sandbox } from "./sandbox.ts";

/** Where berths are made. */
export interface BerthPlaces {
  worker_id: string;
  sandboxes: string;
  outputs: string;
  monotonic(): number;
}

/** What there is of a task when it is over; `files_left`: in its sandbox. */
export interface Harvested {
  stdout: Output;
  stderr: Output;
  files_left: boolean;
}

/** The place of one running task. */
export class Berth {
  readonly sandbox: Sandbox;
  readonly stdout: Capture;
  readonly stderr: Capture;
  readonly #places: BerthPlaces;

  constructor(places: BerthPlaces, index: number) {
    const name = slotName(places.worker_id, index);
    this.#places = places;
    this.sandbox = new Sandbox(places.sandboxes, name, places.monotonic);
    this.stdout = new Capture(join(places.outputs, `${name}.out`));
    this.stderr = new Capture(join(places.outputs, `${name}.err`));
  }

  /**
   * Takes in what the task wrote and gets ready for the next. `clean`: nothing of the task is left that could write.
   * The files stay if results do not hold all, and for those who follow them and may not be at the end.
   */
  harvest(tid: string, attempt: number, spec: TaskSpec, clean: boolean, followed: boolean): Harvested {
    const one = (capture: Capture, ending: "out" | "err"): Output => {
      if (spec.output === "discard") return nothing;
      const output = capture.harvest(spec.snippet_lines);
      if (output.total > output.kept || (followed && output.total > 0))
        capture.keepAs(outputFile(this.#places.outputs, tid, attempt, ending));
      else if (!clean) capture.abandon();
      else if (output.total > 0) capture.recycle();
      return output;
    };
    const [stdout, stderr] = [one(this.stdout, "out"), one(this.stderr, "err")];
    return { stdout, stderr, files_left: this.sandbox.leave(tid, attempt) };
  }

  remove(): void {
    this.stdout.close();
    this.stderr.close();
    this.sandbox.remove();
  }
}

/** Berths by demand: a worker with many slots that never runs many tasks makes few. */
export class Berths {
  readonly #places: BerthPlaces;
  readonly #first: number;
  readonly #free: Berth[] = [];
  readonly #all: Berth[] = [];

  /** `first`: number of the first, where there are others with the same outputs. */
  constructor(places: BerthPlaces, first = 0) {
    this.#places = places;
    this.#first = first;
  }

  /** @throws the error of the file system when there is no room for another one. */
  take(): Berth {
    const free = this.#free.pop();
    if (free !== undefined) return free;
    const made = new Berth(this.#places, this.#first + this.#all.length);
    this.#all.push(made);
    return made;
  }

  /** Where its sandboxes are. */
  get sandboxes(): string {
    return this.#places.sandboxes;
  }

  give(berth: Berth): void {
    this.#free.push(berth);
  }

  removeAll(): void {
    for (const berth of this.#all) berth.remove();
  }
}

/** The first part of the names of what slots use; sandboxes and outputs may be shared by workers. */
export function slotName(worker_id: string, index: number | ""): string {
  return `${worker_id}.slot${index}`;
}

/** Where the output of an attempt is after its end, if the result does not hold all of it. The endpoint removes it. */
export function outputFile(outputs: string, tid: string, attempt: number, ending: "out" | "err"): string {
  return join(outputs, `${tid}.${attempt}.${ending}`);
}
