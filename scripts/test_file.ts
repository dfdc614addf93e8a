/**
 * One test file in a process of its own: with an empty home and temporary folder, a time limit, and nothing left
 * behind. A process that outlives its test file counts as a failure, because on a person's machine it would outlive
 * everything.
 */
import { closeSync, mkdtempSync, openSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { homedir, tmpdir } from "node:os";
import { join } from "node:path";
import { root } from "./sources.ts";

/**
 * How a file went. `why` are reasons besides failed tests: too slow, crashed, left something behind. `skips`: what was
 * skipped, and what the file says of the reason.
 */
export interface FileResult {
  readonly path: string;
  readonly passed: number;
  readonly failed: number;
  readonly skipped: number;
  readonly why: readonly string[];
  readonly skips: readonly string[];
  readonly output: string;
  readonly took_ms: number;
}

/** A file that needs longer says so in a line of its own: `// time limit: 600 s`. */
const timeLimit_s = 120;
/** One test, when it gives no limit itself. */
const testLimit_ms = 30_000;
/** Processes get this long to be gone after their test. */
const goneWithin_ms = 3_000;
/** Marks every process that comes from a test file, however detached it is. */
const mark = "TEST_FILE_ID";

let counter = 0;

/** Runs the tests of one file. */
export async function runTestFile(path: string): Promise<FileResult> {
  // Short, because paths of sockets are: at most 107 bytes.
  const folder = mkdtempSync(join(tmpdir(), "gct"));
  counter += 1;
  const id = `${process.pid}.${counter}`;
  const text = join(folder, "output");
  const output_fd = openSync(text, "a");
  const begun_ms = performance.now();
  const child = Bun.spawn([process.execPath, "test", `./${path}`, `--timeout=${testLimit_ms}`], {
    cwd: root,
    env: environment(folder, id),
    stdin: "ignore",
    // A file, not a pipe: a process that is left behind would keep a pipe open. Opened once, or each of the two streams
    // would write over what the other has written.
    stdout: output_fd,
    stderr: output_fd,
    detached: true,
  });
  closeSync(output_fd);
  const limit_s = timeLimitOf(path);
  let too_slow = false;
  const timer = setTimeout(() => {
    too_slow = true;
    killAll([-child.pid, ...marked(id)]);
  }, limit_s * 1000);
  const code = await child.exited;
  clearTimeout(timer);

  const why: string[] = [];
  if (too_slow) why.push(`ended after its time limit of ${limit_s} s`);
  const left = await leftBehind(id);
  if (left.length > 0 && !too_slow) why.push(`left processes behind: ${left.join("; ")}`);
  const output = readFileSync(text, "utf8");
  const count = (word: string) => Number(new RegExp(`^ *(\\d+) ${word}$`, "m").exec(output)?.[1] ?? 0);
  const failed = count("fail");
  if (code !== 0 && failed === 0 && !too_slow) why.push(`ended with code ${code}, although no test failed`);
  if (code === 0 && count("pass") + count("skip") === 0) why.push("ran no test");
  rmSync(folder, { recursive: true, force: true });
  return {
    path,
    passed: count("pass"),
    failed: failed + why.length,
    skipped: count("skip"),
    why,
    // What a file prints first follows its name on the same line, and skipped tests are listed twice.
    skips: [...new Set(output.match(/^\(skip\).*|SKIPPED: .*/gm))],
    output,
    took_ms: performance.now() - begun_ms,
  };
}

/** What a test may see of ours: nothing that steers gc or Bun, and a home that is empty. */
function environment(folder: string, id: string): { [name: string]: string } {
  const kept = Object.entries(process.env).filter(([name]) => !/^(GC_|BUN_|NODE_OPTIONS$|XDG_)/.test(name));
  return {
    // Caches of packages stay where they are: tests that install something need not fetch it again.
    npm_config_cache: join(homedir(), ".npm"),
    BUN_INSTALL_CACHE_DIR: join(homedir(), ".bun/install/cache"),
    ...(Object.fromEntries(kept) as { [name: string]: string }),
    HOME: folder,
    TMPDIR: folder,
    [mark]: id,
  };
}

function timeLimitOf(path: string): number {
  const own = /^\/\/ time limit: (\d+) s$/m.exec(readFileSync(join(root, path), "utf8"))?.[1];
  return own === undefined ? timeLimit_s : Number(own);
}

/** Waits until no process of the file is left; ends those that stay, and says which. */
async function leftBehind(id: string): Promise<string[]> {
  const end_ms = performance.now() + goneWithin_ms;
  let left = marked(id);
  while (left.length > 0 && performance.now() < end_ms) {
    await Bun.sleep(50);
    left = marked(id);
  }
  const names = left.map((pid) => `${pid} ${commandOf(pid)}`);
  killAll(left);
  return names;
}

/** Pids of living processes that carry the mark. Knows none where there is no /proc. */
function marked(id: string): number[] {
  const wanted = `${mark}=${id}`;
  let pids: string[] = [];
  try {
    pids = readdirSync("/proc").filter((name) => /^\d+$/.test(name));
  } catch {
    return [];
  }
  return pids.filter((pid) => readProc(pid, "environ").split("\0").includes(wanted)).map(Number);
}

function commandOf(pid: number): string {
  return readProc(String(pid), "cmdline").split("\0").join(" ").trim();
}

function readProc(pid: string, file: string): string {
  try {
    return readFileSync(`/proc/${pid}/${file}`, "utf8");
  } catch {
    return ""; // It ended meanwhile, or is not ours.
  }
}

function killAll(pids: readonly number[]): void {
  for (const pid of pids) {
    try {
      process.kill(pid, "SIGKILL");
    } catch {
      // It ended meanwhile.
    }
  }
}
