import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { PythonPlace } from "./python_place.ts";

const guide = readFileSync(join(import.meta.dir, "../../docs/guides/from_globus.md"), "utf8");

/** Blocks of Python with the output that the guide promises. */
const blocks = [...guide.matchAll(/```python\n([\s\S]*?)```\n\n```output\n([\s\S]*?)```/g)].map(
  ([, program = "", output = ""]) => ({ program, output }),
);

let place: PythonPlace;
beforeAll(async () => {
  place = new PythonPlace();
  await place.must(["endpoint", "configure", "my-endpoint"]);
  await place.must(["endpoint", "start", "--detach", "my-endpoint"]);
}, 30_000);
afterAll(() => place.close());

describe("docs/guides/from_globus.md", () => {
  test("has output for every block of Python", () => {
    expect(blocks.length).toBe([...guide.matchAll(/^```python$/gm)].length);
    expect(blocks.length).toBeGreaterThan(7);
  });

  test.each(blocks.map((block, at) => [at + 1, block] as const))(
    "block %d prints what it says",
    async (_, { program, output }) => {
      const { stdout, stderr } = await place.python(program);
      expect({ stdout, stderr }).toEqual({ stdout: output, stderr: "" });
    },
    30_000,
  );
});
