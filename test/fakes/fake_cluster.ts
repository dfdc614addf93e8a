/** A fake scheduler for tests: a folder of commands to put on PATH, and a hand on the queue behind them. */

import { chmodSync, existsSync, mkdirSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import type { SchedulerName } from "../../core/schema/batch_engine.ts";
import type { Answer, Command } from "../../providers/outcome.ts";
import { until } from "../e2e/until.ts";
import { answer } from "./answer.ts";
import type { Fault } from "./faults.ts";
import { type Job, Queue } from "./queue.ts";
import { speakerOf } from "./speakers.ts";

export type FakeName = Exclude<SchedulerName, "slurm">;

export interface FakeOptions {
  readonly nodes?: number;
  readonly history?: boolean;
  /** Number of the first job. */
  readonly first?: number;
}

/** Names of nodes as on the cluster where the real one was captured. */
const nodeNames: { readonly [name in FakeName]: string } = {
  pbspro: "pbsn",
  torque: "n",
  lsf: "n",
  openlava: "lava",
  cobalt: "cnode",
  gridengine: "sge",
};

const queueNames: { readonly [name in FakeName]: string } = {
  pbspro: "workq",
  torque: "batch",
  lsf: "normal",
  openlava: "normal",
  cobalt: "default",
  gridengine: "main.q",
};

export class FakeCluster {
  readonly scheduler: FakeName;
  /** The folder with the commands. */
  readonly bin: string;
  readonly queue: Queue;

  /** A fresh cluster in the folder `dir`. */
  constructor(scheduler: FakeName, dir: string, options: FakeOptions = {}) {
    this.scheduler = scheduler;
    this.bin = join(dir, "bin");
    mkdirSync(this.bin, { recursive: true });
    const { nodes = 4, history = true, first = 1 } = options;
    const names = Array.from({ length: nodes }, (_, i) => `${nodeNames[scheduler]}0${i + 1}`);
    const queues = [
      { name: queueNames[scheduler], open: true },
      { name: "closed", open: false },
    ];
    Queue.create(dir, { scheduler, nodes: names, queues, history }, first);
    this.queue = new Queue(dir);
    for (const name of Object.keys(speakerOf(scheduler).commands)) this.wrap(name, "speak.ts");
    const { launcher } = speakerOf(scheduler);
    if (launcher !== undefined) this.wrap(launcher, "remote.ts");
  }

  /** Puts a command on PATH. */
  private wrap(name: string, program: string): void {
    const path = join(this.bin, name);
    const words = [process.execPath, join(import.meta.dir, program), join(this.bin, ".."), name];
    writeFileSync(path, `#!/bin/sh\nexec ${words.map((word) => `'${word}'`).join(" ")} "$@"\n`);
    chmodSync(path, 0o755);
  }

  /** What a command of a provider is answered, without a process; undefined as exit code when it hangs. */
  ask({ argv: [path = "", ...args], stdin = "" }: Pick<Command, "argv" | "stdin">): Answer {
    const env = { PATH: this.path, HOME: this.queue.dir, USER: "alice" };
    const call = { queue: this.queue, args, stdin: () => stdin, cwd: this.queue.dir, env };
    const { code, stdout, stderr, hangs } = answer(basename(path), call);
    return { code: hangs ? undefined : code, stdout, stderr };
  }

  /** Paths of the commands, for a provider. */
  get commands(): { [name: string]: string } {
    return Object.fromEntries(
      Object.keys(speakerOf(this.scheduler).commands).map((name) => [name, join(this.bin, name)]),
    );
  }

  /** What a process gets that shall find this scheduler and no other. */
  get path(): string {
    return `${this.bin}:/usr/bin:/bin`;
  }

  jobs(): Job[] {
    return this.queue.all();
  }

  /** Those that wait or run. */
  living(): Job[] {
    return this.jobs().filter(({ phase }) => phase !== "over");
  }

  running(): Job[] {
    return this.jobs().filter(({ phase }) => phase === "running");
  }

  spoil(command: string, fault: Fault): void {
    this.queue.spoil(command, fault);
  }

  mend(): void {
    this.queue.mend();
  }

  /** The scheduler forgets a job, which goes on if it runs. */
  forget(seq: number): void {
    this.queue.change(seq, (job) => {
      job.forgotten = true;
    });
  }

  /** An administrator ends a job the hard way. */
  kill(seq: number): void {
    this.queue.remove(seq, "kill");
  }

  /** Ends all jobs, the hard way, and waits until nobody looks after one any more: then its folder may be removed. */
  async end(): Promise<void> {
    this.mend();
    const limit_ms = 30_000;
    const gone = () => {
      for (const { seq } of this.living()) this.kill(seq);
      return this.living().length === 0;
    };
    await until(gone, "the end of all jobs", limit_ms, 20);
    const keepers = this.jobs().flatMap(({ keeper }) => (keeper === undefined ? [] : [keeper]));
    const left = () => keepers.every((pid) => !existsSync(`/proc/${pid}`));
    await until(left, "the end of their keepers", limit_ms, 20);
    this.close();
  }

  close(): void {
    this.queue.close();
  }
}
