/**
 * A throw-away place with an endpoint of its own, in which programs use the TypeScript SDK as `gc sdk typescript
 * --package` writes it, under Bun and under the Node of this machine.
 */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Ended, Running, RunWith } from "../e2e/running.ts";
import { PythonPlace } from "./python_place.ts";

/** Programs that take longer have hung. */
const hangs_ms = 60_000;

export interface Runtime {
  readonly name: string;
  readonly argv: readonly string[];
}

/** What runs JavaScript here. Node is used where it is 18 or newer. */
export const runtimes: readonly Runtime[] = findRuntimes();

export class TypescriptPlace extends PythonPlace {
  private programs = 0;

  /** Writes the package to where programs find it. */
  async install(): Promise<void> {
    const folder = join(this.cwd, "node_modules/gc-compute");
    mkdirSync(folder, { recursive: true });
    await this.must(["sdk", "typescript", "--package", folder]);
  }

  /** Starts a program; it may use `assert` and everything that the SDK exports as `gc`. */
  startProgram(runtime: Runtime, program: string, options: RunWith & { args?: readonly string[] } = {}): Running {
    this.programs += 1;
    const path = join(this.cwd, `program_${this.programs}.mjs`);
    const head = 'import assert from "node:assert/strict";\nimport * as gc from "gc-compute";\n';
    writeFileSync(path, program.includes('from "gc-compute"') ? program : head + program);
    return this.startAny([...runtime.argv, path, ...(options.args ?? [])], options);
  }

  program(runtime: Runtime, program: string, options: RunWith & { args?: readonly string[] } = {}): Promise<Ended> {
    return this.startProgram(runtime, program, options).end(hangs_ms);
  }

  /** Runs a program that tries something by itself; it prints "ok" as its last line when all is well. */
  async passes(runtime: Runtime, program: string, options: RunWith = {}): Promise<void> {
    const { code, stdout, stderr } = await this.program(runtime, program, options);
    if (code !== 0 || !stdout.endsWith("ok\n")) throw new Error(`exit code ${code}\n${stdout}${stderr}`);
  }
}

function findRuntimes(): Runtime[] {
  const bun: Runtime = { name: "Bun", argv: [process.execPath] };
  const path = Bun.which("node");
  // Bun puts a node of its own into PATH at times.
  const asked = path === null ? undefined : Bun.spawnSync([path, "-p", "process.versions.bun ?? process.version"]);
  const version = asked?.success === true ? asked.stdout.toString().trim() : undefined;
  const major = Number(/^v(\d+)\./.exec(version ?? "")?.[1] ?? 0);
  if (path !== null && major >= 18) return [bun, { name: `Node ${version}`, argv: [path] }];
  const found = version === undefined ? "none is in PATH" : `node in PATH is ${version}`;
  console.log(`SKIPPED: the TypeScript SDK under Node; it needs Node 18 or newer, and ${found}`);
  return [bun];
}
