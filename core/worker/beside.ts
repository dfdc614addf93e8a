/**
 * What of a task runs where no signal of ours reaches it: a container that a daemon started, the ranks of a program on
 * other nodes. Whoever ended their client ends them too, and the task is over only then.
 */
import { removeIfThere } from "../host/files.ts";
import type { Clock } from "../host/host.ts";
import type { Exit } from "./attempt.ts";
import type { Surroundings } from "./command.ts";
import type { RunningTask } from "./running_task.ts";
import { endSteps } from "./steps.ts";

export class Beside {
  readonly #around: Surroundings;
  readonly #clock: Clock;
  readonly #busy = new WeakSet<RunningTask>();
  readonly #swept = new WeakSet<RunningTask>();

  constructor(around: Surroundings, clock: Clock) {
    this.#around = around;
    this.#clock = clock;
  }

  /** Kills the container of a task. Its client ends by itself then, with what there is of output. */
  killContainer(task: RunningTask): Promise<void> {
    task.cid_doubtful = true;
    return this.#around.containers?.kill(task.cidfile ?? "") ?? Promise.resolve();
  }

  /**
   * The main process has ended with `exit`: whether something of the task may go on elsewhere. It is ended, and
   * `settle` is called afterwards.
   */
  awaits(task: RunningTask, exit: Exit, settle: () => void): boolean {
    if (this.#busy.has(task)) return true;
    const ended = this.#container(task, exit) ?? this.#ranks(task, exit);
    if (ended === undefined) return false;
    this.#busy.add(task);
    void ended.then(() => {
      this.#busy.delete(task);
      settle();
    });
    return true;
  }

  /** A client that was killed tells nothing of its container. */
  #container(task: RunningTask, exit: Exit): Promise<void> | undefined {
    const { cidfile } = task;
    if (cidfile === undefined) return undefined;
    if (exit.signal === null && !task.cid_doubtful) {
      task.cidfile = undefined;
      removeIfThere(cidfile);
      return undefined;
    }
    const removed = this.#around.containers?.remove(cidfile) ?? Promise.resolve();
    return removed.then(() => {
      task.cidfile = undefined;
    });
  }

  /** A launcher that was ended may have left ranks on other nodes. */
  #ranks(task: RunningTask, exit: Exit): Promise<void> | undefined {
    const steps = task.program?.steps;
    if (steps === undefined || this.#swept.has(task) || (!task.ranks_doubtful && exit.signal === null))
      return undefined;
    return endSteps(steps, this.#around.env, this.#clock).then((ended) => {
      this.#swept.add(task);
      if (!ended) task.trouble ??= "Slurm did not confirm that all of its ranks have ended";
    });
  }
}
