/**
 * The environment of tasks: that of the worker without what steers gc's own runtime or its loader, then the
 * endpoint's additions, then the task's own. `BUN_*`, `NODE_OPTIONS` and `LD_*` of ours never reach a child (bun.md
 * §0.6); a task or an endpoint that sets them on purpose may.
 */
import type { TaskSpec } from "../schema/task.ts";

const ours = /^(BUN_|GC_|LD_|DYLD_)|^NODE_OPTIONS$|^_$|^OLDPWD$|^PWD$|^SHLVL$/;
const pathDefault = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/** What all tasks of a worker get. Made once. */
export function baseEnvironment(
  own: { readonly [name: string]: string | undefined },
  added: { readonly [name: string]: string },
): { [name: string]: string } {
  const env: { [name: string]: string } = {};
  for (const [name, value] of Object.entries(own)) if (value !== undefined && !ours.test(name)) env[name] = value;
  env.PATH ??= pathDefault;
  return { ...env, ...added };
}

/** What one attempt gets. `GC_TASK_UUID` is also how its processes are found again, so nothing overrides it. */
export function taskEnvironment(
  base: { readonly [name: string]: string },
  spec: TaskSpec,
  tid: string,
  attempt: number,
  sandbox: string | undefined,
): { [name: string]: string } {
  const env: { [name: string]: string } = { ...base, ...spec.env };
  if (spec.tty !== undefined) env.TERM = spec.env?.TERM ?? spec.tty.term;
  env.GC_TASK_UUID = tid;
  env.GC_TASK_ATTEMPT = String(attempt);
  if (sandbox !== undefined) env.GC_TASK_SANDBOX_DIR = sandbox;
  return env;
}
