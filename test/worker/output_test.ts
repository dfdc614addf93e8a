/** The end of a task's output, as its result shows it. */
import { describe, expect, test } from "bun:test";
import * as fs from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { bytesOf, Capture, lastLines, outputOf } from "../../core/worker/output.ts";

const tail = (text: string, lines: number, cut = false): string => {
  return Buffer.from(lastLines(Buffer.from(text), lines, cut)).toString();
};

describe("lastLines()", () => {
  test("gives the last lines, whether or not the last one is finished", () => {
    expect(tail("a\nb\nc\n", 2)).toBe("b\nc\n");
    expect(tail("a\nb\nc", 2)).toBe("b\nc");
    expect(tail("a\nb\n", 9)).toBe("a\nb\n");
    expect(tail("\n\n\n", 2)).toBe("\n\n");
    expect(tail("a\n", 1)).toBe("a\n");
    expect(tail("\na\n", 1)).toBe("a\n");
    expect(tail("a\nb\n", 0)).toBe("");
    expect(tail("", 5)).toBe("");
  });

  test("leaves out the rest of a character that was cut in two", () => {
    expect(Buffer.from(lastLines(Buffer.from("äö").subarray(1), 10, true)).toString()).toBe("ö");
  });
});

describe("outputOf()", () => {
  test("keeps text as text and everything else as bytes", () => {
    expect(outputOf(Buffer.from("grüße\n"), 8)).toEqual({ total: 8, kept: 8, text: "grüße\n" });
    const binary = Buffer.from([0xff, 0, 1]);
    const output = outputOf(binary, 3);
    expect(output.text).toBeUndefined();
    expect(Buffer.from(bytesOf(output))).toEqual(binary);
  });

  test("does not let a megabyte of control characters grow sixfold in JSON", () => {
    const zeros = new Uint8Array(1024 * 1024);
    expect(JSON.stringify(outputOf(zeros, zeros.byteLength)).length).toBeLessThan(1.4 * 1024 * 1024);
  });
});

describe("Capture", () => {
  test("is used again empty, and leaves a large output under another name", () => {
    const dir = fs.mkdtempSync(join(tmpdir(), "gc-capture-"));
    try {
      const capture = new Capture(join(dir, "slot"));
      capture.write(Buffer.from("small\n"));
      expect(capture.harvest()).toEqual({ total: 6, kept: 6, text: "small\n" });
      capture.recycle();
      expect(capture.harvest()).toEqual({ total: 0, kept: 0 });
      const line = `${"x".repeat(99)}\n`;
      capture.write(Buffer.from(line.repeat(30_000)));
      const output = capture.harvest(3);
      expect(output).toMatchObject({ total: 3_000_000, kept: 300 });
      capture.keepAs(join(dir, "kept"));
      expect(fs.statSync(join(dir, "kept")).size).toBe(3_000_000);
      expect(capture.size()).toBe(0);
      capture.close();
    } finally {
      fs.rmSync(dir, { recursive: true, force: true });
    }
  });
});
