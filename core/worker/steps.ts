/**
 * The steps of a program at Slurm. A launcher that is killed leaves its ranks to the nodes, where no signal of ours
 * reaches them, so whoever ended a program ends its steps too and waits until Slurm knows none of them (providers.md
 * §13.3 e): only then are its nodes free.
 */
import { runCommand } from "../host/command.ts";
import type { Clock } from "../host/host.ts";

type Environment = { readonly [name: string]: string };

const lookEvery_ms = 200;
const patience_ms = 15_000;

/** Ends all steps with this name. Resolves when there are none, or after 15 s without success; tells which. */
export async function endSteps(name: string, env: Environment, clock: Clock): Promise<boolean> {
  const job = env.SLURM_JOB_ID ?? "";
  const until_ms = clock.monotonic() + patience_ms;
  for (;;) {
    const steps = await stepsOf(job, name, env);
    if (steps?.length === 0) return true;
    if (clock.monotonic() > until_ms) return false;
    if (steps !== undefined) await runCommand(["scancel", "--signal=KILL", ...steps], { env });
    await new Promise<void>((resolve) => clock.after(lookEvery_ms, resolve));
  }
}

/** Ids of the steps; undefined when Slurm does not answer. */
async function stepsOf(job: string, name: string, env: Environment): Promise<string[] | undefined> {
  const { code, stdout } = await runCommand(["squeue", "--steps", "-h", "-j", job, "-o", "%i %j"], { env });
  if (code !== 0) return undefined;
  const lines = stdout.split("\n").map((line) => line.trim().split(" "));
  return lines.flatMap(([id, step]) => (id !== undefined && step === name ? [id] : []));
}
