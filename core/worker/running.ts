/**
 * The tasks that run in this worker, as processes: started, signalled, watched, and reported as over only when
 * nothing of them is left, or when the state says that nobody waits any longer. Decides nothing about outcomes;
 * everything that happens becomes an event.
 */
import * as fs from "node:fs";
import { join } from "node:path";
import { messageOf } from "../errors.ts";
import type { Host } from "../host/host.ts";
import { libc } from "../host/libc.ts";
import { signal } from "../host/processes.ts";
import type { PythonReply } from "../schema/python.ts";
import type { Outcome, Output } from "../schema/result.ts";
import type { TaskSpec } from "../schema/task.ts";
import { type AttemptKey, type Exit, keyOf } from "./attempt.ts";
import { type Berth, type BerthPlaces, Berths, type Harvested, outputFile } from "./berth.ts";
import { Beside } from "./beside.ts";
import { type Command, commandOf, type Surroundings } from "./command.ts";
import type { Harvest, Now, WorkerEffect, WorkerEvent } from "./decision.ts";
import type { ChunkOrder } from "./followers.ts";
import { makePipeInput, SocketInput } from "./input.ts";
import { MemoryPressure } from "./memory_pressure.ts";
import { MemoryWatch } from "./memory_watch.ts";
import { notStored } from "./outcome.ts";
import { bytesOf, readOutputFile } from "./output.ts";
import { Pinning } from "./pinning.ts";
import { inlineInput, makeProcess } from "./process.ts";
import { addProgram, type ProgramPlaces, Programs } from "./program.ts";
import { Tty } from "./pty.ts";
import type { CallListener } from "./python_interpreter.ts";
import { PythonTasks, type RunningCall } from "./python_tasks.ts";
import { newRunningTask, type RunningTask } from "./running_task.ts";
import { removeSandbox } from "./sandbox.ts";
import type { Seat } from "./seats.ts";
import { signalTree, Trees } from "./tree.ts";
import { Usage } from "./usage.ts";

/** Without adoption nobody tells that what a task left behind has ended: it is looked at again after this time. */
const lookAgain_ms = 50;

export class RunningTasks {
  readonly #host: Host;
  readonly #around: Surroundings;
  readonly #places: BerthPlaces;
  readonly #push: (event: WorkerEvent) => void;
  readonly #berths: Berths;
  /** For programs on several nodes: with sandboxes that all nodes of the block see. */
  readonly #wide: Berths;
  readonly #programs: Programs;
  readonly #trees = new Trees();
  readonly #python: PythonTasks;
  /** Children of ours that are no orphans. */
  readonly #known = { has: (pid: number) => this.#byPid.has(pid) || this.#python.has(pid) };
  readonly #pressure = new MemoryPressure();
  readonly #memory: MemoryWatch<RunningTask>;
  #pinning: Pinning | undefined;
  readonly #tasks = new Map<AttemptKey, RunningTask>();
  readonly #usage = new Usage();
  readonly #beside: Beside;
  /** Main processes that have not ended. */
  readonly #byPid = new Map<number, RunningTask>();
  readonly #clearing = new Set<RunningTask>();
  /** Attempts that are over and whose result the endpoint may not have. */
  readonly #over = new Map<AttemptKey, Harvested>();

  constructor(
    host: Host,
    around: Surroundings,
    places: BerthPlaces,
    programs: ProgramPlaces,
    push: (event: WorkerEvent) => void,
  ) {
    this.#host = host;
    this.#around = around;
    this.#places = places;
    this.#push = push;
    this.#berths = new Berths(places);
    this.#wide = new Berths({ ...places, sandboxes: join(programs.dir, "sandboxes") }, 100_000);
    this.#programs = new Programs(programs);
    this.#beside = new Beside(around, host.clock);
    this.#python = new PythonTasks(host.clock, around, places);
    this.#memory = new MemoryWatch(host.clock, around.containers?.beside === true, ({ key }, used_mib) => {
      push({ t: "over_memory", key, used_mib, now: this.#now() });
    });
  }

  /** Makes the process of a task; answers by `started` or `not_started`. */
  start({ key, tid, attempt, spec, seat, nodes }: Extract<WorkerEffect, { t: "start" }>): void {
    const wide = nodes !== undefined && nodes.length > 1;
    const berths = wide ? this.#wide : this.#berths;
    let berth: Berth | undefined;
    try {
      berth = berths.take();
      // A program on several nodes has all of them, and its launcher binds its ranks.
      this.#launch(newRunningTask({ key, tid, attempt, spec, seat: wide ? undefined : seat, berth, nodes }));
    } catch (error) {
      if (berth !== undefined) berths.give(berth);
      this.#push({ t: "not_started", key, outcome: notStored(error), now: this.#now() });
    }
  }

  /** Signals the process group of a task, or all that can be found of it. */
  signal(key: AttemptKey, name: NodeJS.Signals, scope: "group" | "tree"): void {
    const task = this.#tasks.get(key);
    if (task === undefined) return;
    if (task.call !== undefined) task.call.signalled = true;
    const all = (): void => {
      if (this.#tasks.get(key) === task) signalTree(this.#members(task), task, name);
    };
    if (scope === "tree") {
      task.ranks_doubtful = true;
      if (name === "SIGKILL" && task.cidfile !== undefined) void this.#beside.killContainer(task).then(all);
      else all();
    } else if (task.exit === undefined) signal(-task.pid, name);
  }

  /** Waits no longer for what is left of a task. */
  collect(key: AttemptKey): void {
    const task = this.#tasks.get(key);
    if (task === undefined) return;
    task.trouble ??= "Some of its processes could not be ended";
    this.#finish(task, false);
  }

  input(key: AttemptKey, bytes: Uint8Array | undefined, end: boolean): void {
    this.#tasks.get(key)?.input?.write(bytes, end);
  }

  resize(key: AttemptKey, columns: number, rows: number): void {
    this.#tasks.get(key)?.tty?.resize(columns, rows);
  }

  /** Somebody follows the output of a task: it stays in its files until the endpoint removes them. */
  followed(key: AttemptKey): void {
    const task = this.#tasks.get(key);
    if (task !== undefined) task.followed = true;
  }

  /** Bytes that a running task has written so far; undefined when it does not run. */
  sizes(key: AttemptKey): { stdout: number; stderr: number } | undefined {
    const task = this.#tasks.get(key);
    if (task === undefined) return undefined;
    return { stdout: task.berth.stdout.size(), stderr: task.berth.stderr.size() };
  }

  /** Output of a task that runs, or is over and not forgotten. */
  read({ key, tid, attempt, stream, offset, bytes }: ChunkOrder): Uint8Array {
    const task = this.#tasks.get(key);
    if (task !== undefined) return task.berth[stream].read(offset, bytes);
    const output = this.#over.get(key)?.[stream];
    if (output !== undefined && output.kept === output.total) return bytesOf(output).subarray(offset, offset + bytes);
    const path = outputFile(this.#places.outputs, tid, attempt, stream === "stdout" ? "out" : "err");
    return readOutputFile(path, offset, bytes);
  }

  /** A task that was over before this worker began, in an earlier life of it. */
  remember(tid: string, attempt: number, output: { stdout: Output; stderr: Output }): void {
    this.#over.set(keyOf(tid, attempt), { ...output, files_left: true });
  }

  /** The endpoint has the result of an attempt: removes what it left in its sandbox, or keeps it for its user. */
  forget(tid: string, attempt: number, keep: boolean): void {
    const key = keyOf(tid, attempt);
    const files_left = this.#over.get(key)?.files_left === true;
    this.#over.delete(key);
    if (!files_left || keep) return;
    for (const { sandboxes } of [this.#places, this.#wide]) {
      removeSandbox(sandboxes, tid, attempt, (error) => {
        this.#host.log.warn("sandbox.not_removed", { tid, attempt, why: messageOf(error) });
      });
    }
  }

  /** A child of this process has ended (SIGCHLD): maybe an orphan that came to us. */
  childEnded(): void {
    if (!this.#trees.adopts) return;
    this.#trees.strays(this.#known);
    for (const task of [...this.#clearing]) this.#settle(task);
  }

  /** Removes what slots use by turns. Only when nothing runs. */
  close(): void {
    this.#python.close();
    this.#berths.removeAll();
    this.#wide.removeAll();
  }

  #launch(task: RunningTask): void {
    const { key, spec, berth } = task;
    const sandbox = spec.sandbox === false ? undefined : berth.sandbox.prepare();
    const call = this.#python.prepare(task, sandbox);
    if (call !== undefined && "outcome" in call) return this.#notStarted(task, call.outcome);
    const program = this.#programs.prepare(task, task.nodes);
    if (program !== undefined && "outcome" in program) return this.#notStarted(task, program.outcome);
    task.program = program;
    const around = program === undefined ? this.#around : { ...this.#around, env: program.base };
    const command = commandOf(around, task, sandbox, call?.argv);
    if ("outcome" in command) return this.#notStarted(task, command.outcome);
    if (program !== undefined) addProgram(command, program, spec);
    task.call = call;
    if (call !== undefined && call.once === undefined) return this.#launchCall(task, call, command);
    task.cidfile = command.cidfile;
    const discard = spec.output === "discard";
    const stdin = this.#stdinOf(task);
    const made = makeProcess({
      argv: command.argv,
      env: command.env,
      cwd: command.cwd,
      bound: this.#boundTo(task.seat),
      stdin,
      stdout: discard ? "ignore" : berth.stdout.fd,
      stderr: discard ? "ignore" : berth.stderr.fd,
      tty: task.tty,
      exited: (exit, process) => this.#exited(task, exit, process),
    });
    if (typeof stdin === "number") fs.closeSync(stdin);
    if ("outcome" in made) return this.#notStarted(task, made.outcome);
    task.process = made.process;
    task.pid = made.process.pid;
    if (stdin === "pipe") task.input = new SocketInput(made.process.stdin as Bun.FileSink, this.#taken(key));
    task.tty?.begin(made.process.terminal, spec.stdin);
    this.#runs(task);
  }

  /** Hands a call to a warm interpreter; that is the task's process until the call is over. */
  #launchCall(task: RunningTask, call: RunningCall, command: Command): void {
    const listener: CallListener = {
      replied: (reply) => this.#replied(task, call, command, reply),
      exited: (exit, process) => {
        call.greeted ||= call.warm?.greeted === true;
        this.#python.over(call, () => {});
        this.#exited(task, exit, process);
      },
    };
    const started = this.#python.start(task, call, command, this.#boundTo(task.seat), listener);
    if ("outcome" in started) return this.#notStarted(task, started.outcome);
    task.pid = started.interpreter.pid;
    this.#runs(task);
  }

  #replied(task: RunningTask, call: RunningCall, command: Command, reply: PythonReply): void {
    if (this.#tasks.get(task.key) !== task) return this.#python.over(call, () => {});
    if (reply.again === true) {
      this.#byPid.delete(task.pid);
      this.#python.over(call, () => {});
      return this.#launchCall(task, call, command);
    }
    call.greeted = true;
    call.reply = reply;
    const ended: Exit = { code: 0, signal: null };
    const strays = this.#trees.strays(this.#known);
    if (reply.left === undefined && !call.signalled && call.warm?.dead === false && (strays?.length ?? 0) === 0) {
      this.#byPid.delete(task.pid);
      this.#python.over(call);
      task.exit = ended;
      return this.#finish(task, true);
    }
    this.#python.over(call, (_exit, process) => this.#exited(task, ended, process));
  }

  #runs(task: RunningTask): void {
    const begun = this.#tasks.get(task.key) === task;
    this.#byPid.set(task.pid, task);
    if (begun) return;
    this.#tasks.set(task.key, task);
    if (task.limit_mib > 0) this.#memory.watch(task);
    this.#push({ t: "started", key: task.key, now: this.#now() });
  }

  #notStarted(task: RunningTask, outcome: Outcome): void {
    task.input?.close();
    task.tty?.close();
    if (task.call !== undefined) this.#python.collect(task.call);
    if (task.program !== undefined) this.#programs.remove(task.program);
    this.#tasks.delete(task.key);
    this.#giveBerth(task);
    this.#push({ t: "not_started", key: task.key, outcome, now: this.#now() });
  }

  /** What starts a process on the processors of a seat. */
  #boundTo(
    seat: Seat | undefined,
  ): ((start: (prefix: readonly string[]) => Bun.Subprocess) => Bun.Subprocess) | undefined {
    if (seat === undefined || seat.cpus.length === 0) return undefined;
    this.#pinning ??= new Pinning(this.#host.log, this.#around.env.PATH, libc());
    const pinning = this.#pinning;
    return (start) => pinning.bound(seat.cpus, start);
  }

  /** How the task gets its input; a number is a descriptor to be closed after the start. */
  #stdinOf(task: RunningTask): number | "ignore" | "pipe" {
    const { key, spec } = task;
    if (spec.tty !== undefined) {
      task.tty = this.#ttyOf(task, spec.tty);
      task.input = task.tty;
      return "ignore";
    }
    if (spec.stdin === undefined || spec.stdin.kind === "none") return "ignore";
    if (spec.stdin.kind === "inline") {
      return inlineInput(spec.stdin.base64, join(this.#places.outputs, `${this.#places.worker_id}.in`));
    }
    const pipe = makePipeInput(this.#host.clock, this.#taken(key));
    if (pipe === undefined) return "pipe";
    task.input = pipe.input;
    return pipe.read;
  }

  #ttyOf(task: RunningTask, tty: NonNullable<TaskSpec["tty"]>): Tty {
    return new Tty(tty, {
      output: (bytes) => {
        if (task.spec.output === "discard") return;
        try {
          task.berth.stdout.write(bytes);
        } catch (error) {
          task.trouble = `Some of its output could not be written: ${messageOf(error)}`;
        }
        this.#push({ t: "grown", key: task.key, stdout: task.berth.stdout.size(), stderr: 0 });
      },
      closed: () => this.#settle(task),
      taken: this.#taken(task.key),
    });
  }

  #taken(key: AttemptKey): (offset: number, closed: boolean) => void {
    return (offset, closed) => this.#push({ t: "input_taken", key, offset, closed });
  }

  #exited(task: RunningTask, exit: Exit, process: Bun.Subprocess): void {
    this.#byPid.delete(process.pid);
    task.exit = exit;
    task.process = process;
    this.#settle(task);
  }

  /** The main process has ended: is it all? */
  #settle(task: RunningTask): void {
    if (task.exit === undefined || this.#tasks.get(task.key) !== task) return;
    if (this.#beside.awaits(task, task.exit, () => this.#settle(task))) return this.#announceClearing(task, task.exit);
    const strays = this.#trees.strays(this.#known);
    const clean = strays?.length === 0 || this.#members(task).length === 0;
    if (clean && (task.tty === undefined || task.tty.over)) return this.#finish(task, true);
    this.#announceClearing(task, task.exit);
    if (!this.#trees.adopts) this.#host.clock.after(lookAgain_ms, () => this.#settle(task));
  }

  #announceClearing(task: RunningTask, exit: Exit): void {
    if (task.clearing) return;
    task.clearing = true;
    this.#clearing.add(task);
    this.#push({ t: "exited", key: task.key, exit, now: this.#now() });
  }

  #finish(task: RunningTask, clean: boolean): void {
    const { key, tid, attempt, spec, berth } = task;
    this.#tasks.delete(key);
    this.#clearing.delete(task);
    if (task.limit_mib > 0) this.#memory.forget(task);
    if (task.cidfile !== undefined) void this.#around.containers?.remove(task.cidfile);
    task.input?.close();
    task.tty?.close();
    const exit = task.exit ?? { code: null, signal: "SIGKILL" };
    const harvest: Harvest = { stdout: { total: 0, kept: 0 }, stderr: { total: 0, kept: 0 } };
    if (task.program !== undefined) this.#programs.end(task.program, exit, berth.stderr, harvest);
    if (task.call !== undefined) harvest.call = this.#python.collect(task.call);
    try {
      const harvested = berth.harvest(tid, attempt, spec, clean, task.followed);
      harvest.stdout = harvested.stdout;
      harvest.stderr = harvested.stderr;
      this.#over.set(key, harvested);
      this.#giveBerth(task);
    } catch (error) {
      // The berth is in doubt: it is not used again.
      task.trouble ??= `Its output could not be read: ${messageOf(error)}`;
    }
    if (harvest.call?.reply?.cpu_ms !== undefined) harvest.cpu_ms = harvest.call.reply.cpu_ms;
    if (task.call === undefined || task.call.once !== undefined) this.#usage.add(task.process, harvest);
    if (exit.signal === "SIGKILL" && this.#pressure.killed()) harvest.out_of_memory = true;
    if (task.trouble !== undefined) harvest.trouble = task.trouble;
    this.#push({ t: "ended", key, exit, harvest, now: this.#now() });
  }

  #giveBerth({ berth, nodes }: RunningTask): void {
    (nodes !== undefined && nodes.length > 1 ? this.#wide : this.#berths).give(berth);
  }

  #members(task: RunningTask): ReturnType<Trees["members"]> {
    return this.#trees.members(task, this.#known, this.#tasks.size === 1);
  }

  #now(): Now {
    return { wall_ms: this.#host.clock.now(), mono_ms: this.#host.clock.monotonic() };
  }
}
