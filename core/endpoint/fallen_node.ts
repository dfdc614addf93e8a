/**
 * Whether the node of a worker died while its block goes on. Slurm takes such a node out of the block (`--no-kill`) and
 * tells the launcher of the workers, whose words are in the block's standard error: as good a proof as the end of a
 * block, which comes from the same controller.
 */
import * as fs from "node:fs";
import { dirname, join } from "node:path";
import { fallenNodes } from "../../providers/slurm/fallen_nodes.ts";
import { readJsonIfThere } from "../host/files.ts";
import type { WorkerTrace } from "../worker/leftovers.ts";

/** The launcher speaks last, or nearly so: beside it only workers that lose or find their link. */
const tailBytes = 256 * 1024;

/** `worker_dir`: folder of a worker of a block, `BLOCK/workers/WORKER`. */
export function nodeFell(worker_dir: string): boolean {
  const trace = readJsonIfThere(join(worker_dir, "worker.pid.json")) as WorkerTrace | undefined;
  if (trace?.node === undefined) return false;
  return fallenNodes(tailOf(join(dirname(dirname(worker_dir)), "stderr"))).has(trace.node);
}

function tailOf(path: string): string {
  let fd: number;
  try {
    fd = fs.openSync(path, "r");
  } catch {
    return "";
  }
  try {
    const { size } = fs.fstatSync(fd);
    const bytes = Buffer.alloc(Math.min(size, tailBytes));
    const read = fs.readSync(fd, bytes, 0, bytes.byteLength, size - bytes.byteLength);
    return bytes.toString("latin1", 0, read);
  } finally {
    fs.closeSync(fd);
  }
}
