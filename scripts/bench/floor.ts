/**
 * Programs that benches compare gc with and that are not on the machine: the vfork loop in C, and the smallest compiled
 * Bun program. Built once into `.tools/bench`. Without a C compiler the loop is Bun's own posix_spawn, which costs
 * about a sixth more than the floor (performance.md §2); results name which it was.
 */
import { existsSync, mkdirSync, statSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";

const root = dirname(dirname(import.meta.dir));
const folder = join(root, ".tools/bench");

/** Something that starts `n` times `/bin/true`, two at a time: its argv and its name. */
export interface SpawnFloor {
  readonly name: "C vfork" | "Bun.spawn";
  argv(n: number): string[];
  /** The same for another program, so many at a time. */
  argvOf(n: number, inFlight: number, program: readonly string[]): string[];
}

export function spawnFloor(): SpawnFloor {
  const source = join(import.meta.dir, "spawn_floor.c");
  const program = join(folder, "spawn_floor");
  const compiler = Bun.which("cc") ?? Bun.which("gcc");
  if (compiler !== null && isStale(program, source)) {
    mkdirSync(folder, { recursive: true });
    const made = Bun.spawnSync([compiler, "-O2", "-o", program, source], { stderr: "inherit" });
    if (!made.success) throw new Error("The C compiler refused spawn_floor.c");
  }
  const loop = join(import.meta.dir, "spawn_loop.ts");
  const [name, start] = existsSync(program)
    ? (["C vfork", [program]] as const)
    : (["Bun.spawn", [process.execPath, loop]] as const);
  const argvOf: SpawnFloor["argvOf"] = (n, inFlight, words) => [...start, String(n), String(inFlight), ...words];
  return { name, argv: (n) => argvOf(n, 2, ["/bin/true"]), argvOf };
}

/** `console.log` compiled with the flags of gc: what `gc --version` could cost at best. */
export async function compiledHello(): Promise<string> {
  const program = join(folder, `hello-${Bun.version}`);
  if (existsSync(program)) return program;
  mkdirSync(folder, { recursive: true });
  const source = join(folder, "hello.ts");
  writeFileSync(source, 'console.log("hello");\n');
  const result = await Bun.build({
    entrypoints: [source],
    format: "esm",
    target: "bun",
    minify: true,
    bytecode: true,
    compile: { outfile: program, autoloadDotenv: false, autoloadBunfig: false },
  });
  if (!result.success) throw new Error("Cannot compile the Bun hello");
  return program;
}

function isStale(product: string, source: string): boolean {
  return !existsSync(product) || statSync(product).mtimeMs < statSync(source).mtimeMs;
}
