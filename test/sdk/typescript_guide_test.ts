// time limit: 300 s
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { existsSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { root } from "../../scripts/sources.ts";
import { runtimes, TypescriptPlace } from "./typescript_place.ts";

const guide = readFileSync(join(root, "docs/guides/typescript.md"), "utf8");

/** Blocks of TypeScript with the output that the guide promises. */
const blocks = [...guide.matchAll(/```ts\n([\s\S]*?)```\n[^`]*?```output\n([\s\S]*?)```/g)].map(
  ([, program = "", output = ""]) => ({ program, output }),
);
const npm = Bun.which("npm") ?? undefined;
const places = new Map<string, TypescriptPlace>();

beforeAll(async () => {
  for (const { name } of runtimes) {
    const place = new TypescriptPlace();
    places.set(name, place);
    await place.must(["endpoint", "configure", "my-endpoint"]);
    await place.must(["endpoint", "start", "--detach", "my-endpoint"]);
    await place.install();
  }
}, 60_000);
afterAll(async () => {
  for (const place of places.values()) await place.close();
});

describe("docs/guides/typescript.md", () => {
  test("has output for every block of TypeScript", () => {
    expect(blocks.length).toBe([...guide.matchAll(/^```ts$/gm)].length);
    expect(blocks.length).toBeGreaterThan(7);
  });

  test.skipIf(npm === undefined)(
    `has commands that install it${npm === undefined ? " (SKIPPED: no npm here)" : ""}`,
    async () => {
      const [place] = places.values();
      const [, commands = ""] = /```sh\n([\s\S]*?)```/.exec(guide) ?? [];
      if (place === undefined) throw new Error("There is no runtime");
      const cwd = join(place.dir, "installed");
      mkdirSync(cwd);
      const env = { PATH: `${dirname(place.exe)}:${process.env.PATH}`, npm_config_offline: "true" };
      const line = `set -e; gc() { "$GC_EXE" "$@"; }\n${commands}`;
      const { code, stderr } = await place.startAny(["bash", "-c", line], { cwd, env }).end(60_000);
      if (code !== 0) throw new Error(stderr);
      expect(existsSync(join(cwd, "gc_compute.ts"))).toBe(true);
      expect(existsSync(join(cwd, "node_modules/gc-compute/gc_compute.js"))).toBe(true);
    },
    90_000,
  );

  test("has blocks that the strictest compiler takes", async () => {
    const [place] = places.values();
    if (place === undefined) throw new Error("There is no runtime");
    symlinkSync(join(root, "node_modules/@types"), join(place.cwd, "node_modules/@types"));
    writeFileSync(join(place.cwd, "package.json"), '{"type":"module"}');
    const files = blocks.map(({ program }, at) => {
      writeFileSync(join(place.cwd, `block_${at + 1}.ts`), program);
      return `block_${at + 1}.ts`;
    });
    const options = ["--strict", "--noUncheckedIndexedAccess", "--noEmit", "--module", "nodenext"];
    const more = ["--target", "esnext", "--types", "node", "--ignoreConfig"];
    const tsc = join(root, "node_modules/.bin/tsc");
    expect((await place.startAny([tsc, ...options, ...more, ...files]).end(60_000)).stdout).toBe("");
  }, 60_000);

  test.each(runtimes.flatMap((runtime) => blocks.map((block, at) => [at + 1, runtime.name, runtime, block] as const)))(
    "block %d prints what it says under %s",
    async (_, name, runtime, { program, output }) => {
      const place = places.get(name);
      if (place === undefined) throw new Error("It was not started");
      // Node 20 can read neither types nor `await using`.
      const plain = new Bun.Transpiler({ loader: "ts", target: "bun" }).transformSync(program);
      const readable = runtime === runtimes[0] ? plain : plain.replace("await using executor", "const executor");
      const { stdout, stderr } = await place.program(runtime, readable);
      expect({ stdout, stderr }).toEqual({ stdout: output, stderr: "" });
    },
    30_000,
  );
});
