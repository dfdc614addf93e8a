/**
 * Looks after one running job of a fake scheduler: starts its script as processes of their own session, passes on what
 * the job is told, ends it when its time is over, and writes down how it ended. Usage: keeper.ts DIR NUMBER.
 */
import { closeSync, mkdirSync, openSync, readFileSync } from "node:fs";
import { constants } from "node:os";
import { join } from "node:path";
import { type Job, Queue } from "./queue.ts";
import type { Step } from "./speaker.ts";
import { speakerOf } from "./speakers.ts";

const [, , dir = "", number = ""] = process.argv;
const queue = new Queue(dir);
const seq = Number(number);
const speaker = speakerOf(queue.cluster.scheduler);

let cause: "own" | "deleted" | "walltime" = "own";
let child: number | undefined;
let sequence: "none" | "delete" | "kill" | "walltime" = "none";

process.on("SIGUSR2", listen);
const job = queue.change(seq, (it) => {
  it.keeper = process.pid;
});
const spool = join(dir, "spool");
mkdirSync(spool, { recursive: true });
await keep(job);
process.exit(0);

async function keep(it: Job): Promise<void> {
  const run = speaker.run(it, queue);
  const paths = run.live ? [it.stdout, it.stderr] : [join(spool, `${seq}.OU`), join(spool, `${seq}.ER`)];
  const [out = -1, err = -1] = paths.map((path) => openSync(path, "a"));
  process.umask(run.umask);
  const started = Bun.spawn([...run.argv], {
    cwd: run.cwd,
    env: { ...run.env },
    stdin: "ignore",
    stdout: out,
    stderr: err,
    detached: true,
  });
  for (const file of [out, err]) closeSync(file);
  child = started.pid;
  queue.change(seq, (at) => {
    at.pid = started.pid;
  });
  const limit = setTimeout(() => end("walltime"), it.walltime_s * 1000);
  listen();
  await started.exited;
  clearTimeout(limit);
  const { signalCode: name } = started;
  const signal = typeof name === "string" ? constants.signals[name] : (name ?? 0);
  const at_ms = Date.now();
  const over = { code: started.exitCode ?? 128 + signal, signal, cause, at_ms };
  const [stdout = "", stderr = ""] = paths.map((path) => readFileSync(path, "utf8"));
  speaker.after?.({ ...it, end: over }, queue, { stdout, stderr });
  queue.ended(seq, over);
}

/** Somebody may have told the job something. */
function listen(): void {
  const told = queue.raw(seq)?.told;
  if (told !== undefined && child !== undefined) end(told);
}

function end(how: "delete" | "kill" | "walltime"): void {
  const again = sequence === how || sequence === "kill";
  if (again || (sequence !== "none" && how === "walltime")) return;
  if (sequence === "none") cause = how === "walltime" ? "walltime" : "deleted";
  sequence = how;
  const steps = { delete: speaker.deleted(job), kill: speaker.killed, walltime: speaker.over_time(job) }[how];
  send(steps);
}

function send([step, ...later]: readonly Step[]): void {
  if (step === undefined) return;
  setTimeout(() => {
    try {
      process.kill(-(child ?? 0), step.signal);
    } catch {
      // All of it has ended.
    }
    send(later);
  }, step.after_s * 1000);
}
