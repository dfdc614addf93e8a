/**
 * The executables under test. The test build has crash points and planted bugs; it is compiled when a source is newer
 * than it, unless E2E_EXECUTABLE names another. A test keeps a name of its own for it, so that a build that happens
 * meanwhile is not noticed.
 */
import { copyFileSync, existsSync, linkSync, mkdirSync, rmdirSync, statSync } from "node:fs";
import { dirname, join } from "node:path";
import { until } from "./until.ts";

const root = dirname(dirname(import.meta.dir));
const dist = join(root, "dist");

export type Build = "gc" | "gc-test";

/** Puts the executable into `folder` and returns its path. */
export async function executableIn(folder: string, build: Build = "gc-test"): Promise<string> {
  const given = process.env.E2E_EXECUTABLE;
  const built = given ?? join(dist, build);
  if (given === undefined && isStale(built)) await compile(build);
  const own = join(folder, "gc");
  try {
    linkSync(built, own);
  } catch {
    copyFileSync(built, own); // Another file system.
  }
  return own;
}

/** Compiles it, or waits for whoever is at it. */
async function compile(build: Build): Promise<void> {
  const lock = join(dist, `.${build}.lock`);
  mkdirSync(dist, { recursive: true });
  await until(
    () => tryLock(lock),
    () => `the lock ${lock}`,
    60_000,
  );
  try {
    if (!isStale(join(dist, build))) return;
    const argv = [process.execPath, "scripts/build.ts", ...(build === "gc-test" ? ["--test-build"] : [])];
    const child = Bun.spawnSync(argv, { cwd: root, stdin: "ignore", stdout: "ignore", stderr: "pipe" });
    if (!child.success) throw new Error(`Cannot build ${build}: ${child.stderr.toString()}`);
  } finally {
    rmdirSync(lock);
  }
}

function tryLock(lock: string): boolean {
  try {
    mkdirSync(lock);
    return true;
  } catch {
    // A build takes seconds; one that died leaves its lock behind.
    if (existsSync(lock) && Date.now() - statSync(lock).mtimeMs > 50_000) rmdirSync(lock);
    return false;
  }
}

function isStale(path: string): boolean {
  const built_ms = statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? 0;
  const sources = ["core", "cmd", "providers"].flatMap((room) =>
    [...new Bun.Glob("**/*.ts").scanSync({ cwd: join(root, room) })].map((name) => join(root, room, name)),
  );
  return sources.some((source) => (statSync(source, { throwIfNoEntry: false })?.mtimeMs ?? 0) > built_ms);
}
