import { afterAll, describe, expect, test } from "bun:test";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { CsvReader } from "../../../cmd/map/csv.ts";
import { haltOf, isHalted } from "../../../cmd/map/halt.ts";
import { progressText } from "../../../cmd/map/progress.ts";
import { inputsOf, rangeOf, type Source, splitWords } from "../../../cmd/map/sources.ts";

const dir = mkdtempSync(join(tmpdir(), "gcs-"));
afterAll(() => rmSync(dir, { recursive: true, force: true }));

async function columns(sources: readonly Source[], separator?: RegExp): Promise<string[]> {
  const found: string[] = [];
  for await (const chunk of inputsOf(sources, separator)) for (const each of chunk) found.push(each.columns.join("|"));
  return found;
}

function file(name: string, text: string): string {
  writeFileSync(join(dir, name), text);
  return join(dir, name);
}

describe("inputs of gc map", () => {
  test("several lists: each with each, or linked", async () => {
    const { command, sources } = splitWords(["p", "{}", ":::", "a", "b", ":::", "1", "2"]);
    expect(command).toEqual(["p", "{}"]);
    expect(await columns(sources)).toEqual(["a|1", "a|2", "b|1", "b|2"]);
    expect(await columns(splitWords(["p", ":::", "a", "b", ":::+", "1", "2"]).sources)).toEqual(["a|1", "b|2"]);
    expect(await columns(splitWords(["p", ":::", "a", ":::", "1", "2", ":::+", "x"]).sources)).toEqual([
      "a|1|x",
      "a|2|x",
    ]);
  });

  test("lines of files, ranges both ways, columns by a separator", async () => {
    const path = file("lines", "a,1\r\n\nb,2");
    expect(await columns(splitWords(["p", "::::", path]).sources, /,/)).toEqual(["a|1", "b|2"]);
    expect(await columns([rangeOf("3..1")])).toEqual(["3", "2", "1"]);
    expect(await columns([rangeOf("0..10..5")])).toEqual(["0", "5", "10"]);
    expect((await columns([rangeOf("1..2500")])).length).toBe(2500);
    expect(() => rangeOf("1-3")).toThrow("no range");
  });

  test("CSV with quotes, and JSON lines, have names", async () => {
    const csv = file("a.csv", 'name,n\r\n"a ""q"", b\nc",1\nd,2\n');
    const inputs = [];
    for await (const chunk of inputsOf([{ kind: "csv", path: csv, linked: false }], undefined)) inputs.push(...chunk);
    expect(inputs.map(({ names }) => names)).toEqual([
      { name: 'a "q", b\nc', n: "1" },
      { name: "d", n: "2" },
    ]);
    const json = file("a.jsonl", '{"x":1,"y":"z"}\n[1,"b"]\n7\n');
    expect(await columns([{ kind: "jsonl", path: json, linked: false }])).toEqual(['{"x":1,"y":"z"}', "1|b", "7"]);
    const bad = file("b.jsonl", "{}\n{oops\n");
    expect(columns([{ kind: "jsonl", path: bad, linked: false }])).rejects.toThrow("Line 2 is not JSON");
  });

  test("a row of CSV may come in pieces", () => {
    const reader = new CsvReader();
    expect([...'a,"b\n""c"'].flatMap((char) => reader.take(char))).toEqual([]);
    expect([...reader.take("\n"), ...reader.take("x"), ...reader.end()]).toEqual([["a", 'b\n"c'], ["x"]]);
  });
});

describe("giving up early", () => {
  test("counts failures, successes or ends, or their share", () => {
    const fail = haltOf("now,fail=2");
    expect(fail).toMatchObject({ when: "now", what: "fail", count: 2 });
    if (fail === undefined) throw new Error("no policy");
    expect([isHalted(fail, 5, 1, 10), isHalted(fail, 5, 2, 10)]).toEqual([false, true]);
    const share = haltOf("soon,fail=50%");
    if (share === undefined) throw new Error("no policy");
    expect([isHalted(share, 2, 2, undefined), isHalted(share, 4, 2, undefined), isHalted(share, 4, 2, 10)]).toEqual([
      false,
      true,
      false,
    ]);
    expect(haltOf("never")).toBeUndefined();
    expect(() => haltOf("later")).toThrow("--halt takes");
  });

  test("progress tells what is left", () => {
    expect(progressText({ done: 5, failed: 1, total: 20, before: 0 }, 10_000)).toBe(
      "[=====>              ] 5/20  1 failed  ETA 30s",
    );
    expect(progressText({ done: 3, failed: 0, total: undefined, before: 0 }, 1000)).toBe("3 done");
    expect(progressText({ done: 20, failed: 0, total: 20, before: 0 }, 1000)).toBe("[====================] 20/20");
  });
});
