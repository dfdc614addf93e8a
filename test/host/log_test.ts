/** A log line stays one line, whatever its values hold. */
import { expect, test } from "bun:test";
import { createLog, formatLine } from "../../core/host/log.ts";

test("formatLine() gives time, level, event and fields", () => {
  expect(formatLine(1795590000000, "info", "worker.ready", { id: "w1", slots: 2, gone: undefined })).toBe(
    "2026-11-25T07:00:00.000Z INFO worker.ready id=w1 slots=2",
  );
});

test("formatLine() lets neither line breaks nor escape sequences nor direction marks through", () => {
  const line = formatLine(0, "warn", "x", { name: "a\nb \u001b[31mred\u0007\u009b2J\u202e\u007f" });
  expect(line).not.toMatch(/[\u0000-\u001f\u007f-\u009f\u202e]/);
  expect(line).toContain("\\u001b[31mred");
});

test("createLog() leaves out what is below its level", () => {
  const lines: string[] = [];
  const log = createLog(
    (line) => lines.push(line),
    "warn",
    () => 0,
  );
  log.debug("a");
  log.info("b");
  log.warn("c");
  log.error("d");
  expect(lines.map((line) => line.split(" ")[2])).toEqual(["c", "d"]);
});
