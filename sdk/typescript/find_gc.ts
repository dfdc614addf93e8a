/** Where the gc executable is. Graphviz has a `gc` too, which is passed over. */
import { spawnSync } from "node:child_process";
import { accessSync, constants, statSync } from "node:fs";
import { homedir } from "node:os";
import { delimiter, join } from "node:path";
import { ComputeError } from "./errors.ts";

const known = new Map<string, string>();

/** Its path: GC_EXE, else `gc` or `gcompute` in PATH. @throws ComputeError `gc.not_found`. */
export function findGc(): string {
  const { GC_EXE: said, PATH: path = "" } = process.env;
  const key = `${said}\n${path}`;
  const found = known.get(key) ?? (said === undefined || said === "" ? searched(path) : named(said, path));
  known.set(key, found);
  return found;
}

function named(said: string, path: string): string {
  const places = said.includes("/") ? [said] : path.split(delimiter).map((folder) => join(folder, said));
  const found = places.find(isProgram);
  if (found === undefined) throw new ComputeError(`GC_EXE names "${said}", which cannot be run`, "gc.not_found");
  return found;
}

function searched(path: string): string {
  const folders = [...path.split(delimiter).filter((folder) => folder !== ""), join(homedir(), ".local/bin")];
  for (const name of ["gc", "gcompute"]) {
    const found = folders.map((folder) => join(folder, name)).find((place) => isProgram(place) && isGc(place));
    if (found !== undefined) return found;
  }
  throw new ComputeError("There is no gc executable in PATH; set GC_EXE to where it is", "gc.not_found");
}

function isProgram(place: string): boolean {
  try {
    accessSync(place, constants.X_OK);
    return statSync(place).isFile();
  } catch {
    return false;
  }
}

function isGc(place: string): boolean {
  const { stdout } = spawnSync(place, ["--version"], { stdio: ["ignore", "pipe", "ignore"], timeout: 20_000 });
  return /^gc \d+\.\d+/.test(String(stdout));
}
