import { describe, expect, test } from "bun:test";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { schemas, settingsSchemas } from "../../core/schema/schemas.ts";
import { validatorsText } from "../../scripts/generate.ts";

interface Validator {
  (value: unknown): boolean;
  errors?: { instancePath: string; params: { [key: string]: unknown } }[] | null;
}

/** Generates validators, and loads them as the executable does: from a file, without ajv. */
async function load(list: Parameters<typeof validatorsText>[0]): Promise<{ [name: string]: Validator }> {
  const folder = mkdtempSync(join(tmpdir(), "validators-"));
  try {
    const file = join(folder, "validators.js");
    writeFileSync(file, await validatorsText(list));
    return await import(file);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

describe("validatorsText()", () => {
  test("gives one function for each schema, under its $id", async () => {
    for (const list of [schemas, settingsSchemas]) {
      const loaded = await load(list);
      expect(Object.keys(loaded).sort()).toEqual(list.map(({ $id }): string => $id).sort());
    }
  });

  test("loads nothing at run time and makes no code there", async () => {
    const text = await validatorsText(schemas);
    expect(text).not.toMatch(/\brequire\(|\bimport\b[^;]*\bfrom\b|new Function|\beval\(/);
  });

  test("names the unknown key where a schema is closed, and ignores it where it is open", async () => {
    const properties = { a: { type: "string" } };
    const closed = { $id: "closed", type: "object", properties, additionalProperties: false };
    const { closed: isClosed, open } = await load([closed, { $id: "open", type: "object", properties }]);
    expect(isClosed?.({ a: "x", b: 1 })).toBe(false);
    expect(isClosed?.errors?.[0]?.params).toEqual({ additionalProperty: "b" });
    expect(open?.({ a: "x", b: 1 })).toBe(true);
  });

  test("judges a union by its discriminator alone", async () => {
    const branch = (kind: string, field: string) => ({
      type: "object",
      properties: { kind: { const: kind }, [field]: { type: "integer" } },
      required: ["kind", field],
    });
    const oneOf = [branch("one", "x"), branch("two", "y")];
    const union = { $id: "union", type: "object", discriminator: { propertyName: "kind" }, oneOf };
    const { union: validate } = await load([union]);
    expect(validate?.({ kind: "two", y: 1 })).toBe(true);
    expect(validate?.({ kind: "two", x: 1 })).toBe(false);
    expect(validate?.errors).toMatchObject([{ params: { missingProperty: "y" } }]);
  });

  test("writes a schema that stands inside another one once", async () => {
    const inner = { $id: "inner", type: "object", properties: { deep: { type: "string", pattern: "^only-once$" } } };
    const outer = (id: string) => ({ $id: id, type: "object", properties: { a: inner, b: inner } });
    const list = [inner, outer("first"), outer("second")];
    expect((await validatorsText(list)).match(/new RegExp\("\^only-once\$"/g)).toHaveLength(1);
    const { second } = await load(list);
    expect(second?.({ a: { deep: "only-once" } })).toBe(true);
    expect(second?.({ b: { deep: "other" } })).toBe(false);
    expect(second?.errors?.[0]?.instancePath).toBe("/b/deep");
  });

  test("refuses two schemas with one $id, and an $id that is no name", async () => {
    const text = { type: "string" };
    expect(
      validatorsText([
        { $id: "a", ...text },
        { $id: "a", ...text },
      ]),
    ).rejects.toThrow();
    expect(validatorsText([{ $id: "not-a-name", ...text }])).rejects.toThrow("snake_case");
  });
});
