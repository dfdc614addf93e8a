/**
 * Sources → executables in `dist/`. Everything that decides how gc is compiled is in `compile` below; the reason for
 * each setting is beside it (DESIGN §10, bun.md §1).
 *
 *     sh scripts/build                 dist/gc for this machine
 *     sh scripts/build --test-build    dist/gc-test, with planted bugs and crash points that can be switched on
 *     sh scripts/build --all           dist/gc-PLATFORM with .gz and .xz for all targets, and SHA256SUMS
 */
import { mkdirSync, mkdtempSync, renameSync, rmSync, statSync } from "node:fs";
import { dirname, join } from "node:path";
import { parseArgs } from "node:util";
import { pack } from "./release.ts";
import { stripPlanted } from "./strip_planted.ts";
import { type Target, targets } from "./targets.ts";

const root = dirname(import.meta.dir);
const dist = join(root, "dist");

/** Which build of gc is wanted. */
interface Variant {
  /** Name of the file in `dist/`. */
  readonly file: string;
  /** Without a target: for this machine. */
  readonly target?: Target["bun"];
  readonly test_build: boolean;
  readonly commit: string;
}

/** Compiles one executable and puts it in its place at once, so that nobody ever starts half of one. */
async function compile(variant: Variant): Promise<string> {
  const { version } = await Bun.file(join(root, "package.json")).json();
  const folder = mkdtempSync(join(dist, ".building-"));
  try {
    // The name of the output is part of its bytes: always "gc", so that equal sources give equal executables.
    const fresh = join(folder, "gc");
    const result = await Bun.build({
      entrypoints: [join(root, "cmd/gc.ts")],
      root,
      format: "esm",
      target: "bun",
      // Names of functions stay, for stack traces that people can send us.
      minify: { whitespace: true, syntax: true, identifiers: true, keepNames: true },
      sourcemap: "inline",
      // Each command is a chunk of its own with bytecode: `gc --version` loads almost nothing.
      splitting: true,
      bytecode: true,
      // An import() of a name that is only made at run time fails here, not on a cluster.
      allowUnresolved: [],
      define: {
        GC_VERSION: JSON.stringify(version),
        GC_COMMIT: JSON.stringify(variant.commit),
        GC_TEST_BUILD: String(variant.test_build),
      },
      plugins: variant.test_build ? [] : [stripPlanted],
      compile: {
        ...(variant.target === undefined ? {} : { target: variant.target }),
        outfile: fresh,
        // Else the executable runs what `.env` and `bunfig.toml` of any directory say.
        autoloadDotenv: false,
        autoloadBunfig: false,
        autoloadTsconfig: false,
        autoloadPackageJson: false,
        // Code that only runs at start stays in the interpreter; daemons set the policy back to 1.
        jitPolicy: 8,
        execArgv: ["--disallow-code-generation-from-strings=strict"],
      },
    });
    for (const log of result.logs) console.error(String(log));
    if (!result.success) throw new Error(`Cannot compile ${variant.file}`);
    const place = join(dist, variant.file);
    renameSync(fresh, place);
    return place;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** The commit that is checked out, or "unknown" outside a repository. */
function commitHere(): string {
  const git = Bun.spawnSync(["git", "-C", root, "rev-parse", "--short=12", "HEAD"], { stderr: "ignore" });
  return git.success ? git.stdout.toString().trim() : "unknown";
}

function report(place: string): void {
  console.log(`${place.slice(root.length + 1)}  ${(statSync(place).size / 1e6).toFixed(1)} MB`);
}

async function main(): Promise<void> {
  const { values } = parseArgs({ options: { all: { type: "boolean" }, "test-build": { type: "boolean" } } });
  const commit = commitHere();
  mkdirSync(dist, { recursive: true });
  if (values.all !== true) {
    const test_build = values["test-build"] === true;
    report(await compile({ file: test_build ? "gc-test" : "gc", test_build, commit }));
    return;
  }
  const built: string[] = [];
  for (const target of targets) {
    built.push(await compile({ file: target.file, target: target.bun, test_build: false, commit }));
  }
  for (const place of await pack(dist, built)) report(place);
}

await main();
