import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { createHash } from "node:crypto";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { peakBytes, Throwaway } from "./throwaway.ts";
import { until } from "./until.ts";

const place = new Throwaway();
beforeAll(() => place.must(["run", "--", "true"]));
afterAll(() => place.close());

const sha256 = (bytes: Uint8Array) => createHash("sha256").update(bytes).digest("hex");

/** Bytes of every value, that no text decoder survives. */
function noise(count: number): Buffer {
  const bytes = Buffer.alloc(count);
  let state = 0x9e3779b9;
  for (let at = 0; at < count; at++) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    bytes[at] = state >>> 24;
  }
  return bytes;
}

const megabyte = 1_000_000;
/** What gc may take while a stream goes through it: far less than the stream, plus what the runtime itself takes. */
const memoryMax = 220 * megabyte;

describe("standard input", () => {
  test("brings 10 MB of noise through cat and back, intact, in bounded memory", async () => {
    const sent = noise(10 * megabyte);
    const { code, bytes, stderr, peak_bytes } = await place.gc(["run", "--", "cat"], { stdin: sent });
    expect({ code, stderr, size: bytes.byteLength }).toEqual({ code: 0, stderr: "", size: sent.byteLength });
    expect(sha256(bytes)).toBe(sha256(sent));
    expect(peak_bytes).toBeLessThan(memoryMax);
  }, 20_000);

  test("brings a file of the shell to the task, and its end", async () => {
    const file = join(place.cwd, "noise");
    const sent = noise(3 * megabyte);
    writeFileSync(file, sent);
    const { stdout } = await place.sh(`"$gc" run -- sha256sum <${file}; cat ${file} | "$gc" run -- sha256sum`);
    expect(stdout).toBe(`${sha256(sent)}  -\n`.repeat(2));
  });

  test("comes as it is typed, not at its end", async () => {
    const run = place.start(["run", "--", "cat"], { stdin: "pipe" });
    for (const word of ["one\n", "two\n"]) {
      run.child.stdin.write(word);
      void run.child.stdin.flush();
      await until(() => run.stdout.endsWith(word), `the echo of ${word}`);
    }
    void run.child.stdin.end();
    expect(await run.end()).toMatchObject({ code: 0, stdout: "one\ntwo\n", stderr: "" });
  });

  test("may be left unread by the task", async () => {
    const { code, stdout, hung } = await place.gc(["run", "--", "echo", "done"], { stdin: noise(2 * megabyte) });
    expect({ code, stdout, hung }).toEqual({ code: 0, stdout: "done\n", hung: false });
  });

  test("waits for a task that reads slowly, without filling memory", async () => {
    const line = "sleep 1; sha256sum";
    const sent = noise(20 * megabyte);
    const run = place.start(["run", "--shell", line], { stdin: sent });
    const { stdout, peak_bytes } = await run.end();
    expect(stdout).toBe(`${sha256(sent)}  -\n`);
    expect(peak_bytes).toBeLessThan(memoryMax);
  }, 20_000);
});

describe("standard output and error", () => {
  test("stay apart and in order, byte by byte", async () => {
    const line = "i=0; while [ $i -lt 500 ]; do echo o$i; echo e$i >&2; i=$((i+1)); done";
    const { stdout, stderr } = await place.gc(["run", "--shell", line]);
    const lines = (letter: string) => Array.from({ length: 500 }, (_, i) => `${letter}${i}\n`).join("");
    expect(stdout).toBe(lines("o"));
    expect(stderr).toBe(lines("e"));
  });

  test("bring 50 MB through in bounded memory, everywhere", async () => {
    const line = "head -c 50000000 /dev/zero | tr '\\0' x";
    const { code, bytes, peak_bytes } = await place.gc(["run", "--shell", line]);
    expect({ code, size: bytes.byteLength }).toEqual({ code: 0, size: 50 * megabyte });
    expect(sha256(bytes)).toBe(sha256(Buffer.alloc(50 * megabyte, "x")));
    expect(peak_bytes).toBeLessThan(memoryMax);
    for (const role of ["__relay", "__endpoint", "__worker"]) {
      const [pid] = place.processesOf(role);
      expect({ role, fits: peakBytes(pid ?? 0) < memoryMax && peakBytes(pid ?? 0) > 0 }).toEqual({ role, fits: true });
    }
  }, 30_000);

  test("bring binary bytes through as they are, also out of a result", async () => {
    const sent = noise(100_000);
    writeFileSync(join(place.cwd, "sent"), sent);
    const file = join(place.cwd, "sent");
    expect((await place.gc(["run", "--", "cat", file])).bytes.equals(sent)).toBe(true);
    const id = await place.must(["submit", "--", "cat", file]);
    expect((await place.gc(["result", "--wait", id])).bytes.equals(sent)).toBe(true);
    expect((await place.gc(["logs", id])).bytes.equals(sent)).toBe(true);
    const told = JSON.parse((await place.gc(["result", "--json", id])).stdout);
    const document = Array.isArray(told.results) ? told.results[0] : told;
    expect(document.stdout.total).toBe(sent.byteLength);
    expect(Buffer.from(document.stdout.base64, "base64").equals(sent)).toBe(true);
  });

  test("bring zeroes, no last line end, and nothing at all", async () => {
    expect((await place.gc(["run", "--", "printf", "a\\0b"])).bytes).toEqual(Buffer.from("a\0b"));
    expect((await place.gc(["run", "--", "printf", ""])).bytes).toEqual(Buffer.alloc(0));
  });

  test("end quietly when nobody reads on, and the task with them", async () => {
    const began_ms = performance.now();
    const task = `echo $$ >${place.cwd}/endless; while :; do echo y; done`;
    const line = `"$gc" run --shell '${task}' | head -1; echo "\${PIPESTATUS[0]}"`;
    const { stdout, stderr } = await place.sh(line);
    expect(stdout).toBe("y\n141\n");
    expect(stderr).toBe("");
    expect(performance.now() - began_ms).toBeLessThan(10_000);
    const pid = (await Bun.file(join(place.cwd, "endless")).text()).trim();
    await until(
      async () => (await place.sh(`kill -0 ${pid} 2>/dev/null; echo $?`)).stdout === "1\n",
      "the task to end",
    );
  });

  for (const words of [
    "ps",
    "ps --json",
    "--help",
    "run --help",
    "logs last",
    "result last",
    "endpoint list",
    "doctor",
  ]) {
    test(`of gc ${words} end quietly when nobody reads them`, async () => {
      const { stderr, stdout, hung } = await place.sh(`"$gc" ${words} | true; echo "\${PIPESTATUS[0]}"`);
      expect(hung).toBe(false);
      expect(stderr).not.toMatch(/EPIPE|bug:|\n\s+at /);
      expect(Number(stdout)).toBeOneOf([0, 1, 141]);
    });
  }

  test("say so when they cannot be written", async () => {
    const { stdout, stderr } = await place.sh(`"$gc" run -- seq 100000 >/dev/full; echo $?`);
    expect(stdout).toBe("74\n");
    expect(stderr).toMatch(/^warning: Cannot write the output: .*ENOSPC.*gc logs/);
  });

  test("may be closed", async () => {
    const { stderr, stdout } = await place.sh(`"$gc" run -- true >&- 2>&- <&-; echo $?`);
    expect(stdout).toBe("0\n");
    expect(stderr).toBe("");
  });
});

describe("a long output", () => {
  test("is in the result with its last 1,000 lines, and whole in the logs", async () => {
    const id = await place.must(["submit", "--", "seq", "250000"]);
    const all = Array.from({ length: 250_000 }, (_, i) => `${i + 1}\n`);
    const result = await place.gc(["result", "--wait", id]);
    expect(result.stdout).toBe(all.slice(-1000).join(""));
    expect((await place.gc(["logs", id])).stdout).toBe(all.join(""));
    const told = JSON.parse((await place.gc(["result", "--json", id])).stdout);
    const document = Array.isArray(told.results) ? told.results[0] : told;
    expect(document.stdout).toMatchObject({ total: all.join("").length, kept: result.stdout.length });
  }, 20_000);

  test("is kept with as many lines as were asked for", async () => {
    const id = await place.must(["submit", "--snippet-lines", "3", "--", "seq", "100"]);
    expect((await place.gc(["result", "--wait", id])).stdout).toBe("98\n99\n100\n");
  });
});
