/**
 * A throw-away place with an endpoint of its own, in which Python programs use the SDK as it is in this repository. gc
 * runs from the sources unless E2E_EXECUTABLE names a built one.
 */
import { chmodSync, mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { homedir } from "node:os";
import { delimiter, join } from "node:path";
import { type Ended, Running, type RunWith } from "../e2e/running.ts";
import { Throwaway } from "../e2e/throwaway.ts";

const root = join(import.meta.dir, "../..");
const sdk = join(root, "sdk/python");

/** Programs in Python that take longer have hung. */
const hangs_ms = 60_000;

/** Functions that programs submit: one that returns, one that takes its time, one that raises. */
export const someFunctions = `
def square(x):
    return x * x

def slow(s, value=None):
    import time
    time.sleep(s)
    return value

def fails(x):
    raise KeyError(x)
`;

export interface Python {
  readonly version: string;
  readonly path: string;
}

/** A Python per minor version that the SDK is made for, as far as this machine has them; the default one first. */
export const pythons: readonly Python[] = findPythons();

export class PythonPlace extends Throwaway {
  /** What GC_EXE names. */
  readonly exe = process.env.E2E_EXECUTABLE ?? this.wrapper();
  private count = 0;

  /** The environment of a program: it finds gc and the SDK. */
  override env(more: { [name: string]: string } = {}): { [name: string]: string } {
    return super.env({ GC_EXE: this.exe, PYTHONPATH: sdk, PYTHONDONTWRITEBYTECODE: "1", ...more });
  }

  /** Writes a program to a file of its own, and starts it. */
  startPython(program: string, options: RunWith & { python?: Python; args?: readonly string[] } = {}): Running {
    this.count += 1;
    const path = join(this.cwd, `program_${this.count}.py`);
    writeFileSync(path, program);
    const argv = [(options.python ?? defaultPython()).path, path, ...(options.args ?? [])];
    return this.startAny(argv, options);
  }

  /** Runs a program to its end. */
  python(program: string, options: RunWith & { python?: Python; args?: readonly string[] } = {}): Promise<Ended> {
    return this.startPython(program, options).end(hangs_ms);
  }

  /** Runs a program that tries something by itself; it prints "ok" as its last line when all is well. */
  async tries(program: string, options: RunWith & { python?: Python } = {}): Promise<string> {
    const { code, stdout, stderr } = await this.python(program, options);
    if (code !== 0 || !stdout.endsWith("ok\n")) throw new Error(`exit code ${code}\n${stdout}${stderr}`);
    return stdout;
  }

  /** Starts gc, from the same place as the programs do. */
  override start(words: readonly string[], options: RunWith = {}): Running {
    return new Running([this.exe, ...words], this.env(options.env), options.cwd ?? this.cwd, options.stdin);
  }

  private wrapper(): string {
    mkdirSync(join(this.dir, "bin"));
    const path = join(this.dir, "bin/gc");
    writeFileSync(path, `#!/bin/sh\nexec '${process.execPath}' '${join(root, "cmd/gc.ts")}' "$@"\n`);
    chmodSync(path, 0o755);
    return path;
  }
}

function defaultPython(): Python {
  const [first] = pythons;
  if (first === undefined) throw new Error("There is no Python 3.8 or newer in PATH");
  return first;
}

function findPythons(): Python[] {
  const folders = (process.env.PATH ?? "").split(delimiter);
  const installed = join(process.env.PYENV_ROOT ?? join(homedir(), ".pyenv"), "versions");
  const candidates = [
    Bun.which("python3") ?? "",
    ...["8", "9", "10", "11", "12", "13", "14"].map((minor) => Bun.which(`python3.${minor}`) ?? ""),
    ...namesIn(installed).map((name) => join(installed, name, "bin/python")),
    ...folders.map((folder) => join(folder, "python3")),
  ];
  const found = new Map<string, Python>();
  for (const path of new Set(candidates)) {
    const version = versionOf(path);
    if (version !== undefined && !found.has(version)) found.set(version, { version, path });
  }
  return [...found.values()];
}

function versionOf(path: string): string | undefined {
  if (path === "") return undefined;
  try {
    const { stdout, success } = Bun.spawnSync([path, "-c", "import sys; print('%d.%d' % sys.version_info[:2])"]);
    const version = stdout.toString().trim();
    return success && /^3\.([89]|1\d)$/.test(version) ? version : undefined;
  } catch {
    return undefined;
  }
}

function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}
