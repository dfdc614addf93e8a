/** The files of this repository, for the programs that judge them: all that git tracks or would track, with their
 * text. */
import { existsSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";

export const root: string = dirname(import.meta.dir);

/** One file; `path` is relative to the repository, with `/`. */
export interface Source {
  readonly path: string;
  readonly text: string;
}

/** What is wrong, and where. `line` counts from 1; 0 stands for the file as a whole. */
export interface Finding {
  readonly path: string;
  readonly line: number;
  readonly message: string;
}

/** Every text file, sorted by path. Captured output and golden files are data, not prose of ours, and are left out. */
export function sources(): Source[] {
  const git = Bun.spawnSync(["git", "-C", root, "ls-files", "-z", "--cached", "--others", "--exclude-standard"]);
  if (!git.success) throw new Error("Cannot list the files: this is not a git repository");
  const paths = git.stdout.toString().split("\0");
  return [...new Set(paths)]
    .filter((path) => path !== "" && path !== "bun.lock" && path !== "LICENSE")
    .filter((path) => !/^test\/(captures|golden)\//.test(path) && existsSync(join(root, path)))
    .sort()
    .map((path) => ({ path, text: readFileSync(join(root, path), "utf8") }))
    .filter(({ text }) => !text.includes("\0"));
}

/** The line, from 1, in which character `offset` of `text` stands. */
export function lineAt(text: string, offset: number): number {
  let line = 1;
  for (let at = text.indexOf("\n"); at >= 0 && at < offset; at = text.indexOf("\n", at + 1)) line += 1;
  return line;
}

/** Source text with comments blanked out, so that prose is not mistaken for code; offsets and lines stay. */
export function withoutComments(text: string): string {
  const token = /"(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*'|`(?:[^`\\]|\\.)*`|\/\*[\s\S]*?\*\/|\/\/[^\n]*/g;
  return text.replace(token, (found) => (found.startsWith("/") ? found.replace(/[^\n]/g, " ") : found));
}

/** Prints findings, one a line, and ends the process: with 1 when there are any. */
export function reportAndExit(findings: readonly Finding[], what: string): never {
  for (const { path, line, message } of findings) console.log(`${path}${line > 0 ? `:${line}` : ""}: ${message}`);
  console.log(findings.length === 0 ? `${what}: nothing found` : `${what}: ${findings.length} found`);
  process.exit(findings.length === 0 ? 0 : 1);
}
