/**
 * A worker of a block: one of several processes that a launcher started with the same words. It gives itself an id
 * that begins like that of its block, and a folder of its own in the folder of the block; a process that the scheduler
 * starts anew is a new worker.
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
import { groupsOfList } from "./cpu_affinity.ts";
import { type NodeResources, namedAccelerators, nodeResources, thisNode } from "./node_resources.ts";

/** Folder of a block through which its workers and the endpoint can leave each other messages. */
export const mailboxFolder = "mail";
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
  const shape = shapeOnNode(block, nodeResources(thisNode(host.env, host.hostname)));
  const mailbox = join(dir, mailboxFolder);
  const file: WorkerFile = { ...block, ...shape, id, sandboxes, link: { ...block.link, mailbox } };
  writeJson(join(folder, "worker.json"), file);
  return folder;
}

/** What a worker's file says of shares, before the node is known. */
type Shares = Pick<
  WorkerFile,
  | "slots"
  | "resources"
  | "cores_per_slot"
  | "memory_mib_per_slot"
  | "accelerators"
  | "accelerator_each"
  | "cpu_affinity"
>;

/**
 * How many tasks a node of a block runs at once, and what they share: as many as it has shares of cores, of memory and
 * of accelerators, but at most as the endpoint says (providers.md §18.1).
 * @throws GcError missing `block.no_accelerators` when the endpoint shares out some and the node has none of them.
 */
export function shapeOnNode(
  block: Shares,
  node: NodeResources,
): Pick<WorkerFile, "slots" | "resources" | "accelerators"> {
  const each = block.accelerator_each === true;
  const asked = block.accelerators ?? [];
  const accelerators = asked.length > 0 ? namedAccelerators(asked, node) : foundAccelerators(block, node);
  if (each && accelerators.length === 0) {
    const has = node.accelerators.join(", ") || "none";
    const what = `Of the accelerators ${asked.join(", ")} none is on this node, which has ${has}`;
    throw new GcError("missing", "block.no_accelerators", what, { hint: "Edit available_accelerators in config.yaml" });
  }
  const shares = [
    block.slots,
    node.cores / (block.cores_per_slot || 1),
    node.memory_mib / (block.memory_mib_per_slot ?? 1),
    each ? accelerators.length : block.slots,
    groupsOfList(block.cpu_affinity ?? "none") ?? block.slots,
  ];
  // A share like 0.1 is not exactly that.
  const slots = Math.max(1, Math.floor(Math.min(...shares) + 1e-6));
  const resources = { cores: Math.max(slots, node.cores), memory_mib: node.memory_mib, gpus: accelerators.length };
  return { slots, resources, ...(accelerators.length > 0 ? { accelerators: [...accelerators] } : {}) };
}

/** Nobody named any: those that the node has, or failing that as many as the scheduler was asked for. */
function foundAccelerators({ resources }: Shares, node: NodeResources): readonly string[] {
  if (node.accelerators.length > 0 || node.accelerators_given) return node.accelerators;
  return Array.from({ length: resources.gpus ?? 0 }, (_, i) => String(i));
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
