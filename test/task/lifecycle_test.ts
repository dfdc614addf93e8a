/** The table of steps, what is drawn from it, and ids. */
import { expect, test } from "bun:test";
import { envelopeId, envelopeOf, indexOf, type PrincipalId, parseIdPrefix, taskId } from "../../core/task/id.ts";
import { legalStep, lifecycle, phase, phaseName } from "../../core/task/lifecycle.ts";
import { lifecycleDocument } from "../../scripts/lifecycle.ts";

test("docs/LIFECYCLE.md is drawn from the table", async () => {
  const path = new URL("../../docs/LIFECYCLE.md", import.meta.url).pathname;
  expect(await Bun.file(path).text()).toBe(lifecycleDocument());
});

test("a step between phases of an endpoint is legal exactly when the table has it", () => {
  const codes = Object.values(phase);
  for (const from of codes) {
    for (const to of codes) {
      const row = lifecycle.some((step) => step.from === phaseName(from) && step.to === phaseName(to));
      const attempt = (): void => legalStep(from, to);
      if (row) expect(attempt).not.toThrow();
      else expect(attempt).toThrow();
    }
  }
});

test("every phase but the first is reached, and every phase but the last is left", () => {
  const reached = new Set(lifecycle.map((step) => step.to));
  const left = new Set(lifecycle.map((step) => step.from));
  for (const { from } of lifecycle) if (from !== "nothing") expect(reached.has(from)).toBe(true);
  for (const { to } of lifecycle) if (to !== "gone" && to !== "expired") expect(left.has(to)).toBe(true);
});

test("a task id leads to its envelope and its index, and other people cannot make it", () => {
  const mine = envelopeId("a" as PrincipalId, "0".repeat(32));
  expect(mine).not.toBe(envelopeId("b" as PrincipalId, "0".repeat(32)));
  for (const index of [0, 1, 9999]) {
    const id = taskId(mine, index);
    expect(envelopeOf(id)).toBe(mine);
    expect(indexOf(id)).toBe(index);
  }
});

test("what a person types for an id is the beginning of one, or an error that quotes it", () => {
  expect(parseIdPrefix("AB12")).toBe("ab12");
  for (const bad of ["", "xyz", "../../etc", "1234567890", "\u001b[31m"])
    expect(() => parseIdPrefix(bad)).toThrow("not a task id");
});
