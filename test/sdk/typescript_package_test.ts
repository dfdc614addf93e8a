import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Result } from "../../core/schema/result.ts";
import { printedSdk } from "../../scripts/sdk_typescript.ts";
import { root } from "../../scripts/sources.ts";
import type { TaskResult } from "../../sdk/typescript/messages.ts";
import { TypescriptPlace } from "./typescript_place.ts";

let place: TypescriptPlace;
beforeAll(async () => {
  place = new TypescriptPlace();
  await place.install();
  symlinkSync(join(root, "node_modules/@types"), join(place.cwd, "node_modules/@types"));
  writeFileSync(join(place.cwd, "package.json"), '{"type":"module"}');
}, 30_000);
afterAll(() => place.close());

/** What the compiler says of a program that uses the package. */
async function complaints(program: string): Promise<string[]> {
  writeFileSync(join(place.cwd, "program.ts"), program);
  const tsc = join(root, "node_modules/.bin/tsc");
  const options = ["--strict", "--noEmit", "--module", "nodenext", "--target", "esnext", "--types", "node"];
  const run = await place.startAny([tsc, ...options, "--ignoreConfig", "program.ts"]).end(60_000);
  return run.stdout.split("\n").filter((line) => line.includes("error"));
}

describe("gc sdk typescript", () => {
  test("prints what the sources say now", async () => {
    for (const [name, text] of Object.entries(printedSdk())) {
      const kept = readFileSync(join(root, "sdk/typescript/printed", `${name}.txt`), "utf8");
      if (kept !== text) throw new Error(`${name}.txt is stale: bun scripts/sdk_typescript.ts`);
      if (name === "gc_compute.ts") expect(await place.must(["sdk", "typescript"])).toBe(text.trim());
    }
    const versionIn = (path: string): unknown => JSON.parse(readFileSync(join(root, path), "utf8")).version;
    expect(versionIn("sdk/typescript/package.json")).toBe(versionIn("package.json"));
  }, 60_000);

  test("--json holds it, and a folder that cannot be written is named", async () => {
    const { stdout } = await place.gc(["sdk", "typescript", "--json"]);
    expect(JSON.parse(stdout)).toMatchObject({ schema: "gc/sdk/v1", language: "typescript" });
    const refused = await place.gc(["sdk", "typescript", "--package", "/dev/null/x"]);
    expect([refused.code, refused.stderr]).toEqual([73, expect.stringContaining('"/dev/null/x"')]);
  }, 30_000);

  test("the one file runs by itself", async () => {
    writeFileSync(join(place.cwd, "gc_compute.ts"), `${await place.must(["sdk", "typescript"])}\n`);
    writeFileSync(
      join(place.cwd, "main.ts"),
      `import { Executor, ShellFunction } from "./gc_compute.ts";
await using executor = new Executor();
console.log((await executor.submit(new ShellFunction("echo {n:03d}"), { n: 7 }).result()).stdout);`,
    );
    const { stdout, stderr } = await place.startAny([process.execPath, "main.ts"]).end(60_000);
    expect([stdout, stderr]).toEqual(["007\n\n", ""]);
  }, 60_000);

  test("its types say what is returned, and what is wrong", async () => {
    const good = `
import { asCompleted, Client, Executor, kwargs, MPIFunction, PythonFunction, ShellFunction, wait } from "gc-compute";
const ex = new Executor({ endpointId: "x", resourceSpecification: { num_nodes: 2, ranks_per_node: 4 } });
const code: number = (await ex.submit(new ShellFunction("true")).result()).returncode;
const fields = await ex.submit(new MPIFunction("true", { returnDict: true })).result();
const name: string | null = fields.exception_name;
const add = new PythonFunction<number, [number, number]>("def add(a, b): return a + b");
const sum: number = await ex.submit(add, 1, 2).result();
const other: number = await ex.submit(add, 1, kwargs({ b: 2 })).result();
for await (const value of ex.map(add, [[1, 2]], { spread: true })) value.toFixed();
for await (const value of ex.results([ex.submit(add, 1, 2)])) value.toFixed();
for await (const future of asCompleted([ex.submit(add, 1, 2)])) future.now().toFixed();
const { done } = await wait([ex.submit(add, 1, 2)], { returnWhen: "FIRST_EXCEPTION", timeout_s: 1 });
const status: "online" | "offline" = (await new Client().getEndpointStatus()).status;
await using also = new Executor();
console.log(code, name, sum, other, done, status, also);
`;
    expect(await complaints(good)).toEqual([]);
    for (const [wrong, why] of [
      [`new Executor({ endpoint: "x" });`, "'endpoint' does not exist"],
      [`new Executor().submit(new ShellFunction("true"), [1]).result();`, "No overload matches"],
      [`new Executor().submit(new PythonFunction<number, [number]>("m:f"), "text");`, "No overload matches"],
      [`const n: number = (await new Executor().submit(new ShellFunction("")).result()).stdout;`, "'string'"],
    ] as const) {
      const program = `import { Executor, PythonFunction, ShellFunction } from "gc-compute";\n${wrong}\n`;
      expect((await complaints(program)).join("\n")).toContain(why);
    }
  }, 120_000);

  test("reads results as gc describes them", () => {
    // Fails to compile when the schema says otherwise.
    const read = (result: Result): TaskResult => result as TaskResult & Result;
    const outcome = { class: "ok", cause: "exit", exit_code: 0 } as const;
    const stream = { total: 0, kept: 0 };
    const result: Result = {
      outcome,
      stdout: stream,
      stderr: stream,
      attempt: 1,
      started_ms: 1,
      ended_ms: 2,
      host: "h",
    };
    expect(read(result)).toBe(result);
  });
});
