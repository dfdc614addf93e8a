/**
 * This very executable, to be downloaded: a cluster that cannot reach the internet installs gc from its relay. Under
 * the names that `install.sh` asks for. From sources there is nothing to download.
 */
import { createHash } from "node:crypto";
import * as fs from "node:fs";
import installScript from "../../install.sh" with { type: "text" };

/** What the relay can hand out. */
export interface Program {
  /** `linux-x64`, as in `gc-linux-x64`. */
  readonly platform: string;
  readonly path: string;
}

/** The executable that this process runs, or undefined when it runs from sources. */
export function ownProgram(): Program | undefined {
  if (!Bun.isStandaloneExecutable) return undefined;
  return { platform: `${process.platform}-${process.arch}`, path: process.execPath };
}

let summed: { key: string; sha256: Promise<string> } | undefined;

/** `SHA256SUMS` for it. The hash is computed when it is first asked for, and again only when the file is another. */
export async function sumsOf(program: Program): Promise<string> {
  const { mtimeMs, ino, size } = fs.statSync(program.path);
  const key = [program.path, mtimeMs, ino, size].join("\0");
  if (summed?.key !== key) summed = { key, sha256: hashFile(program.path) };
  return `${await summed.sha256}  gc-${program.platform}\n`;
}

/** `install.sh`, told where it came from. `base_url` must hold no character that the shell would read. */
export function installText(base_url: string): string {
  return installScript.replace('base_url_default=""', () => `base_url_default="${base_url}/gc"`);
}

/** Whether a URL may stand between double quotes in a shell script. */
export function isPlainUrl(url: string): boolean {
  return /^https?:\/\/[A-Za-z0-9._~:/?#[\]@!&()*+,;=%-]+$/.test(url);
}

async function hashFile(path: string): Promise<string> {
  const hash = createHash("sha256");
  for await (const chunk of Bun.file(path).stream()) hash.update(chunk);
  return hash.digest("hex");
}
