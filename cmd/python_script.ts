/**
 * `gc run script.py`: a file of this machine goes along with the task, with what its metadata (PEP 723) says. After
 * `--` the words are a command of the other machine, as ever.
 */
import * as fs from "node:fs";
import { basename } from "node:path";
import { GcError, messageOf } from "../core/errors.ts";
import { fileError } from "../core/host/files.ts";
import type { PythonScript } from "../core/schema/python.ts";

/** What a script says about itself at its head. */
export interface ScriptMetadata {
  dependencies?: string[];
  requires_python?: string;
}

/** Whether words that did not follow `--` name a script. */
export function isScript(words: readonly string[]): boolean {
  return words[0]?.endsWith(".py") === true;
}

/**
 * The script that `words` name, with its arguments.
 * @throws GcError missing `script.missing`, data `script.metadata`, io.
 */
export function scriptOf(words: readonly string[], interpreter?: string): PythonScript {
  const [path = "", ...args] = words;
  const source = read(path, words);
  const script: PythonScript = { name: basename(path), source, args, ...metadataOf(source, path) };
  return interpreter === undefined ? script : { ...script, interpreter };
}

/**
 * The metadata of a script as PEP 723 defines it; nothing when it has none.
 * @throws GcError data `script.metadata` when it is no TOML, or says something else than it may.
 */
export function metadataOf(source: string, path: string): ScriptMetadata {
  const blocks = [...source.matchAll(/^# \/\/\/ script\r?\n((?:#(?:| .*)\r?\n)+?)# \/\/\/\r?$(?!\r?\n# \/\/\/)/gm)];
  const [first] = blocks;
  if (first === undefined) return {};
  if (blocks.length > 1) throw wrong(path, "it has more than one block of script metadata");
  const text = (first[1] ?? "").replace(/^# ?/gm, "");
  let said: { [key: string]: unknown };
  try {
    said = Bun.TOML.parse(text) as { [key: string]: unknown };
  } catch (cause) {
    throw wrong(path, `its script metadata is not TOML: ${messageOf(cause)}`);
  }
  const { dependencies, "requires-python": requires } = said;
  const metadata: ScriptMetadata = {};
  if (dependencies !== undefined) {
    if (!Array.isArray(dependencies) || !dependencies.every((one) => typeof one === "string")) {
      throw wrong(path, `"dependencies" in its script metadata must be a list of strings`);
    }
    metadata.dependencies = dependencies;
  }
  if (requires !== undefined) {
    if (typeof requires !== "string") throw wrong(path, `"requires-python" in its script metadata must be a string`);
    metadata.requires_python = requires;
  }
  return metadata;
}

function read(path: string, words: readonly string[]): string {
  try {
    return fs.readFileSync(path, "utf8");
  } catch (cause) {
    if ((cause as { code?: string }).code !== "ENOENT") throw fileError("read", path, cause);
    throw new GcError("missing", "script.missing", `There is no script "${path}" here to be sent`, {
      hint: `gc run -- python3 ${words.join(" ")}   (for one that is there already)`,
    });
  }
}

function wrong(path: string, what: string): GcError {
  return new GcError("data", "script.metadata", `Cannot run "${path}": ${what}`, {
    hint: 'Write it as "# /// script", "# dependencies = [\\"numpy\\"]", "# ///" (PEP 723)',
  });
}
