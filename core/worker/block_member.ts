/**
 * A worker of a block: one of several processes that a launcher started with the same words. It gives itself an id that
 * begins like that of its block, and a folder of its own in the folder of the block; a process that the scheduler starts
 * anew is a new worker.
 */
import * as fs from "node:fs";
import * as os from "node:os";
import { join } from "node:path";
import { GcError, systemCode } from "../errors.ts";
import { makePrivateDir, readJsonIfThere, writeJson } from "../host/files.ts";
import type { Host } from "../host/host.ts";
import { userId } from "../host/private_file.ts";
import { parse } from "../schema/validate.ts";
import type { WorkerFile } from "../schema/worker_file.ts";

/** Says that sandboxes lie on the node's own disk. */
export const nodeLocal = "node-local";

/**
 * Makes the folder of one worker of the block in folder `dir`, and returns it.
 * @throws GcError missing `block.no_file`: the block was given up, and this process has nothing to do.
 */
export function joinBlock(dir: string, host: Host): string {
  const value = readJsonIfThere(join(dir, "block.json"));
  if (value === undefined) throw new GcError("missing", "block.no_file", `There is no block.json in "${dir}"`);
  const block = parse("worker_file", value, "block file");
  const { id, folder } = newFolder(join(dir, "workers"), block.id, host);
  const sandboxes = block.sandboxes === nodeLocal ? localSandboxes(host) : block.sandboxes;
  const cores = coresOfNode(host.env);
  const slots = Math.max(1, Math.min(block.slots, Math.floor(cores / (block.cores_per_slot || 1))));
  const memory_mib = Math.max(1, Math.floor(os.totalmem() / 1024 / 1024));
  const resources = { memory_mib, ...block.resources, cores: Math.max(slots, cores) };
  const file: WorkerFile = { ...block, id, sandboxes, slots, resources };
  writeJson(join(folder, "worker.json"), file);
  return folder;
}

/** Cores that the scheduler gave us on this node; where it does not say, those that the system lets us use. */
function coresOfNode(env: { readonly [name: string]: string | undefined }): number {
  for (const name of ["SLURM_CPUS_ON_NODE", "NCPUS", "PBS_NUM_PPN", "NSLOTS", "COBALT_JOBSIZE_CORES"]) {
    const said = Number(env[name]);
    if (Number.isInteger(said) && said > 0) return said;
  }
  return os.availableParallelism();
}

function newFolder(workers: string, block: string, host: Host): { id: string; folder: string } {
  makePrivateDir(workers);
  for (;;) {
    const id = `${block.slice(0, 28)}${Buffer.from(host.random.bytes(4)).toString("hex")}`;
    const folder = join(workers, id);
    if (id === block) continue;
    try {
      fs.mkdirSync(folder, { mode: 0o700 });
      return { id, folder };
    } catch (error) {
      if (systemCode(error) !== "EEXIST") throw error;
    }
  }
}

/** A folder on a disk of this node; schedulers often give one per block by TMPDIR. */
function localSandboxes(host: Host): string {
  const base = host.env.TMPDIR !== undefined && fs.existsSync(host.env.TMPDIR) ? host.env.TMPDIR : os.tmpdir();
  return join(base, `gc-${userId()}-sandboxes`);
}
