/**
 * The gate: everything that a program can say about the sources without running them for long. `scripts/check` runs it
 * alone, `scripts/test` runs it before the tests, and CI runs that.
 *
 *     sh scripts/check            all gates
 *     sh scripts/check tidy types only these
 */
import { join } from "node:path";
import { root, sources } from "./sources.ts";

/** One thing that must hold. Its command prints what is wrong and exits with another code than 0. */
interface Gate {
  readonly name: string;
  readonly argv: () => readonly string[];
}

/** How a gate went. */
export interface GateResult {
  readonly name: string;
  readonly passed: boolean;
  readonly output: string;
  readonly took_ms: number;
}

const tool = (name: string) => join(root, "node_modules/.bin", name);

export const gates: readonly Gate[] = [
  {
    name: "format and lint",
    argv: () => [tool("biome"), "check", "--max-diagnostics=200", "--error-on-warnings", "."],
  },
  { name: "types", argv: () => [tool("tsc"), "--noEmit", "-p", "."] },
  { name: "imports", argv: () => [process.execPath, "scripts/imports.ts"] },
  { name: "tidy", argv: () => [process.execPath, "scripts/tidy.ts"] },
  { name: "shell", argv: shellCheck },
  { name: "build", argv: () => [process.execPath, "scripts/build.ts"] },
  { name: "test build", argv: () => [process.execPath, "scripts/build.ts", "--test-build"] },
  { name: "smoke", argv: () => [process.execPath, "scripts/smoke.ts"] },
];

/** Scripts of ours are read, not run, by every POSIX shell at hand: what bash forgives, dash on a cluster does not. */
function shellCheck(): readonly string[] {
  const scripts = sources().filter(({ text }) => /^#!\/bin\/sh\b/.test(text));
  const shells = [["sh"], ["dash"], ["busybox", "sh"]].filter(([name]) => Bun.which(name ?? "") !== null);
  const lines = scripts.flatMap(({ path }) => shells.map((shell) => `${shell.join(" ")} -n "${path}" || failed=1`));
  return ["sh", "-c", `failed=0\n${lines.join("\n")}\nexit $failed`];
}

/** Runs gates one after the other and tells `told` how each went. */
export async function runGates(names: readonly string[], told: (result: GateResult) => void): Promise<GateResult[]> {
  const results: GateResult[] = [];
  for (const gate of gates) {
    if (names.length > 0 && !names.some((name) => gate.name.includes(name))) continue;
    const begun_ms = performance.now();
    const child = Bun.spawn([...gate.argv()], { cwd: root, stdin: "ignore", stdout: "pipe", stderr: "pipe" });
    const texts = [new Response(child.stdout).text(), new Response(child.stderr).text()];
    const output = (await Promise.all(texts)).join("");
    const passed = (await child.exited) === 0;
    const result = { name: gate.name, passed, output, took_ms: performance.now() - begun_ms };
    told(result);
    results.push(result);
  }
  return results;
}

/** One line for a gate that passed; for one that failed also what it printed. */
export function gateText({ name, passed, output, took_ms }: GateResult): string {
  const line = `${passed ? "ok  " : "FAIL"}  ${name}  (${(took_ms / 1000).toFixed(1)} s)`;
  return passed ? line : `${line}\n${output.trimEnd().replace(/^/gm, "      ")}`;
}

if (import.meta.main) {
  const results = await runGates(process.argv.slice(2), (result) => console.log(gateText(result)));
  const failed = results.filter(({ passed }) => !passed).length;
  console.log(`${results.length - failed} passed, ${failed} failed`);
  process.exit(failed === 0 && results.length > 0 ? 0 : 1);
}
