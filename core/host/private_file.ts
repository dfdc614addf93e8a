/**
 * Files and folders that nobody but their owner may touch: keys, and the folder they lie in. Checked on every use,
 * because a home folder may have been copied, restored or shared since (reliability-security.md §2.2).
 */
import * as fs from "node:fs";
import { GcError, systemCode } from "../errors.ts";
import { fileError, isAbsent, readIfThere, removeIfThere, syncDir } from "./files.ts";
import { dirname } from "./path.ts";

/** The number of the user who runs this process. */
export function userId(): number {
  return process.getuid?.() ?? 0;
}

/**
 * Refuses a folder that somebody else owns or may write to. True when it is there, false when it is not. `follow`: a
 * link to such a folder will do; not where others could have put the link.
 * @throws GcError `home.not_ours`, `home.writable` or `home.not_a_folder`.
 */
export function checkPrivateDir(path: string, follow = true): boolean {
  const stat = statIfThere(path, follow);
  if (stat === undefined) return false;
  if (!stat.isDirectory()) {
    throw new GcError("cannot_create", "home.not_a_folder", `"${path}" is not a folder`, {
      hint: "export GC_HOME=DIR",
    });
  }
  if (stat.uid !== userId()) {
    const why = `The folder "${path}" belongs to user ${stat.uid}, not to you (user ${userId()})`;
    throw new GcError("permission", "home.not_ours", why, { hint: "export GC_HOME=DIR" });
  }
  if ((stat.mode & 0o022) !== 0) {
    const why = `Other users may write to the folder "${path}" (mode ${octal(stat.mode)})`;
    throw new GcError("permission", "home.writable", why, { hint: `chmod go-w ${quoted(path)}` });
  }
  return true;
}

/**
 * The bytes of a file with secrets, or undefined when there is none.
 * @throws GcError `key.exposed` when others may read or write it, `key.not_ours` when another user owns it.
 */
export function readPrivate(path: string): Uint8Array | undefined {
  const stat = statIfThere(path);
  if (stat === undefined) return undefined;
  if (stat.uid !== userId()) {
    throw new GcError("permission", "key.not_ours", `The key file "${path}" belongs to user ${stat.uid}, not to you`);
  }
  if ((stat.mode & 0o077) !== 0) {
    const why = `Other users may read the key file "${path}" (mode ${octal(stat.mode)})`;
    throw new GcError("permission", "key.exposed", why, { hint: `chmod 600 ${quoted(path)}` });
  }
  return readIfThere(path);
}

let made = 0;

/**
 * Creates a file, durably and in one step, unless there is one: of several processes that try at the same moment
 * exactly one creates it. False when it was there already.
 */
export function createOnce(path: string, content: string, mode = 0o600): boolean {
  made += 1;
  const beside = `${path}.${process.pid}.${made}.new`;
  try {
    const fd = fs.openSync(beside, "wx", mode);
    try {
      fs.writeFileSync(fd, content);
      fs.fsyncSync(fd);
    } finally {
      fs.closeSync(fd);
    }
    fs.linkSync(beside, path);
  } catch (cause) {
    if (systemCode(cause) === "EEXIST") return false;
    throw fileError("create", path, cause, "cannot_create");
  } finally {
    removeIfThere(beside);
  }
  syncDir(dirname(path));
  return true;
}

function statIfThere(path: string, follow = true): fs.Stats | undefined {
  try {
    return follow ? fs.statSync(path) : fs.lstatSync(path);
  } catch (cause) {
    if (isAbsent(cause)) return undefined;
    throw fileError("look at", path, cause);
  }
}

function octal(mode: number): string {
  return (mode & 0o777).toString(8).padStart(4, "0");
}

function quoted(path: string): string {
  return /^[A-Za-z0-9_./-]+$/.test(path) ? path : `'${path.replaceAll("'", "'\\''")}'`;
}
