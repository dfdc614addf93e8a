import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { Throwaway } from "./throwaway.ts";
import { until } from "./until.ts";

const place = new Throwaway();
afterAll(() => place.close());
beforeAll(async () => {
  await place.must(["run", "--", "true"]);
  await place.must(["endpoint", "configure", "spare", "--yes"]);
});

const uuid = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

/** Every command of the tree, as `gc --help` and its groups list them. */
async function allCommands(): Promise<string[][]> {
  const listed = (help: string) =>
    [...help.matchAll(/^ {2}([a-z]+) {2,}\S/gm)].map((match) => match[1] ?? "").filter((word) => word !== "help");
  const found: string[][] = [];
  for (const word of listed(await place.must(["--help"]))) {
    const help = await place.must([word, "--help"]);
    const below = help.includes("\nCommands:") ? listed(help.slice(help.indexOf("\nCommands:"))) : [];
    if (below.length === 0) found.push([word]);
    else found.push(...below.map((second) => [word, second]));
  }
  return found;
}

test.skipIf(Bun.which("python3") === null)("a Python function runs from a file, on an endpoint", async () => {
  const path = join(place.dir, "fit.py");
  writeFileSync(path, "def f(n, by=1):\n    print('at', n, end='')\n    return [n / by]\n");
  const call = ["run", "--python", `${path}:f`, "--args", "[3]", "--kwargs"];
  expect(await place.must([...call, '{"by": 2}'])).toBe("at 3\n[1.5]");
  const raised = await place.gc([...call, '{"by": 0}']);
  expect(raised).toMatchObject({ code: 1, stdout: "at 3" });
  expect(raised.stderr).toContain("ZeroDivisionError: division by zero");
  expect((await place.gc(["result", "last"])).stderr).toContain("ZeroDivisionError: division by zero");
});

describe("every command", () => {
  test("is listed, has help with examples, and takes it as a question, not as an order", async () => {
    const commands = await allCommands();
    expect(commands.length).toBeGreaterThanOrEqual(35);
    for (const words of commands) {
      const { code, stdout, stderr } = await place.gc([...words, "--help"]);
      const usage = stdout.startsWith(`Usage: gc ${words.join(" ")}`);
      const examples = /\nExamples:\n +[^\n]*gc /.test(stdout);
      expect({ words, code, stderr, usage, examples }).toEqual({
        words,
        code: 0,
        stderr: "",
        usage: true,
        examples: true,
      });
      for (const line of stdout.split("\n").filter((line) => !line.includes("gc ")))
        expect(line.length).toBeLessThan(101);
    }
  }, 20_000);

  test("refuses what it does not know with 64 (run: 125) and says where help is", async () => {
    for (const words of await allCommands()) {
      const { code, stdout, stderr } = await place.gc([...words, "--no-such-option"]);
      const expected = words[0] === "run" ? 125 : 64;
      expect({ words, code, stdout }).toEqual({ words, code: expected, stdout: "" });
      expect(stderr).toContain("--no-such-option");
      expect(stderr).toContain(`gc ${words.join(" ")} --help`);
    }
  }, 20_000);

  test("asks nothing of </dev/null, never hangs, and speaks JSON when told to, also of its failures", async () => {
    const own = new Throwaway();
    try {
      // In a home of its own: some of them take things away.
      for (const words of await allCommands()) {
        if (words.join(" ") === "endpoint start" || words.join(" ") === "relay up") continue;
        const line = `"$gc" ${words.join(" ")} --json </dev/null`;
        const { code, stdout, stderr, hung } = await own.sh(line, { env: { GC_AUTOSTART: "0" } });
        expect({ words, hung, bug: /bug:|\n\s+at /.test(stderr) }).toEqual({ words, hung: false, bug: false });
        // What failed says so on standard error, as JSON; only what succeeded, and `doctor`, answer on standard output.
        const told = stdout === "" ? stderr : stdout;
        expect({ words, code, schema: schemaOf(told) }).toEqual({
          words,
          code,
          schema: expect.stringMatching(/^gc\/[a-z_]+\/v1$/),
        });
        if (code !== 0 && stdout === "") expect(JSON.parse(told).error.message).toBeString();
      }
    } finally {
      await own.close();
    }
  }, 40_000);
});

/** The schema that a JSON document names; undefined when it is none. */
function schemaOf(text: string): unknown {
  try {
    return JSON.parse(text).schema;
  } catch {
    return `no JSON: ${text.slice(0, 300)}`;
  }
}

describe("questions at a terminal", () => {
  test("are not asked of a command whose output a program reads", async () => {
    for (const words of [["login"], ["endpoint", "join"], ["endpoint", "configure"], ["endpoint", "delete", "spare"]]) {
      const { code, hung, stdout } = await place.gc(words);
      expect({ words, hung, stdout }).toEqual({ words, hung: false, stdout: "" });
      expect(code).toBeOneOf([64, 65]);
    }
  });

  test("of configure can be answered, and left with Ctrl-C without a trace", async () => {
    const left = place.terminal(["endpoint", "configure", "left"]);
    await until(() => left.screen.length > 20, "the first question");
    left.type("\x03");
    expect((await left.end()).code).toBe(130);
    expect(await place.must(["endpoint", "list"])).not.toContain("left");

    const asked = place.terminal(["endpoint", "configure", "asked"]);
    const enter = setInterval(() => asked.type("\r"), 200);
    const { code, screen } = await asked.end(20_000);
    clearInterval(enter);
    expect(code).toBe(0);
    expect(screen).toContain("config.yaml");
    expect(screen).toMatch(/gc endpoint start/);
    expect(await place.must(["endpoint", "list"])).toContain("asked");
  }, 30_000);
});

describe("gc submit", () => {
  test("prints the id and nothing else", async () => {
    const { code, stdout, stderr } = await place.gc(["submit", "--", "echo", "hi"]);
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    expect(stdout.trimEnd()).toMatch(uuid);
    expect(stdout.split("\n")).toHaveLength(2);
  });

  test("takes many tasks from a file and from standard input, one id for each", async () => {
    const lines = `["echo","a"]\n{"argv":["sh","-c","exit 3"],"label":"three"}\n"echo $((1+1))"\n`;
    const file = join(place.cwd, "tasks.jsonl");
    writeFileSync(file, lines);
    for (const words of [
      ["submit", "--file", file],
      ["submit", "--file", "-"],
    ]) {
      const ids = (await place.must(words, { stdin: lines })).split("\n");
      expect(ids).toHaveLength(3);
      expect(ids.every((id) => uuid.test(id))).toBe(true);
      const results = await place.gc(["result", "--wait", ...ids]);
      expect(results).toMatchObject({ code: 3, stdout: "a\n2\n" });
    }
  });

  test("submits 2,000 tasks from a file, and each runs once", async () => {
    const file = join(place.cwd, "many.jsonl");
    const witness = join(place.cwd, "many");
    writeFileSync(file, Array.from({ length: 2000 }, (_, i) => `["sh","-c","echo ${i} >>${witness}"]\n`).join(""));
    expect((await place.must(["submit", "--group", "many", "--file", file])).split("\n")).toHaveLength(2000);
    expect((await place.gc(["wait", "--group", "many", "--timeout", "40s"])).code).toBe(0);
    const seen = (await Bun.file(witness).text()).trim().split("\n");
    expect(seen).toHaveLength(2000);
    expect(new Set(seen).size).toBe(2000);
  }, 50_000);

  test("reads nothing from its standard input", async () => {
    const run = place.start(["submit", "--", "true"], { stdin: "pipe" });
    expect((await run.end(10_000)).hung).toBe(false);
  });
});

describe("results", () => {
  test("come on their own streams with the task's code, by id, prefix and last, as often as asked", async () => {
    const id = await place.must(["submit", "--shell", "echo out; echo err >&2; exit 6"]);
    for (const name of [id, id.slice(0, 13), id.toUpperCase(), "last"]) {
      const { code, stdout, stderr } = await place.gc(["result", "--wait", name]);
      expect({ name, code, stdout, stderr }).toEqual({ name, code: 6, stdout: "out\n", stderr: "err\n" });
    }
    const told = JSON.parse((await place.gc(["result", "--json", id])).stdout);
    expect(JSON.stringify(told)).toContain(id);
  });

  test("that are not there yet are told from those that are", async () => {
    const id = await place.must(["submit", "--", "sleep", "30"]);
    const early = await place.gc(["result", id]);
    expect(early).toMatchObject({ code: 75, stdout: "" });
    expect(early.stderr).toMatch(/has not ended\n +next: gc /);
    expect((await place.gc(["result", "--wait", "--timeout", "0.2s", id])).code).toBe(124);
    await place.must(["cancel", id]);
  });

  test("of a prefix that several tasks have are not guessed", async () => {
    const { code, stderr, stdout } = await place.gc(["result", "0123456"]);
    expect({ stdout }).toEqual({ stdout: "" });
    expect(code).toBeOneOf([65, 66]);
    expect(stderr).toContain("0123456");
  });
});

describe("gc wait", () => {
  test("ends with 0 only if all succeeded", async () => {
    const good = await place.must(["submit", "--", "true"]);
    const bad = await place.must(["submit", "--", "false"]);
    expect((await place.gc(["wait", good])).code).toBe(0);
    expect((await place.gc(["wait", good, bad])).code).toBe(1);
    expect((await place.gc(["wait", "--json", bad])).code).toBe(1);
  });

  test("gives up with 124 when told how long", async () => {
    const id = await place.must(["submit", "--", "sleep", "30"]);
    expect((await place.gc(["wait", "--timeout", "0.3s", id])).code).toBe(124);
    await place.must(["cancel", id]);
  });
});

describe("gc logs", () => {
  test("tells what there is so far; with -f goes on to the end, and ends with the task's code", async () => {
    const gate = join(place.cwd, "gate");
    const line = `echo one; echo uno >&2; while [ ! -e ${gate} ]; do sleep 0.02; done; echo two; exit 4`;
    const id = await place.must(["submit", "--shell", line]);
    await until(async () => (await place.gc(["logs", id])).stdout === "one\n", "the first line");
    expect(await place.gc(["logs", id])).toMatchObject({ code: 0, stdout: "one\n", stderr: "uno\n" });
    const follow = place.start(["logs", "-f", id]);
    await until(() => follow.stdout === "one\n", "what there was before");
    writeFileSync(gate, "");
    expect(await follow.end()).toMatchObject({ code: 4, stdout: "one\ntwo\n", stderr: "uno\n" });
    expect(await place.gc(["logs", "-f", id])).toMatchObject({ code: 4, stdout: "one\ntwo\n" });
  });

  test("may be left with Ctrl-C without harm to the task", async () => {
    const id = await place.must(["submit", "--shell", "echo one; sleep 30"]);
    const follow = place.start(["logs", "-f", id]);
    await until(() => follow.stdout === "one\n", "the first line");
    follow.kill("SIGINT");
    expect((await follow.end()).code).toBe(130);
    expect((await place.why(id)).state).toBe("running");
    await place.must(["cancel", id]);
  });
});

describe("gc cancel", () => {
  test("ends what runs and what waits, and says so again of what has ended", async () => {
    const id = await place.must(["submit", "--", "sleep", "60"]);
    await place.must(["cancel", id]);
    const result = await place.gc(["result", id]);
    expect(result).toMatchObject({ code: 143, stdout: "" });
    expect((await place.gc(["cancel", id])).code).toBe(0);
  });

  test("ends a whole group", async () => {
    for (let i = 0; i < 4; i++) await place.must(["submit", "--group", "doomed", "--", "sleep", "60"]);
    await place.must(["cancel", "--group", "doomed"]);
    const { code } = await place.gc(["wait", "--group", "doomed", "--timeout", "5s"]);
    expect(code).toBe(1);
  });
});

describe("gc retry", () => {
  test("runs a task again under a new id", async () => {
    const file = join(place.cwd, "again");
    const id = await place.must(["submit", "--shell", `echo x >>${file}; exit 3`]);
    await place.gc(["wait", id]);
    const next = await place.must(["retry", id]);
    expect(next).toMatch(uuid);
    expect(next).not.toBe(id);
    expect((await place.gc(["result", "--wait", next])).code).toBe(3);
    expect(await Bun.file(file).text()).toBe("x\nx\n");
  });

  test("of a group runs only what failed", async () => {
    const file = join(place.cwd, "group");
    writeFileSync(file, '["true"]\n["false"]\n["true"]\n');
    await place.must(["submit", "--group", "mixed", "--file", file]);
    await place.gc(["wait", "--group", "mixed"]);
    expect((await place.must(["retry", "--group", "mixed"])).split("\n")).toHaveLength(1);
  });
});

describe("gc why and gc ps", () => {
  test("tell how a task stands and what to do next", async () => {
    const id = await place.must(["submit", "--label", "my label", "--", "sh", "-c", "exit 3"]);
    await place.gc(["wait", id]);
    expect((await place.gc(["why", id])).stdout).toContain("exit code 3");
    const rows = await place.must(["ps"]);
    expect(rows).toContain(id.slice(0, 8));
    expect(rows).toContain("my label");
    const document = JSON.parse(await place.must(["ps", "--json", "--all"]));
    expect(document.schema).toMatch(/^gc\/\w+\/v1$/);
    expect(JSON.stringify(document)).toContain(id);
  });

  test("say that nothing serves an endpoint, and how to start it", async () => {
    const id = await place.must(["submit", "-e", "spare", "--", "true"]);
    const { stdout } = await place.gc(["why", id]);
    expect(stdout).toContain("gc endpoint start spare");
    await place.must(["cancel", "--no-wait", id]);
  });
});
