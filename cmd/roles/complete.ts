/**
 * `gc __complete endpoints|contexts`: names for a shell that completes a word, one a line. Reads folders and caches
 * only, never the network, and stays silent when anything is amiss: a broken home must not break a prompt.
 */
import { readdirSync } from "node:fs";
import { isName } from "../../core/config/endpoint_name.ts";
import { openHome } from "../../core/config/home.ts";
import { readJsonIfThere } from "../../core/host/files.ts";

/** Prints the names; resolves to 0 always. */
export async function role(args: string[]): Promise<number> {
  try {
    console.log(names(args[0] ?? "").join("\n"));
  } catch {
    // No names, then.
  }
  return 0;
}

function names(what: string): string[] {
  const home = openHome(process.env);
  if (what === "contexts") return ["local", ...Object.keys(objectAt(home.contexts, "contexts"))].filter(isName);
  if (what !== "endpoints" && what !== "own-endpoints") return [];
  const own = readdirSync(home.endpoints, { withFileTypes: true }).filter((entry) => entry.isDirectory());
  const known = what === "endpoints" ? listAt(home.known, "endpoints") : [];
  const all = [...own.map((entry) => entry.name), ...known.map((entry) => String(entry.name))];
  return [...new Set(all)].filter(isName).sort();
}

function objectAt(path: string, key: string): { [name: string]: unknown } {
  const file = readJsonIfThere(path) as { [key: string]: { [name: string]: unknown } } | undefined;
  return file?.[key] ?? {};
}

function listAt(path: string, key: string): { name?: unknown }[] {
  const file = readJsonIfThere(path) as { [key: string]: { name?: unknown }[] } | undefined;
  return file?.[key] ?? [];
}
