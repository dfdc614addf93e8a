import { describe, expect, test } from "bun:test";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { stripPlanted, withoutPlanted } from "../../scripts/strip_planted.ts";

const planted = join(import.meta.dir, "../../core/planted.ts");

const source = `import { crashPoint, planted } from ${JSON.stringify(planted)};
export function store(keep: () => void): string {
  crashPoint("relay.before_store");
  if (!planted("deleteOnSend")) keep();
  crashPoint(
    "relay.after_store",
  );
  return planted("noIdem") ? "wrong" : "right";
}
console.log(store(() => {}));
`;

/** The program above, as `scripts/build` would bundle it. */
async function bundle(test_build: boolean): Promise<string> {
  const folder = mkdtempSync(join(tmpdir(), "strip-"));
  try {
    const file = join(folder, "core/store.ts");
    mkdirSync(dirname(file));
    writeFileSync(file, source);
    const result = await Bun.build({
      entrypoints: [file],
      target: "bun",
      minify: true,
      define: { GC_TEST_BUILD: String(test_build) },
      plugins: test_build ? [] : [stripPlanted],
    });
    return (await result.outputs[0]?.text()) ?? "";
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

describe("stripPlanted", () => {
  test("leaves no name, switch or mistake in a release build", async () => {
    const text = await bundle(false);
    expect(text).toContain('"right"');
    for (const trace of ["relay.", "deleteOnSend", "noIdem", '"wrong"', "GC_PLANTED", "GC_CRASH_POINT", "SIGKILL"]) {
      expect(text).not.toContain(trace);
    }
  });

  test("is not part of a test build, which holds them all", async () => {
    const text = await bundle(true);
    for (const trace of ["relay.before_store", "relay.after_store", "deleteOnSend", "GC_PLANTED", "GC_CRASH_POINT"]) {
      expect(text).toContain(trace);
    }
  });
});

describe("withoutPlanted()", () => {
  test("keeps every line and column where it was", () => {
    const stripped = withoutPlanted(source);
    const shape = (text: string) => text.split("\n").map((line) => line.length);
    expect(shape(stripped)).toEqual(shape(source));
    expect(stripped.indexOf("keep();")).toBe(source.indexOf("keep();"));
  });

  test("does not touch functions that only end in the same word", () => {
    const other = 'implanted("x"); seedPlanted("y"); onCrashPoint("z");';
    expect(withoutPlanted(other)).toBe(other);
  });
});
