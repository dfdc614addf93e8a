/** Home folders for one test each, and the code with which something was refused. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Home, openHome } from "../../core/config/home.ts";
import { GcError } from "../../core/errors.ts";

const dirs: string[] = [];

/** An empty folder; gone after `removeDirs`. */
export function freshDir(): string {
  const dir = mkdtempSync(join(tmpdir(), "gc-config-"));
  dirs.push(dir);
  return dir;
}

/** A home folder that is not there yet. */
export function freshHome(): Home {
  return openHome({ GC_HOME: join(freshDir(), "home") });
}

/** Counts `dir` among the folders that `removeDirs` removes. */
export function removeLater(dir: string): void {
  dirs.push(dir);
}

export function removeDirs(): void {
  for (const dir of dirs.splice(0)) rmSync(dir, { recursive: true, force: true });
}

/** The code of the GcError that `act` throws; empty when it throws none. */
export function codeOf(act: () => unknown): string {
  try {
    act();
  } catch (error) {
    if (error instanceof GcError) return error.code;
    throw error;
  }
  return "";
}
