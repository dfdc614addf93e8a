/**
 * Makes of `sdk/typescript` what people get: one file of TypeScript (`gc sdk typescript`), and one of JavaScript with
 * its types (`gc sdk typescript --package DIR`). The modules are put one after the other without their imports, and the
 * compiler makes the rest. The three texts are part of the executable and lie in `sdk/typescript/printed`; they end in
 * `.txt`, so that nobody takes them for sources.
 *
 *     bun scripts/sdk_typescript.ts               write them
 *     bun scripts/sdk_typescript.ts --if-stale    only when a source is newer than they are
 */
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { root } from "./sources.ts";
import { isStale } from "./stale.ts";

const folder = join(root, "sdk/typescript");
const printed = join(folder, "printed");
const entry = "gc_compute.ts";

/** The texts by the names of their files. @throws Error what the compiler says. */
export function printedSdk(): { readonly [name: string]: string } {
  const modules = readdirSync(folder).filter((name) => name.endsWith(".ts"));
  const texts = new Map(modules.map((name) => [name, readFileSync(join(folder, name), "utf8")]));
  const whole = concatenated(texts);
  return { "gc_compute.ts": whole, ...compiled(whole) };
}

/** All modules as one. What the entry does not export is no longer exported. */
function concatenated(texts: ReadonlyMap<string, string>): string {
  const main = texts.get(entry) ?? "";
  const opening = /^\/\*\*[\s\S]*?\*\/\n/.exec(main)?.[0] ?? "";
  const exported = new Set(
    [...main.matchAll(/^export (?:type )?\{([\s\S]*?)\}/gm)].flatMap(([, names = ""]) =>
      names.split(",").map((name) => name.trim().replace(/^type /, "")),
    ),
  );
  const outside = new Map<string, Set<string>>();
  const parts = inOrder(texts).map((name) => {
    const text = texts.get(name) ?? "";
    for (const [, names = "", from = ""] of text.matchAll(/^import \{([^}]*)\} from "(node:[^"]+)";/gm)) {
      const known = outside.get(from) ?? new Set();
      outside.set(from, known);
      for (const each of names.split(",")) if (each.trim() !== "") known.add(each.trim());
    }
    const bare = text
      .replace(/^import [\s\S]*?from "[^"]+";\n/gm, "")
      .replace(
        /^export (?=(?:abstract |async |declare )*(?:class|function\*?|const|let|interface|type) (\w+))/gm,
        (found, named: string) => (exported.has(named) ? found : ""),
      );
    return bare.replace(/\n{3,}/g, "\n\n").trim();
  });
  const imports = [...outside]
    .sort()
    .map(([from, names]) => `import { ${[...names].sort(byName).join(", ")} } from "${from}";\n`);
  const notice = "// Printed by gc: one file that needs nothing else. Do not edit.\n";
  return `${opening}${notice}${imports.join("")}\n${parts.join("\n\n")}\n`;
}

const byName = (a: string, b: string): number => a.replace(/^type /, "").localeCompare(b.replace(/^type /, ""));

/** Modules after those that they import; the entry, which only exports, is left out. */
function inOrder(texts: ReadonlyMap<string, string>): string[] {
  const order: string[] = [];
  const visit = (name: string): void => {
    if (order.includes(name)) return;
    for (const [, other = ""] of (texts.get(name) ?? "").matchAll(/^(?:import|export|\}).* from "\.\/([^"]+)";$/gm))
      visit(other);
    order.push(name);
  };
  visit(entry);
  return order.filter((name) => name !== entry);
}

/** JavaScript and declarations, by the compiler's strictest rules and for the oldest Node that is promised. */
function compiled(text: string): { readonly [name: string]: string } {
  const dir = mkdtempSync(join(tmpdir(), "gc-sdk-"));
  try {
    writeFileSync(join(dir, entry), text);
    symlinkSync(join(root, "node_modules"), join(dir, "node_modules"));
    const options = [
      ...["--target", "es2022", "--lib", "es2022,esnext.disposable", "--module", "nodenext", "--types", "node"],
      ...["--strict", "--noUncheckedIndexedAccess", "--exactOptionalPropertyTypes", "--noImplicitOverride"],
      ...["--erasableSyntaxOnly", "--verbatimModuleSyntax", "--skipLibCheck", "--declaration", "--ignoreConfig"],
    ];
    writeFileSync(join(dir, "package.json"), '{"type":"module"}');
    const tsc = join(root, "node_modules/.bin/tsc");
    const run = Bun.spawnSync([tsc, ...options, "--outDir", "made", entry], { cwd: dir });
    if (!run.success) throw new Error(`The SDK does not compile as one file:\n${run.stdout}${run.stderr}`);
    const made = (name: string): string => readFileSync(join(dir, "made", name), "utf8");
    return { "gc_compute.js": made("gc_compute.js"), "gc_compute.d.ts": made("gc_compute.d.ts") };
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}

function printedIsStale(): boolean {
  const outputs = ["ts", "js", "d.ts"].map((kind) => join(printed, `gc_compute.${kind}.txt`));
  const sources = readdirSync(folder).filter((name) => name.endsWith(".ts"));
  return isStale(outputs, [import.meta.path, ...sources.map((name) => join(folder, name))]);
}

/** Readers see the old text or the new one, never half of one. */
function writePrinted(): void {
  mkdirSync(printed, { recursive: true });
  for (const [name, text] of Object.entries(printedSdk())) {
    const path = join(printed, `${name}.txt`);
    const unfinished = `${path}.${process.pid}.tmp`;
    writeFileSync(unfinished, text);
    renameSync(unfinished, path);
  }
}

if (import.meta.main && !(process.argv.includes("--if-stale") && !printedIsStale())) writePrinted();
