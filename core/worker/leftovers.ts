/**
 * What a dead worker leaves: processes of tasks that go on without anybody, and files of its slots. Whoever buries the
 * worker calls this before the tasks may run again elsewhere.
 */
import * as fs from "node:fs";
import { join } from "node:path";
import { readJsonIfThere, removeTree, writeJson } from "../host/files.ts";
import type { Host } from "../host/host.ts";
import { environmentValue, type ProcessIdentity, processTable, signal } from "../host/processes.ts";
import { slotName } from "./berth.ts";
import { removeLeftContainers } from "./container_keeper.ts";
import { interpreterMark, markOf } from "./python_tasks.ts";
import { removeSandbox } from "./sandbox.ts";
import { readSpool } from "./spool.ts";

/** `worker.pid.json`: who the process of a worker is, and where it has files besides its directory. */
export interface WorkerTrace extends ProcessIdentity {
  worker_id: string;
  sandboxes: string;
  outputs: string;
  /** Its machine, as the scheduler calls it. */
  node?: string;
}

/** Writes down who this worker is. */
export function leaveTrace(dir: string, trace: WorkerTrace): void {
  writeJson(tracePath(dir), trace);
}

const rounds = 20;
const pause_ms = 50;

/**
 * Kills whatever a dead worker's tasks left running on this machine, and removes the files of its slots. The worker
 * must be proved dead. Resolves when nothing is left, or after a second for what cannot be killed.
 */
export async function killLeftovers(dir: string, host: Host): Promise<void> {
  const { started, finished } = readSpool(dir);
  const attempts = new Set([...started, ...finished].map(({ tid, attempt }) => `${tid} ${attempt}`));
  const trace = readJsonIfThere(tracePath(dir)) as WorkerTrace | undefined;
  const mark = trace === undefined ? undefined : markOf(trace);
  for (let round = 0; attempts.size > 0 && round < rounds; round++) {
    const found = processesOf(attempts, mark);
    if (found.length === 0) break;
    for (const pid of found) signal(pid, "SIGKILL");
    if (round === 0) host.log.warn("worker.leftovers_killed", { dir, processes: found.length });
    await new Promise<void>((resolve) => host.clock.after(pause_ms, resolve));
  }
  const containers = await removeLeftContainers(dir, host.env);
  if (containers > 0) host.log.warn("worker.containers_removed", { dir, containers });
  if (trace === undefined) return;
  removeSlots(trace.sandboxes, trace.worker_id);
  removeSlots(trace.outputs, trace.worker_id);
  const failed = (error: unknown): void => host.log.warn("sandbox.not_removed", { dir, why: String(error) });
  for (const { tid, attempt } of [...started, ...finished]) removeSandbox(trace.sandboxes, tid, attempt, failed);
}

/** Those of attempts, and interpreters: they run calls whose id is not in the environment that others see. */
function processesOf(attempts: ReadonlySet<string>, mark: string | undefined): number[] {
  const found: number[] = [];
  for (const { pid, state } of processTable()) {
    if (state === "Z" || state === "X" || pid === process.pid) continue;
    const tid = environmentValue(pid, "GC_TASK_UUID");
    if (tid === undefined) {
      if (mark !== undefined && environmentValue(pid, interpreterMark) === mark) found.push(pid);
      continue;
    }
    if (attempts.has(`${tid} ${environmentValue(pid, "GC_TASK_ATTEMPT") ?? ""}`)) found.push(pid);
  }
  return found;
}

function removeSlots(dir: string, worker_id: string): void {
  let names: string[];
  try {
    names = fs.readdirSync(dir);
  } catch {
    return;
  }
  for (const name of names) if (name.startsWith(slotName(worker_id, ""))) removeTree(join(dir, name));
}

function tracePath(dir: string): string {
  return join(dir, "worker.pid.json");
}
