/**
 * A first look at `dist/gc`, as it was just built: it starts, is the version it should be, obeys nothing of the
 * directory it is started in, and holds no planted bug and no crash point. What it does for people is tested in
 * `test/`.
 */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Finding, reportAndExit, root, sources } from "./sources.ts";

const gc = join(root, "dist/gc");

/** Starts gc in a folder whose settings would run code in it, and returns what it printed. */
function startInHostileFolder(...args: string[]): { code: number; stdout: string } {
  const folder = mkdtempSync(join(tmpdir(), "gc-smoke-"));
  try {
    writeFileSync(join(folder, "bunfig.toml"), 'preload = ["./evil.ts"]\n');
    writeFileSync(join(folder, "evil.ts"), 'console.log("evil");\n');
    writeFileSync(join(folder, ".env"), "BUN_OPTIONS=--preload=./evil.ts\n");
    const run = Bun.spawnSync([gc, ...args], { cwd: folder, stdin: "ignore", env: { PATH: "/usr/bin:/bin" } });
    return { code: run.exitCode, stdout: run.stdout.toString() };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Names given to `planted` and `crashPoint` in the sources that are found in the executable. */
function namesLeftIn(executable: Buffer): string[] {
  const calls = sources()
    .filter(({ path }) => /^(core|cmd|providers)\/.*\.ts$/.test(path))
    .flatMap(({ text }) =>
      [...text.matchAll(/\b(?:planted|crashPoint)\(\s*"([^"\n]+)"/g)].map((match) => match[1] ?? ""),
    );
  return [...new Set([...calls, "GC_CRASH_POINT", "GC_PLANTED"])].filter((name) => executable.includes(name));
}

function findings(): Finding[] {
  const wrong: string[] = [];
  const { version } = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
  const { code, stdout } = startInHostileFolder("--version");
  if (code !== 0 || stdout !== `gc ${version}\n`)
    wrong.push(`--version printed ${JSON.stringify(stdout)}, code ${code}`);
  const help = startInHostileFolder("--help");
  if (help.code !== 0 || !help.stdout.includes("Usage: gc")) wrong.push(`--help exits with ${help.code}`);
  if (help.stdout.includes("evil")) wrong.push("it runs what the directory's bunfig.toml or .env says");
  for (const name of namesLeftIn(readFileSync(gc))) wrong.push(`the release build holds the planted name "${name}"`);
  return wrong.map((message) => ({ path: "dist/gc", line: 0, message }));
}

reportAndExit(findings(), "smoke");
