/**
 * Tasks that tell on themselves: each appends a line to a file of its own when it starts, with its attempt and the
 * worker that runs it, so that every second start is visible whatever gc says. They are handed over and fetched by
 * commands that may be killed at any moment, as a person's would.
 */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Result } from "../../core/schema/result.ts";
import type { TaskSpec } from "../../core/schema/task.ts";
import { Outbox } from "../../core/submit/outbox.ts";
import { type EnvelopeId, taskId } from "../../core/task/id.ts";
import { ended, type World } from "./world.ts";

/** A task result as `gc result --json` prints it. */
export type Shown = Result & { id: string };

/** One start of a task, as the task itself noted it. */
export interface Start {
  attempt: number;
  /** 0: its worker was dead before the task had run a line. */
  worker_pid: number;
}

/** Some tasks that are submitted by one command. */
export class Batch {
  readonly group = crypto.randomUUID();
  readonly tasks: TaskSpec[];
  readonly endpoint: string;
  /** The envelope, once it is on stable storage at the client. */
  id: EnvelopeId | undefined;
  /** What was fetched, each time. */
  readonly fetched: Shown[][] = [];
  private readonly world: World;
  private readonly dir: string;

  /** @param seconds how long each task runs. Every second one is `on_lost: fail`. */
  constructor(world: World, endpoint: string, seconds: readonly number[]) {
    this.world = world;
    this.endpoint = endpoint;
    this.dir = join(world.folder, "starts");
    mkdirSync(this.dir, { recursive: true });
    this.tasks = seconds.map((each, index) => ({
      script: [
        "grep -qs __worker /proc/$PPID/cmdline && worker=$PPID || worker=0",
        `echo "$GC_TASK_ATTEMPT $worker" >> ${this.file(index)}`,
        wait(each),
        'echo "$GC_TASK_ATTEMPT"',
      ].join("; "),
      on_lost: index % 2 === 0 ? "rerun" : "fail",
    }));
  }

  /** Begins to hand it over. The command may be killed; `handedOver` then tells whether it must be done again. */
  submit(): Bun.Subprocess<"ignore" | Blob, "pipe", "pipe"> {
    return this.world.start(this.submitArgs());
  }

  submitArgs(): string[] {
    const path = join(this.dir, `${this.group}.jsonl`);
    writeFileSync(path, this.tasks.map((task) => JSON.stringify(task)).join("\n"));
    return ["submit", "-e", this.endpoint, "--group", this.group, "--file", path];
  }

  /** Whether the client has it on stable storage. What was printed must be there. */
  handedOver(printed: string): boolean {
    const { home } = this.world;
    const outbox = new Outbox({ outbox: join(home, "outbox"), sent: join(home, "sent") }, "local");
    const kept = outbox.list(Number.MAX_SAFE_INTEGER, this.group);
    if (kept.length > 1) throw new Error(`One submit made ${kept.length} envelopes of group ${this.group}`);
    this.id = kept[0]?.head.id as EnvelopeId | undefined;
    const ids = printed.trim().split("\n").filter(Boolean);
    const known = this.taskIds();
    const unknown = ids.filter((id) => !known.includes(id));
    if (unknown.length > 0) throw new Error(`Printed, yet not in the outbox: ${unknown.join(", ")}`);
    return this.id !== undefined;
  }

  taskIds(): string[] {
    const { id } = this;
    return id === undefined ? [] : this.tasks.map((_, index) => taskId(id, index));
  }

  /** Begins to fetch the results, and waits for those that are not there. */
  fetch(): Bun.Subprocess<"ignore" | Blob, "pipe", "pipe"> {
    return this.world.start(["result", "--wait", "--timeout", "100", "--json", "--group", this.group]);
  }

  /** Notes what a fetch brought; false when it did not come to its end. */
  take(stdout: string): boolean {
    let results: Shown[];
    try {
      results = (JSON.parse(stdout) as { results: Shown[] }).results;
    } catch {
      return false;
    }
    if (results.length < this.tasks.length) return false;
    this.fetched.push(results);
    return true;
  }

  /** Fetches until it is done. @throws Error with what the command said last, after `tries`. */
  async fetchAll(tries = 5): Promise<Shown[]> {
    let said = "";
    for (let i = 0; i < tries; i++) {
      const { stdout, stderr } = await ended(this.fetch());
      if (this.take(stdout)) return this.fetched.at(-1) ?? [];
      said = stderr;
    }
    throw new Error(`The results of ${this.group} do not come: ${said}`);
  }

  /** Starts of the task `index`, in the order in which they happened. */
  starts(index: number): Start[] {
    const path = this.file(index);
    if (!existsSync(path)) return [];
    const lines = readFileSync(path, "utf8").trim().split("\n");
    return lines.map((line) => {
      const [attempt, worker_pid] = line.split(" ").map(Number);
      return { attempt: attempt ?? 0, worker_pid: worker_pid ?? 0 };
    });
  }

  private file(index: number): string {
    return join(this.dir, `${this.group}.${index}`);
  }
}

function wait(seconds: number): string {
  return `sleep ${seconds.toFixed(3)}`;
}

/** What the tasks, their results and the kills together say. Each of the lists must be empty. */
export interface Verdict {
  tasks: number;
  /** Tasks without a result. */
  lost: string[];
  /** Tasks with two results, or another one when it was fetched again. */
  duplicated: string[];
  /** `on_lost: fail` and started twice. */
  restarted: string[];
  /** Starts that no dead worker explains, and results that no start does. */
  unexplained: string[];
  /** Starts after the first. */
  rerun: number;
  /** `on_lost: fail`, and the worker died: ended as lost, as it was asked for. */
  given_up: number;
  /** Three workers died with it. */
  poisoned: number;
}

/** Compares it all. `dead`: pids of workers that were killed. */
export function judge(batches: readonly Batch[], dead: ReadonlySet<number>): Verdict {
  const verdict: Verdict = {
    tasks: 0,
    lost: [],
    duplicated: [],
    restarted: [],
    unexplained: [],
    rerun: 0,
    given_up: 0,
    poisoned: 0,
  };
  for (const batch of batches) {
    const ids = batch.taskIds();
    for (const [index, task] of batch.tasks.entries()) {
      verdict.tasks += 1;
      const id = ids[index] ?? `${batch.group}.${index}`;
      const results = batch.fetched.map((fetch) => fetch.filter((shown) => shown.id === id));
      judgeTask(verdict, id, task.on_lost ?? "rerun", results, batch.starts(index), dead);
    }
  }
  return verdict;
}

function judgeTask(
  verdict: Verdict,
  id: string,
  on_lost: "rerun" | "fail",
  results: readonly Shown[][],
  starts: readonly Start[],
  dead: ReadonlySet<number>,
): void {
  const [result] = results[0] ?? [];
  if (result === undefined) {
    verdict.lost.push(id);
    return;
  }
  const bytes = JSON.stringify(result);
  if (results.some((fetch) => fetch.length !== 1 || JSON.stringify(fetch[0]) !== bytes)) verdict.duplicated.push(id);
  verdict.rerun += Math.max(0, starts.length - 1);
  if (on_lost === "fail" && starts.length > 1) verdict.restarted.push(id);
  const lived = ({ worker_pid }: Start): boolean => worker_pid !== 0 && !dead.has(worker_pid);
  const blame = (why: string): void => {
    verdict.unexplained.push(`${id}: ${why}; starts ${JSON.stringify(starts)}, result ${bytes}`);
  };
  for (const [at, start] of starts.entries()) {
    const next = starts[at + 1];
    if (next !== undefined && next.attempt <= start.attempt) blame("an attempt ran twice");
    if (next !== undefined && lived(start)) blame("rerun, although its worker lived");
  }
  const { class: ending } = result.outcome;
  const final = starts.at(-1);
  if (ending === "ok") {
    const told = Number(result.stdout.text);
    if (!starts.some(({ attempt }) => attempt === told) || told !== result.attempt)
      blame("result of an unknown attempt");
  } else if (ending === "lost" && on_lost === "fail") {
    verdict.given_up += 1;
    if (final !== undefined && lived(final)) blame("lost, although its worker lived");
  } else if (ending === "poisoned" && on_lost === "rerun") {
    verdict.poisoned += 1;
    if (starts.some(lived)) blame("poisoned, although a worker lived");
  } else blame(`ended as ${ending}`);
}
