import { afterEach, describe, expect, test } from "bun:test";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { join, relative } from "node:path";
import { runTestFile } from "../../scripts/test_file.ts";

const root = join(import.meta.dir, "../..");
const folders: string[] = [];

afterEach(() => {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true });
});

/** Writes a test file into the repository, where Bun looks for tests, and runs it as `scripts/test` does. */
async function runText(text: string): Promise<Awaited<ReturnType<typeof runTestFile>>> {
  const parent = join(root, "dist");
  mkdirSync(parent, { recursive: true });
  const folder = mkdtempSync(join(parent, ".tests-"));
  folders.push(folder);
  const file = join(folder, "made_test.ts");
  writeFileSync(file, `import { expect, test } from "bun:test";\n${text}`);
  return runTestFile(relative(root, file));
}

describe("runTestFile()", () => {
  test("counts what passed, failed and was skipped", async () => {
    const text = 'test("a", () => {}); test["skip"]("b", () => {}); test("c", () => { expect(1).toBe(2); });';
    expect(await runText(text)).toMatchObject({ passed: 1, failed: 1, skipped: 1, why: [] });
  });

  test("tells what was skipped, and why", async () => {
    const text = 'console.log("SKIPPED: no moon"); test("a", () => {}); test["skip"]("b", () => {});';
    expect((await runText(text)).skips).toEqual(["SKIPPED: no moon", "(skip) b"]);
  });

  test("counts a file that breaks, or holds no test, as failed", async () => {
    expect((await runText('throw new Error("at once");')).failed).toBeGreaterThan(0);
    expect((await runText('test("a", () => process.exit(3));')).failed).toBeGreaterThan(0);
    expect((await runText("")).failed).toBeGreaterThan(0);
  });

  test("ends a file that is not done within its time", async () => {
    const result = await runText('// time limit: 1 s\ntest("a", () => new Promise(() => {}), 60_000);');
    expect(result.failed).toBe(1);
    expect(result.why).toEqual(["ended after its time limit of 1 s"]);
  });

  test("gives it an empty home and nothing that steers gc", async () => {
    process.env.GC_HOME = "/somewhere";
    try {
      const text =
        "const { GC_HOME, HOME, TMPDIR } = process.env;" +
        'test("a", () => { expect(GC_HOME).toBeUndefined(); expect(HOME).toBe(TMPDIR as string); });';
      expect(await runText(text)).toMatchObject({ passed: 1, failed: 0 });
    } finally {
      delete process.env.GC_HOME;
    }
  });

  test.skipIf(process.platform !== "linux")("ends and reports a process that was left behind", async () => {
    const result = await runText(
      'const options = { detached: true, stdio: ["ignore", "ignore", "ignore"] };' +
        'test("a", () => { Bun.spawn(["sleep", "61"], options).unref(); });',
    );
    expect(result).toMatchObject({ passed: 1, failed: 1 });
    const [why = ""] = result.why;
    expect(why).toMatch(/^left processes behind: \d+ sleep 61$/);
    const pid = Number(/\d+/.exec(why)?.[0]);
    expect(await isGone(pid)).toBe(true);
  });
});

async function isGone(pid: number): Promise<boolean> {
  for (let tries = 0; tries < 100; tries += 1) {
    if (
      (await Bun.file(`/proc/${pid}/cmdline`)
        .text()
        .catch(() => "")) === ""
    )
      return true;
    await Bun.sleep(10);
  }
  return false;
}
