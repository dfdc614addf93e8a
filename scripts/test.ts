/**
 * All that must hold, in one go: tools, build, gates (`check.ts`), then every test file in a process of its own. The
 * last line is `N passed, N failed` over everything; the exit code is 0 only when nothing failed.
 *
 *     sh scripts/test                  everything
 *     sh scripts/test relay/ id_test   only test files whose path contains one of these; no gates
 *     sh scripts/test --jobs 1         one test file at a time
 */
import { parseArgs } from "node:util";
import { gateText, runGates } from "./check.ts";
import { root } from "./sources.ts";
import { type FileResult, runTestFile } from "./test_file.ts";
import { provideTools } from "./test_tools.ts";

/** Two: tests start processes of their own, and our smallest machine has two cores. */
const jobsDefault = "2";

/** Test files whose path contains one of `words`, or all; those that take long are begun first. */
function testFiles(words: readonly string[]): string[] {
  const isLong = (path: string) => /^test\/(sim|e2e|cluster|batch)\//.test(path);
  return [...new Bun.Glob("test/**/*_test.ts").scanSync({ cwd: root })]
    .filter((path) => words.length === 0 || words.some((word) => path.includes(word)))
    .sort((a, b) => Number(isLong(b)) - Number(isLong(a)) || a.localeCompare(b, "en"));
}

/** Runs test files, at most `jobs` at a time. */
async function runFiles(paths: readonly string[], jobs: number): Promise<FileResult[]> {
  const waiting = [...paths];
  const results: FileResult[] = [];
  const lane = async (): Promise<void> => {
    for (let path = waiting.shift(); path !== undefined; path = waiting.shift()) {
      const result = await runTestFile(path);
      console.log(fileText(result));
      results.push(result);
    }
  };
  await Promise.all(Array.from({ length: jobs }, lane));
  return results;
}

/** One line for a file that passed, with what it skipped; for one that failed also its output. */
function fileText({ path, passed, failed, skipped, why, skips, output, took_ms }: FileResult): string {
  const counts = [`${passed} passed`];
  if (skipped > 0) counts.push(`${skipped} skipped`);
  if (failed > 0) counts.push(`${failed} failed`);
  const line = `${failed === 0 ? "ok  " : "FAIL"}  ${path}  (${counts.join(", ")}, ${(took_ms / 1000).toFixed(1)} s)`;
  return [line, ...(failed === 0 ? skips : [...why, output.trimEnd()])].join("\n").replace(/\n/g, "\n      ");
}

async function main(): Promise<never> {
  const { values, positionals } = parseArgs({ options: { jobs: { type: "string" } }, allowPositionals: true });
  const jobs = Math.max(1, Number(values.jobs ?? jobsDefault) || 1);
  const only = positionals.map((word) => word.replace(/^\.\//, ""));
  let passed = 0;
  let failed = 0;

  if (only.length === 0) provideTools();
  for (const gate of await runGates(only.length > 0 ? ["build"] : [], (result) => console.log(gateText(result)))) {
    if (gate.passed) passed += 1;
    else failed += 1;
  }
  const paths = testFiles(only);
  if (paths.length === 0) {
    console.log(`No test file matches ${only.join(", ")}`);
    failed += 1;
  }
  const results = await runFiles(paths, jobs);
  for (const result of results) {
    passed += result.passed;
    failed += result.failed;
  }
  const broken = results.filter((result) => result.failed > 0).map(({ path }) => path);
  const skipped = results.reduce((sum, result) => sum + result.skipped, 0);
  if (skipped > 0) console.log(`${skipped} skipped`);
  if (broken.length > 0) console.log(`Again: sh scripts/test ${broken.join(" ")}`);
  console.log(`${passed} passed, ${failed} failed`);
  process.exit(failed === 0 ? 0 : 1);
}

await main();
