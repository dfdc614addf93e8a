/** Checks of the home folder: whose it is, what kind of disk it lies on, how much room there is, how fast it syncs. */
import { accessSync, constants, statfsSync } from "node:fs";
import { join } from "node:path";
import { readContexts } from "../../core/config/context.ts";
import { readIdentity } from "../../core/config/identity.ts";
import { makePrivateDir, removeIfThere, writeDurable } from "../../core/host/files.ts";
import type { Cli } from "../cli.ts";
import { type Check, failed } from "./check.ts";

/** File systems that are shared by machines, by the magic number of statfs(2) (ecosystem.md §1.5). */
const networkFileSystems: { readonly [magic: number]: string } = {
  26985: "NFS",
  198183888: "Lustre",
  1196443219: "GPFS",
  428016422: "BeeGFS",
  12805120: "Ceph",
  4283649346: "CIFS",
};

const mib = 1024 * 1024;
const roomFail_mib = 50;
const roomWarn_mib = 1024;
const inodesWarn = 10_000;
const slowSync_ms = 100;

/** All checks of the home folder; the first one that fails makes the others pointless. */
export function checkHome(cli: Cli): Check[] {
  let root: string;
  try {
    root = cli.home.root;
    makePrivateDir(root);
    accessSync(root, constants.W_OK | constants.X_OK);
  } catch (error) {
    return [failed("home folder", error, "export GC_HOME=DIR")];
  }
  return [
    { name: "home folder", status: "ok", message: `${root} is ours alone` },
    checkFileSystem(root),
    ...checkRoom(root),
    checkSync(cli, root),
    checkIdentity(cli),
    checkContexts(cli),
  ];
}

function checkFileSystem(root: string): Check {
  const name = "file system";
  const shared = networkFileSystems[statfsSync(root).type >>> 0];
  if (shared === undefined) return { name, status: "ok", message: "The home folder is on a local disk" };
  const message = `The home folder is on ${shared}: endpoints may live there, a relay should not`;
  return { name, status: "warn", message, next: "export GC_HOME=/local/disk/gc before gc relay up" };
}

function checkRoom(root: string): Check[] {
  const { bavail, bsize, ffree, files } = statfsSync(root);
  const free_mib = Math.floor((bavail * bsize) / mib);
  const status = free_mib < roomFail_mib ? "fail" : free_mib < roomWarn_mib ? "warn" : "ok";
  const next = status === "ok" ? {} : { next: "free some space, or export GC_HOME=/larger/disk/gc" };
  const room: Check = { name: "disk space", status, message: `${free_mib} MiB are free for the home folder`, ...next };
  if (files === 0 || ffree >= inodesWarn) return [room];
  const few: Check = {
    name: "inodes",
    status: "warn",
    message: `Only ${ffree} more files fit on the disk of the home folder`,
    next: "delete files, or export GC_HOME=/other/disk/gc",
  };
  return [room, few];
}

/** Writes a small file durably: proves that the disk takes it, and tells how long an acknowledgement waits for it. */
function checkSync(cli: Cli, root: string): Check {
  const name = "durable write";
  const path = join(root, `.doctor-${process.pid}`);
  try {
    const before = cli.host.clock.monotonic();
    writeDurable(path, "gc doctor\n");
    const took_ms = cli.host.clock.monotonic() - before;
    const message = `A durable write takes ${took_ms.toFixed(1)} ms`;
    if (took_ms < slowSync_ms) return { name, status: "ok", message };
    return { name, status: "warn", message, next: "a faster disk: export GC_HOME=DIR" };
  } catch (error) {
    return failed(name, error, "df -h; quota -s");
  } finally {
    removeIfThere(path);
  }
}

function checkIdentity(cli: Cli): Check {
  const name = "identity";
  try {
    const identity = readIdentity(cli.home);
    if (identity === undefined) return { name, status: "info", message: "No user key yet: it is made at first use" };
    return { name, status: "ok", message: `You are user ${identity.id}` };
  } catch (error) {
    return failed(name, error, `restore ${cli.home.identity} from a backup`);
  }
}

function checkContexts(cli: Cli): Check {
  const name = "contexts";
  try {
    const { contexts, current } = readContexts(cli.home);
    if (Object.hasOwn(contexts, current)) return { name, status: "ok", message: `Commands talk to "${current}"` };
    return { name, status: "fail", message: `The current context "${current}" is gone`, next: "gc context use local" };
  } catch (error) {
    return failed(name, error, `mv ${cli.home.contexts} ${cli.home.contexts}.bad`);
  }
}
