/** A short run stays short: what it loads is known. Every module of the runtime costs it a tenth of its time. */
import { expect, test } from "bun:test";
import { join } from "node:path";

const root = join(import.meta.dir, "../..");
/** What `gc run -- true` loads, one after the other; anything else that these import() is not needed for it. */
const steps = ["cmd/gc.ts", "cmd/run_fast.ts", "cmd/run_one.ts", "cmd/run_attached.ts"];

interface Sources {
  [path: string]: { imports: { path: string; kind: string; external?: boolean }[] };
}

/** Our modules and those of the runtime that are loaded with these files. */
async function loadedWith(files: readonly string[]): Promise<{ ours: string[]; runtime: string[] }> {
  const entrypoints = [join(root, "cmd/gc.ts")];
  const built = await Bun.build({ entrypoints, root, target: "bun", format: "esm", splitting: true, metafile: true });
  const sources = (built.metafile as { inputs: Sources }).inputs;
  const ours = new Set<string>();
  const runtime = new Set<string>();
  const follow = (path: string): void => {
    if (ours.has(path)) return;
    ours.add(path);
    for (const each of sources[path]?.imports ?? []) {
      if (each.kind === "dynamic-import") continue;
      if (each.external === true) runtime.add(each.path);
      else follow(each.path);
    }
  };
  for (const file of files) follow(file);
  return { ours: [...ours].sort(), runtime: [...runtime].sort() };
}

test("gc run loads little: of the runtime files and cryptography, and none of its slow streams", async () => {
  const { ours, runtime } = await loadedWith(steps);
  expect(ours).toContain("core/submit/client.ts");
  expect(runtime).toEqual(["crypto", "fs"]);
  expect(ours.filter((path) => /settings|node_modules|core\/(relay|endpoint|worker|engine)\//.test(path))).toEqual([]);
  for (const path of ours) {
    const code = (await Bun.file(join(root, path)).text()).replace(/\/\*[\s\S]*?\*\/|\/\/.*/g, "");
    expect(code.match(/\bprocess\.std(in|out|err)\b/)?.[0], path).toBeUndefined();
  }
});
