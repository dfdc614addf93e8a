/**
 * `gc __worker DIR`: a worker, started by its endpoint and outliving it. `gc __worker --block DIR`: one of the workers
 * of a block, started by its launcher. The log goes to standard error, a file.
 */
import * as fs from "node:fs";
import { join } from "node:path";
import { GcError, messageOf } from "../../core/errors.ts";
import { writeDurable } from "../../core/host/files.ts";
import { createLog } from "../../core/host/log.ts";
import { onSignal } from "../../core/host/processes.ts";
import { realHost } from "../../core/host/real_host.ts";
import { joinBlock } from "../../core/worker/block_member.ts";
import { startWorker, type Worker } from "../../core/worker/daemon.ts";

/** Runs until the worker has left. 0: told to; 1: it could not start, or could not keep its word. */
export async function role(args: string[]): Promise<number> {
  const write = (line: string): void => {
    fs.writeSync(2, `${line}\n`);
  };
  const log = createLog(write, "info", Date.now);
  let worker: Worker | undefined;
  // Before the first child: where the parent ignores SIGCHLD, as some batch launchers do, none could be waited for.
  onSignal("SIGCHLD", () => worker?.childEnded());
  for (const name of ["SIGTERM", "SIGINT"] as const) onSignal(name, () => worker?.leave());
  onSignal("SIGHUP", () => {});
  onSignal("SIGPIPE", () => {});
  try {
    const host = realHost(log);
    const dir = args[0] === "--block" ? joinBlock(args[1] ?? "", host) : (args[0] ?? "");
    worker = await startWorker(dir, host);
    await worker.done;
    if (args[0] === "--block") writeDurable(join(dir, "left"), "");
    return 0;
  } catch (error) {
    const hint = error instanceof GcError ? error.hint : undefined;
    log.error("worker.failed", { why: messageOf(error), hint });
    return 1;
  }
}
