import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { readProc, Throwaway } from "./throwaway.ts";
import { noWrongClock, wrongBy, wrongClockIn } from "./wrong_clock.ts";

const place = new Throwaway();
beforeAll(() => place.must(["run", "--", "true"]));
afterAll(() => place.close());

if (noWrongClock !== undefined) console.log(`SKIPPED: a clock that is wrong by a day (${noWrongClock})`);

const aBug = /bug:|\n\s+at /;

describe("a hostile working directory", () => {
  test("is not obeyed: .env, bunfig.toml, tsconfig.json, package.json and node_modules in it", async () => {
    const dir = join(place.dir, "hostile");
    const witness = join(place.dir, "obeyed");
    mkdirSync(join(dir, "node_modules/commander"), { recursive: true });
    const evil = `require("fs").writeFileSync(${JSON.stringify(witness)}, "x");`;
    writeFileSync(join(dir, "evil.ts"), evil);
    writeFileSync(join(dir, "node_modules/commander/index.js"), evil);
    writeFileSync(join(dir, "node_modules/commander/package.json"), '{"name":"commander","main":"index.js"}');
    for (const name of [".env", ".env.local", ".env.production", ".env.development"]) {
      writeFileSync(
        join(dir, name),
        `GC_HOME=/nonexistent\nGC_ENDPOINT=evil\nGC_OUTPUT=json\nLEAKED=1\nPATH=/nonexistent\n`,
      );
    }
    writeFileSync(
      join(dir, "bunfig.toml"),
      'preload = ["./evil.ts"]\n[run]\nshell = "bun"\n[define]\n"process.env.HOME" = "1"\n',
    );
    writeFileSync(join(dir, "tsconfig.json"), '{"compilerOptions":{"paths":{"*":["./evil.ts"]},"baseUrl":"."}}');
    writeFileSync(join(dir, "package.json"), '{"name":"x","type":"commonjs","imports":{"#x":"./evil.ts"}}');
    const run = await place.gc(["run", "--shell", "echo [$LEAKED]"], { cwd: dir });
    expect(run).toMatchObject({ code: 0, stdout: "[]\n", stderr: "" });
    const ps = await place.gc(["ps"], { cwd: dir });
    expect(ps).toMatchObject({ code: 0, stderr: "" });
    expect(ps.stdout).toStartWith("ID ");
    // Daemons that start there, too.
    const own = new Throwaway();
    try {
      const fresh = await own.gc(["run", "--shell", "echo [$LEAKED$GC_ENDPOINT]"], { cwd: dir });
      expect(fresh).toMatchObject({ code: 0, stdout: "[]\n" });
    } finally {
      await own.close();
    }
    expect(existsSync(witness)).toBe(false);
  }, 20_000);

  test("may have been removed", async () => {
    const { code, stdout, stderr } = await place.sh(`mkdir gone; cd gone; rmdir ../gone; "$gc" run -- echo fine`);
    expect({ code, stdout, stderr }).toEqual({ code: 0, stdout: "fine\n", stderr: "" });
  });
});

describe("a hostile environment", () => {
  const preload = join(place.dir, "preload.js");
  const witness = join(place.dir, "preloaded");
  /** What the runtime or the loader would obey. `ends`: it is heard before gc begins, and may only make it end. */
  const hostile: { name: string; value: string; ends?: boolean }[] = [
    { name: "BUN_OPTIONS", value: `--preload=${preload}`, ends: true },
    { name: "BUN_INSPECT_PRELOAD", value: preload, ends: true },
    { name: "BUN_CONFIG_VERBOSE_FETCH", value: "1" },
    { name: "NODE_OPTIONS", value: `--require=${preload}` },
    { name: "LD_LIBRARY_PATH", value: "/nonexistent" },
    // The loader warns of a library that is not there; that is not for gc to hide.
    { name: "LD_PRELOAD", value: "/nonexistent.so" },
  ];
  beforeAll(() => {
    writeFileSync(preload, `require("fs").writeFileSync(${JSON.stringify(witness)}, "x");`);
  });

  for (const { name, value, ends } of hostile) {
    test(`does not steer gc: ${name}`, async () => {
      const { code, stdout } = await place.gc(["run", "--", "echo", "fine"], { env: { [name]: value } });
      if (code === 0 || ends !== true) expect({ code, stdout }).toEqual({ code: 0, stdout: "fine\n" });
      else expect(stdout).toBe("");
      expect(existsSync(witness)).toBe(false);
    });
  }

  test("does not reach tasks or daemons that were started in it", async () => {
    const own = new Throwaway();
    try {
      const names = hostile.map(({ name }) => name).join("|");
      const env = {
        BUN_OPTIONS: "--smol",
        BUN_CONFIG_VERBOSE_FETCH: "1",
        NODE_OPTIONS: `--require=${preload}`,
        LD_LIBRARY_PATH: "/nonexistent",
        GC_OUTPUT: "",
        GC_CONTEXT: "",
      };
      const line = `env | grep -E '^(${names})='; env | grep ^GC_ | cut -d= -f1 | sort | tr '\\n' ' '`;
      const { stdout, code } = await own.gc(["run", "--shell", line], { env });
      expect({ stdout, code }).toEqual({ stdout: "GC_TASK_ATTEMPT GC_TASK_SANDBOX_DIR GC_TASK_UUID ", code: 0 });
      for (const role of ["__relay", "__endpoint", "__worker"]) {
        const [pid] = own.processesOf(role);
        expect(readProc(pid ?? 0, "environ")).toContain("GC_HOME=");
        expect(readProc(pid ?? 0, "environ")).not.toMatch(new RegExp(`(^|\0)(${names})=`));
      }
      expect(existsSync(witness)).toBe(false);
    } finally {
      await own.close();
    }
  });

  test("without HOME, TERM, LANG or PATH is enough", async () => {
    const { code, stdout, stderr } = await place.sh(`exec env -i GC_HOME="$GC_HOME" "$gc" run -- /bin/echo fine`);
    expect({ code, stdout, stderr }).toEqual({ code: 0, stdout: "fine\n", stderr: "" });
  });

  test("with neither HOME nor GC_HOME is told what to set", async () => {
    const { code, stderr } = await place.sh(`exec env -i "$gc" ps`);
    expect(code).toBe(78);
    expect(stderr).toContain("GC_HOME");
  });
});

describe("bad input", () => {
  test("10 MiB and one byte of a task is refused at once, with size and limit; 9 MiB is run", async () => {
    const file = join(place.cwd, "big.jsonl");
    const task = (bytes: number) => `${JSON.stringify({ argv: ["true"], env: { BIG: "x".repeat(bytes) } })}\n`;
    writeFileSync(file, task(10 * 1024 * 1024 + 1));
    const refused = await place.gc(["submit", "--file", file]);
    expect(refused).toMatchObject({ code: 65, stdout: "" });
    expect(refused.stderr).toMatch(/1048\d{4}[\s\S]*10485760/);
    expect(refused.stderr).not.toMatch(aBug);
    const input = join(place.cwd, "input");
    writeFileSync(input, Buffer.alloc(7 * 1024 * 1024, "y"));
    const id = await place.must(["submit", "--stdin", input, "--", "wc", "-c"]);
    expect((await place.gc(["result", "--wait", id])).stdout.trim()).toBe(String(7 * 1024 * 1024));
  }, 20_000);

  test("an environment or a command line that no system takes is 126, not a hang", async () => {
    const file = join(place.cwd, "e2big.jsonl");
    writeFileSync(file, `${JSON.stringify({ argv: ["true", "x".repeat(3_000_000)] })}\n`);
    const id = await place.must(["submit", "--file", file]);
    const { code, stderr } = await place.gc(["result", "--wait", id]);
    expect(code).toBe(126);
    expect(stderr).toContain("too long");
  });

  for (const name of ["../evil", "..", ".", "a/b", "a b", "-x", "", "\x1b[31mred", "ü", "x".repeat(200), "con\nfig"]) {
    test(`the name ${JSON.stringify(name).slice(0, 20)} makes no endpoint, and nothing outside`, async () => {
      for (const words of [["configure", "--yes"], ["start"], ["stop"], ["delete", "--yes"], ["show"]]) {
        const { code, stderr, stdout } = await place.gc(["endpoint", words[0] ?? "", ...words.slice(1), "--", name]);
        expect(code).toBeOneOf([64, 65, 66]);
        expect(stdout).toBe("");
        expect(stderr).not.toMatch(aBug);
        // What it cannot take it shows in a way that no terminal obeys.
        expect(stderr).not.toContain("\x1b[31m");
      }
      expect(existsSync(join(place.home, "evil"))).toBe(false);
    });
  }

  test("escape sequences in labels, commands and groups are shown, never obeyed", async () => {
    const evil = "\x1b]0;owned\x07\x1b[2Jlabel\u202e\x9b31m\r";
    const id = await place.must([
      "submit",
      "--label",
      evil,
      "--group",
      `g${evil}`,
      "--",
      "sh",
      "-c",
      `exit 1 # ${evil}`,
    ]);
    await place.gc(["wait", id]);
    for (const words of [["ps"], ["why", id], ["ps", "--group", `g${evil}`], ["wait", id]]) {
      const { stdout, stderr } = await place.gc(words);
      expect(stdout + stderr).not.toMatch(/[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u202e]/);
    }
    const shown = place.terminal(["ps"]);
    const { screen } = await shown.end();
    expect(screen).not.toContain("\x1b]0;");
    expect(screen).not.toContain("\x1b[2J");
    expect(screen).toContain("\\x1b]0;owned");
    // For programs they are data.
    expect(JSON.stringify(JSON.parse(await place.must(["ps", "--json"])))).toContain("label");
  });

  test("escape sequences in an endpoint's display name are shown, never obeyed", async () => {
    const evil = "\x1b]0;owned\x07name";
    const made = await place.gc(["endpoint", "configure", "painted", "--yes", "--display-name", evil]);
    expect(made.stdout + made.stderr).not.toContain("\x1b]0;");
    for (const words of [["list"], ["show", "painted"], ["status", "painted"]]) {
      const { stdout, stderr } = await place.gc(["endpoint", ...words]);
      expect(stdout + stderr).not.toContain("\x1b");
    }
  });
});

describe("a configuration that is off", () => {
  /** Starts an endpoint with this configuration; what gc says about it. */
  async function startWith(text: string, name = "broken") {
    const path = join(place.home, "endpoints", name, "config.yaml");
    if (!existsSync(path)) await place.must(["endpoint", "configure", name, "--yes"]);
    writeFileSync(path, text);
    const told = await place.gc(["endpoint", "start", name]);
    expect(told.hung).toBe(false);
    expect(told.stderr).not.toMatch(aBug);
    expect({ code: told.code, stdout: told.stdout }).toEqual({ code: 78, stdout: "" });
    expect(told.stderr).toContain("config.yaml");
    return told.stderr;
  }

  test("is refused with line, column and the nearest key", async () => {
    const told = await startWith("engine:\n  type: local\n  slotz: 4\n");
    expect(told).toMatch(/config\.yaml:3:3/);
    expect(told).toContain('"slotz"');
    expect(told).toMatch(/"?slots"?/);
  });

  test("is refused for a value, with what is allowed", async () => {
    expect(await startWith("engine:\n  type: local\n  slots: many\n")).toMatch(/"many"[\s\S]*:3:10/);
    expect(await startWith("engine:\n  type: lokal\n")).toMatch(/lokal[\s\S]*local/);
    expect(await startWith("engine:\n  type: local\nlog_level: loud\n")).toMatch(/loud[\s\S]*debug/);
  });

  test("is refused when it is no YAML, empty, a list, or has a key twice", async () => {
    expect(await startWith("engine: [\n")).toMatch(/\d+:\d+|line \d+/);
    await startWith("");
    await startWith("- a\n");
    expect(await startWith("engine:\n  type: local\nengine:\n  type: local\n")).toMatch(/3:1|line 3/);
  });

  test("may be a bomb: small aliases of large ones end at once, in little memory", async () => {
    const level = (n: number) =>
      `l${n}: &l${n} [${Array(10)
        .fill(n === 0 ? '"x"' : `*l${n - 1}`)
        .join(",")}]`;
    const bomb = `engine:\n  type: local\n${Array.from({ length: 12 }, (_, n) => level(n)).join("\n")}\nenv: *l11\n`;
    const began_ms = performance.now();
    await startWith(bomb);
    await startWith(`engine: ${"[".repeat(100_000)}`);
    await startWith(`engine:\n  type: local\n  slots: ${"9".repeat(100_000)}\n`);
    expect(performance.now() - began_ms).toBeLessThan(8000);
  });

  test("may be a large file, a directory, or not ours to read", async () => {
    await startWith(`# ${"x".repeat(20_000_000)}\nengine:\n  type: local\n  slotz: 1\n`, "large").catch((error) => {
      // Refused for its size alone is as good.
      expect(String(error)).not.toMatch(aBug);
    });
  });

  test("in contexts.json is told with the name of the file", async () => {
    const own = new Throwaway();
    try {
      mkdirSync(own.home, { mode: 0o700 });
      writeFileSync(join(own.home, "contexts.json"), "{", { mode: 0o600 });
      const { code, stderr } = await own.gc(["ps"]);
      expect(stderr).toContain("contexts.json");
      expect(stderr).not.toMatch(aBug);
      expect(code).toBeOneOf([65, 74, 78]);
    } finally {
      await own.close();
    }
  });
});

describe.skipIf(noWrongClock !== undefined)("a clock that is wrong by a day", () => {
  for (const offset_s of [86_400, -86_400]) {
    const how = offset_s > 0 ? "ahead" : "behind";
    test(`at the client (${how}) changes nothing`, async () => {
      const env = wrongBy(wrongClockIn(place.dir), offset_s);
      const run = await place.gc(["run", "--walltime", "20s", "--", "echo", "fine"], { env });
      expect(run).toMatchObject({ code: 0, stdout: "fine\n", stderr: "" });
      const id = await place.must(["submit", "--", "echo", how], { env });
      expect((await place.gc(["result", "--wait", id])).stdout).toBe(`${how}\n`);
      expect((await place.gc(["result", "--wait", "last"], { env })).stdout).toBe(`${how}\n`);
      expect((await place.gc(["ps"], { env })).code).toBe(0);
    });

    test(`at the endpoint (${how}) changes nothing`, async () => {
      const own = new Throwaway();
      try {
        const env = wrongBy(wrongClockIn(own.dir), offset_s);
        await own.must(["relay", "up", "--detach"]);
        await own.must(["endpoint", "configure", "off", "--yes"]);
        own.start(["endpoint", "start", "off"], { env });
        const run = await own.gc(["run", "-e", "off", "--walltime", "20s", "--", "echo", "fine"]);
        expect(run).toMatchObject({ code: 0, stdout: "fine\n" });
        const slow = await own.gc(["run", "-e", "off", "--walltime", "0.4s", "--grace", "0.1s", "--", "sleep", "9"]);
        expect(slow.code).toBe(124);
        // A second start still sees that the first one lives.
        const second = await own.gc(["endpoint", "start", "off"]);
        expect(second.code).not.toBe(0);
        expect(second.stderr).toMatch(/running already, on \S+ as process \d+/);
      } finally {
        await own.close();
      }
    }, 20_000);
  }
});
