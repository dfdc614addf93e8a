/** `worker_init`: what it leaves behind is what tasks get, and nothing else of it. */
import { expect, test } from "bun:test";
import { initialEnvironment } from "../../core/worker/initial_environment.ts";

const plain = { PATH: "/usr/bin:/bin", KEPT: "1" };

test("variables that the lines export are there, with line ends and all; others are not", async () => {
  const env = await initialEnvironment(
    "export A='1\n2'; B=3; export LD_LIBRARY_PATH=/x; unset KEPT; echo noise",
    plain,
  );
  expect(env.A).toBe("1\n2");
  expect(env.LD_LIBRARY_PATH).toBe("/x");
  expect(env.B).toBeUndefined();
  expect(env.KEPT).toBeUndefined();
  expect(env.PATH).toBe(plain.PATH);
});

test("a last command that fails is no failure; exit is, and says what was printed", async () => {
  expect((await initialEnvironment("export A=1\nfalse", plain)).A).toBe("1");
  expect(initialEnvironment("echo no such module >&2; exit 7", plain)).rejects.toThrow("exit code 7: no such module");
});
