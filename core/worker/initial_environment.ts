/**
 * The endpoint's `worker_init`: lines of shell that run once when a worker starts, such as `module load gcc` or
 * `conda activate`. What they leave in the environment is what tasks get; they are never run again for a task.
 */
import { GcError } from "../errors.ts";
import { runCommand } from "../host/command.ts";

/** `conda activate` on a slow file system takes its time; more than this is a mistake. */
const limit_ms = 120_000;
const mark = "gc-environment-follows";

/**
 * Runs `lines` under bash, or sh where there is none, and returns the environment after them.
 * @throws GcError config `worker_init.failed` with the exit code and the last words of the script.
 */
export async function initialEnvironment(
  lines: string,
  env: { readonly [name: string]: string },
): Promise<{ [name: string]: string }> {
  // The last command is a fresh process, so that what it shows is exactly what a task would be given.
  const show = `printf '%s\\0' '${mark}'; if [ -r /proc/self/environ ]; then cat /proc/self/environ; else env -0; fi`;
  // Only `exit` ends the lines early: the code of the last one means nothing, as in `[ -f x ] && . ./x`.
  const script = `${lines}\n${show}\n`;
  let answer = await runCommand(["/bin/bash", "-c", script], { env, timeout_ms: limit_ms });
  if (!answer.found) answer = await runCommand(["/bin/sh", "-c", script], { env, timeout_ms: limit_ms });
  const at = answer.stdout.lastIndexOf(`${mark}\0`);
  if (answer.code !== 0 || at === -1) {
    const words = `${answer.stdout}${answer.stderr}`.trim().split("\n").slice(-5).join("; ");
    const what = answer.code === 124 ? `took more than ${limit_ms / 1000} s` : `ended with exit code ${answer.code}`;
    throw new GcError(
      "config",
      "worker_init.failed",
      `The worker_init of the endpoint ${what}: ${words || "no output"}`,
      {
        hint: "Edit worker_init in config.yaml, then: gc endpoint restart NAME",
      },
    );
  }
  return parse(answer.stdout.slice(at + mark.length + 1));
}

/** `NAME=value\0…` → variables; functions that bash exports are left out. */
function parse(text: string): { [name: string]: string } {
  const env: { [name: string]: string } = {};
  for (const line of text.split("\0")) {
    const at = line.indexOf("=");
    if (at > 0 && !line.startsWith("BASH_FUNC_") && !line.startsWith("_=")) env[line.slice(0, at)] = line.slice(at + 1);
  }
  return env;
}
