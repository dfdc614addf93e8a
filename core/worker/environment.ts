/**
 * The environment of tasks: that of the worker without what steers gc's own runtime or its loader, then the
 * endpoint's additions, then the task's own. `BUN_*`, `NODE_OPTIONS` and `LD_*` of ours never reach a child (bun.md
 * §0.6); a task or an endpoint that sets them on purpose may.
 */
import type { TaskSpec } from "../schema/task.ts";
import type { AcceleratorKind } from "./node_resources.ts";
import type { Seat } from "./seats.ts";

const ours = /^(BUN_|GC_|LD_|DYLD_)|^NODE_OPTIONS$|^MIMALLOC_PURGE_|^_$|^OLDPWD$|^PWD$|^SHLVL$/;
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

/**
 * Tells a task what its seat is, in the variables that programs know (providers.md §18). What it said itself about
 * threads stays; about accelerators nobody is asked. Returns the names of all that it set.
 */
export function describeSeat(
  env: { [name: string]: string },
  own: TaskSpec["env"],
  seat: Seat,
  kind: AcceleratorKind | undefined,
): string[] {
  const said = { PARSL_WORKER_RANK: String(seat.ranks[0] ?? 0), ...threads(seat.cpus), ...own };
  const names = Object.keys(said).filter((name) => own?.[name] === undefined);
  for (const name of names) env[name] = said[name as keyof typeof said];
  if (seat.accelerators === undefined) return names;
  // These count within what ROCR_VISIBLE_DEVICES leaves, so together they would name the wrong one, or none.
  for (const name of ["HIP_VISIBLE_DEVICES", "GPU_DEVICE_ORDINAL"]) delete env[name];
  const lent = accelerators(seat.accelerators.join(","), kind);
  if (kind === "amd") delete env.CUDA_VISIBLE_DEVICES;
  Object.assign(env, { CUDA_DEVICE_ORDER: "PCI_BUS_ID", ...env, ...lent });
  return [...names, "CUDA_DEVICE_ORDER", ...Object.keys(lent)];
}

function threads(cpus: readonly number[]): { [name: string]: string } {
  if (cpus.length === 0) return {};
  const list = cpus.join(",");
  return {
    OMP_NUM_THREADS: String(cpus.length),
    GOMP_CPU_AFFINITY: list,
    KMP_AFFINITY: `explicit,proclist=[${list}]`,
  };
}

/** Every maker's variable, as Globus Compute sets them; on AMD's, HIP would take CUDA's for its own. */
function accelerators(list: string, kind: AcceleratorKind | undefined): { [name: string]: string } {
  return {
    ...(kind === "amd" ? {} : { CUDA_VISIBLE_DEVICES: list }),
    ROCR_VISIBLE_DEVICES: list,
    ZE_AFFINITY_MASK: list,
    ZE_ENABLE_PCI_ID_DEVICE_ORDER: "1",
  };
}
