/**
 * The files of a mailbox: what `mailbox_socket.ts` does to a folder that two machines share, and how it is done on a
 * network file system. A file appears whole or not at all (written aside, then renamed); what is read is checked to be
 * a plain file of this user; and a listing is made fresh by touching the folder, because clients of NFS remember an old
 * one for up to a minute unless they change the folder themselves.
 */
import { constants } from "node:fs";
import * as fs from "node:fs/promises";
import { join } from "node:path";
import { GcError, systemCode } from "../errors.ts";
import { userId } from "./private_file.ts";

/** Largest file of a mailbox, in bytes: one message more than a sender puts into one. */
export const mailBytesMax = 2 * 1024 * 1024;

/** Everything that a mailbox does to the world. Tests bring slow ones. All throw the errors of the system. */
export interface MailboxFiles {
  /** Names in the folder; `fresh`: also what another machine has just put there. */
  list(dir: string, fresh: boolean): Promise<string[]>;
  /** The bytes of a file. @throws GcError `mailbox.foreign` when it is not a plain file of this user, or too large. */
  read(path: string): Promise<Uint8Array>;
  /** Puts a file into the folder, whole, with mode 0600. */
  put(dir: string, name: string, bytes: Uint8Array): Promise<void>;
  remove(path: string): Promise<void>;
  /** Makes a folder of mode 0700, under this name at once or not at all. */
  make(dir: string): Promise<void>;
  removeTree(dir: string): Promise<void>;
}

export const realMailboxFiles: MailboxFiles = {
  async list(dir, fresh) {
    if (fresh) {
      const touched = join(dir, `.touch-${process.pid}`);
      await fs.writeFile(touched, "", { mode: 0o600 });
      await fs.rm(touched, { force: true });
    }
    return fs.readdir(dir);
  },
  async read(path) {
    const file = await fs.open(path, constants.O_RDONLY | constants.O_NOFOLLOW);
    try {
      const stat = await file.stat();
      if (!stat.isFile() || stat.uid !== userId() || stat.size > mailBytesMax) {
        throw new GcError("permission", "mailbox.foreign", `"${path}" is no file that a part of gc left there`);
      }
      const bytes = new Uint8Array(stat.size);
      const { bytesRead } = await file.read(bytes, 0, bytes.byteLength, 0);
      return bytes.subarray(0, bytesRead);
    } finally {
      await file.close();
    }
  },
  async put(dir, name, bytes) {
    const aside = join(dir, `.${name}`);
    await fs.writeFile(aside, bytes, { mode: 0o600 });
    await fs.rename(aside, join(dir, name));
  },
  remove: (path) => fs.rm(path, { force: true }),
  make: (dir) => fs.mkdir(dir, { mode: 0o700 }),
  removeTree: (dir) => fs.rm(dir, { recursive: true, force: true, maxRetries: 3, retryDelay: 50 }),
};

/** Whether it says that the folder is not there. */
export function isGone(error: unknown): boolean {
  const code = systemCode(error);
  return code === "ENOENT" || code === "ENOTDIR" || code === "ESTALE";
}
