/** The same promises inside an executable, where npm `ws` is replaced by Bun's own implementation. */
import { expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { scenarios } from "./scenarios.ts";

test("every promise of the wire holds in a compiled executable that forbids code generation", async () => {
  const dir = mkdtempSync(join(tmpdir(), "gc-wire-compiled-"));
  try {
    const outfile = join(dir, "scenarios");
    const built = await Bun.build({
      entrypoints: [join(import.meta.dir, "scenario_main.ts")],
      root: join(import.meta.dir, "../.."),
      format: "esm",
      target: "bun",
      minify: { whitespace: true, syntax: true, identifiers: true, keepNames: true },
      splitting: true,
      bytecode: true,
      compile: {
        outfile,
        autoloadDotenv: false,
        autoloadBunfig: false,
        execArgv: ["--disallow-code-generation-from-strings=strict"],
      },
    });
    expect(built.success).toBe(true);
    const run = Bun.spawn([outfile], { cwd: dir, stdout: "pipe", stderr: "pipe" });
    const [out, err] = await Promise.all([new Response(run.stdout).text(), new Response(run.stderr).text()]);
    const failed = out.split("\n").filter((line) => line.startsWith("failed"));
    expect({ code: await run.exited, failed, err }).toEqual({ code: 0, failed: [], err: "" });
    expect(out.match(/^ok /gm)?.length).toBe(scenarios.length);
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}, 60_000);
