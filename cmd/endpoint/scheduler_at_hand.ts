/** Which batch schedulers this machine can talk to, found by asking them: names of commands alone prove nothing. */
import { GcError } from "../../core/errors.ts";
import { findCommand, runCommand } from "../../core/host/command.ts";
import type { SchedulerName } from "../../core/schema/batch_engine.ts";
import { type Detected, detectionQuestions, readDetection } from "../../providers/detect.ts";
import type { Answer } from "../../providers/outcome.ts";
import type { Cli } from "../cli.ts";

const answerWithin_ms = 5000;

/** All schedulers that answer as themselves. */
export async function schedulersAtHand(cli: Cli): Promise<Detected[]> {
  const path = cli.env.PATH;
  const answers = new Map<SchedulerName, Answer[]>();
  const questions = detectionQuestions((command) => findCommand(command, path) !== undefined);
  await Promise.all(
    questions.map(async ({ scheduler, commands }) => {
      const said: Answer[] = [];
      for (const { command, args } of commands) {
        const program = findCommand(command, path);
        if (program === undefined) {
          said.push({ code: undefined, stdout: "", stderr: "" });
          continue;
        }
        const env = { ...cli.env, LC_ALL: "C" };
        const { code, stdout, stderr } = await runCommand([program, ...args], { env, timeout_ms: answerWithin_ms });
        said.push({ code, stdout, stderr });
      }
      answers.set(scheduler, said);
    }),
  );
  return readDetection(answers);
}

/**
 * The scheduler that `auto` means.
 * @throws GcError missing `scheduler.none` or usage `scheduler.several`.
 */
export async function theScheduler(cli: Cli): Promise<SchedulerName> {
  const found = await schedulersAtHand(cli);
  const [only] = found;
  if (found.length === 1 && only !== undefined) return only.scheduler;
  if (only === undefined) {
    throw new GcError("missing", "scheduler.none", "No batch scheduler answers on this machine", {
      hint: "gc endpoint configure NAME --scheduler slurm",
    });
  }
  const names = found.map(({ scheduler }) => scheduler);
  throw new GcError("usage", "scheduler.several", `Several schedulers answer here: ${names.join(", ")}`, {
    hint: `gc endpoint configure NAME --scheduler ${only.scheduler}`,
  });
}
