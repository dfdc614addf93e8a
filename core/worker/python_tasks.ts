/**
 * Calls of Python functions as tasks. Most go to a warm interpreter. One that wants a terminal, input or a container
 * gets a process of its own like any command (`once`): its call and its reply are files then. Either way the process
 * is the task's own while it runs: whatever ends the task ends the process.
 */
import { hash } from "node:crypto";
import * as fs from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import { readIfThere, removeIfThere } from "../host/files.ts";
import type { Clock } from "../host/host.ts";
import { pythonValueBytesMax } from "../limits.ts";
import type { PythonCall, PythonReply } from "../schema/python.ts";
import type { Outcome } from "../schema/result.ts";
import type { TaskSpec } from "../schema/task.ts";
import { fits } from "../schema/validate.ts";
import { type BerthPlaces, slotName } from "./berth.ts";
import type { Command, Surroundings } from "./command.ts";
import { type Ingredients, makeProcess, troubleWithDirectory } from "./process.ts";
import { type CallListener, Interpreter } from "./python_interpreter.ts";
import { type CallEnd, functionName } from "./python_outcome.ts";
import { InterpreterPool } from "./python_pool.ts";
import { interpreterArgv, pythonDefault, pythonProgram } from "./python_program.ts";
import type { RunningTask } from "./running_task.ts";

/** A call while it runs. */
export interface RunningCall {
  /** The interpreter and the function, as people know them. */
  readonly python: string;
  readonly name: string;
  readonly argv: string[];
  /** Files of a call that has a process of its own: call, reply and whatever else is to go. */
  readonly once: { call: string; reply: string; also: string[] } | undefined;
  /** Its Python has begun to run our program. */
  greeted: boolean;
  reply: PythonReply | undefined;
  warm: Interpreter | undefined;
  /** A signal was sent to it, which may still be on its way. */
  signalled: boolean;
}

/** In the environment of interpreters, so that those of a dead worker are found. */
export const interpreterMark = "GC_PYTHON_OF";

/** What the interpreters of a worker are marked by. */
export function markOf({ outputs, worker_id }: { outputs: string; worker_id: string }): string {
  return join(outputs, worker_id);
}

export class PythonTasks {
  readonly #around: Surroundings;
  readonly #places: BerthPlaces;
  readonly #pool: InterpreterPool;
  #program: string | undefined;

  constructor(clock: Clock, around: Surroundings, places: BerthPlaces) {
    this.#around = around;
    this.#places = places;
    this.#pool = new InterpreterPool(clock);
  }

  /** Whether a process is an interpreter, busy or idle. */
  has(pid: number): boolean {
    return this.#pool.has(pid);
  }

  /** How the call of a task will run. @throws the error of the file system. */
  prepare({ spec, berth }: RunningTask, sandbox: string | undefined): RunningCall | { outcome: Outcome } | undefined {
    const { python } = spec;
    if (python === undefined) return undefined;
    const name = python.interpreter ?? this.#around.python ?? pythonDefault;
    const words = interpreterArgv(name, this.#around.env.HOME ?? homedir());
    const call = { python: name, name: functionName(python), greeted: false, reply: undefined, warm: undefined };
    if (this.#isWarm(spec)) {
      const argv = [...words, this.#programFile(), "serve"];
      return { ...call, argv, once: undefined, signalled: false };
    }
    const contained = this.#around.containers !== undefined;
    if (contained && sandbox === undefined) {
      const reason = "A Python function in a container needs a sandbox, through which its call goes in";
      return { outcome: { class: "fail", cause: "sandbox", exit_code: 125, reason } };
    }
    const stem = contained ? join(sandbox ?? "", ".gc") : berth.stdout.path.replace(/[.]out$/, "");
    const once = { call: `${stem}.call`, reply: `${stem}.reply`, also: contained ? [`${stem}.runner.py`] : [] };
    const program = once.also[0] ?? this.#programFile();
    if (contained) fs.writeFileSync(program, pythonProgram, { mode: 0o600 });
    removeIfThere(once.reply);
    fs.writeFileSync(once.call, JSON.stringify({ ...messageOf(python), define: python.code }), { mode: 0o600 });
    return { ...call, argv: [...words, program, "once", once.call, once.reply], once, signalled: false };
  }

  /** Starts a warm call; its process is there afterwards, or the outcome says why not. */
  start(
    task: RunningTask,
    call: RunningCall,
    command: Command,
    bound: Ingredients["bound"],
    listener: CallListener,
  ): { interpreter: Interpreter } | { outcome: Outcome } {
    const { spec, berth, seat } = task;
    const python = spec.python as PythonCall;
    const trouble = spec.cwd === undefined ? undefined : troubleWithDirectory(command.cwd);
    if (trouble !== undefined) return { outcome: { class: "fail", cause: "spawn", exit_code: 125, reason: trouble } };
    const key = JSON.stringify([call.argv, spec.env ?? null, seat ?? null]);
    const env = { ...command.env };
    const own: { [name: string]: string } = {};
    for (const name of ownNames) {
      const value = env[name];
      delete env[name];
      if (value !== undefined) own[name] = value;
    }
    let interpreter = this.#pool.take(key);
    if (interpreter === undefined) {
      const made = this.#spawn(key, { ...command, env }, task, bound);
      if ("outcome" in made) {
        this.#pool.give(undefined, false);
        return made;
      }
      interpreter = made;
    }
    const discard = spec.output === "discard";
    const out = discard ? "/dev/null" : berth.stdout.path;
    const err = discard ? "/dev/null" : berth.stderr.path;
    const message = { ...messageOf(python), cwd: command.cwd, env: own, out, err, define: python.code };
    call.warm = interpreter;
    interpreter.call(message, listener);
    return { interpreter };
  }

  /** A warm call is over. With `exited`, its interpreter is ended, and that is told. */
  over(call: RunningCall, exited?: CallListener["exited"]): void {
    const { warm } = call;
    if (warm === undefined) return;
    call.warm = undefined;
    if (exited !== undefined) warm.kill(exited);
    this.#pool.give(warm, exited === undefined && !warm.dead);
  }

  /** What a call came to. The files of one with a process of its own go. */
  collect(call: RunningCall): CallEnd {
    if (call.once !== undefined) {
      const { call: asked, reply, also } = call.once;
      call.greeted = !fs.existsSync(asked);
      call.reply = replyIn(reply);
      for (const path of [asked, reply, `${reply}.tmp`, ...also]) removeIfThere(path);
    }
    const { python, name, greeted, reply } = call;
    return { python, name, greeted, reply };
  }

  close(): void {
    this.#pool.close();
  }

  #isWarm({ tty, stdin }: TaskSpec): boolean {
    return this.#around.containers === undefined && tty === undefined && (stdin === undefined || stdin.kind === "none");
  }

  #programFile(): string {
    if (this.#program === undefined) {
      const path = join(this.#places.sandboxes, `${slotName(this.#places.worker_id, "")}.runner.py`);
      fs.writeFileSync(path, pythonProgram, { mode: 0o600 });
      this.#program = path;
    }
    return this.#program;
  }

  #spawn(
    key: string,
    { env, cwd }: Command,
    { call, berth, spec }: RunningTask,
    bound: Ingredients["bound"],
  ): Interpreter | { outcome: Outcome } {
    const made = makeProcess({
      argv: call?.argv ?? [],
      env: { ...env, [interpreterMark]: markOf(this.#places) },
      cwd,
      bound,
      stdin: "pipe",
      stdout: "pipe",
      // What it says before it can run the program is for the first task to show.
      stderr: spec.output === "discard" ? "ignore" : berth.stderr.fd,
      tty: undefined,
      exited: (exit) => this.#pool.ended(interpreter, exit),
    });
    if ("outcome" in made) return made;
    const interpreter = new Interpreter(key, made.process);
    this.#pool.add(interpreter);
    return interpreter;
  }
}

const ownNames = ["GC_TASK_UUID", "GC_TASK_ATTEMPT", "GC_TASK_SANDBOX_DIR"];

function messageOf({ code, arguments: given, result }: PythonCall): { code: string; [more: string]: unknown } {
  return {
    code: hash("sha256", JSON.stringify(code), "hex"),
    arguments: given,
    result: result ?? "json",
    limit: pythonValueBytesMax,
  };
}

function replyIn(path: string): PythonReply | undefined {
  const bytes = readIfThere(path);
  if (bytes === undefined) return undefined;
  try {
    const reply: unknown = JSON.parse(Buffer.from(bytes).toString());
    return fits("python_reply", reply) ? reply : undefined;
  } catch {
    return undefined;
  }
}
