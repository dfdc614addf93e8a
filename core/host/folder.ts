/** What is in a folder. */
import { readdirSync } from "node:fs";
import { fileError, isAbsent } from "./files.ts";

/** Names of the folders in `path`, sorted; none when it is not there. Links count as what they are: no folders. */
export function foldersIn(path: string): string[] {
  try {
    const entries = readdirSync(path, { withFileTypes: true });
    return entries
      .filter((entry) => entry.isDirectory())
      .map((entry) => entry.name)
      .sort();
  } catch (cause) {
    if (isAbsent(cause)) return [];
    throw fileError("list", path, cause);
  }
}
