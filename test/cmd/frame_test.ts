/** What every command keeps to: help with examples, sysexits, suggestions, one document with a schema, quiet ends. */
import { afterAll, afterEach, beforeAll, describe, expect, test } from "bun:test";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { makeCli } from "../../cmd/cli.ts";
import { commands, groups } from "../../cmd/commands.ts";
import { buildProgram } from "../../cmd/program.ts";
import { version } from "../../cmd/version.ts";
import { gcArgv, Place } from "./command_line.ts";

let place: Place;
beforeAll(() => {
  place = new Place();
});
afterAll(() => place.remove());

describe("gc", () => {
  test("answers --version and -V with one line", async () => {
    for (const flag of ["--version", "-V"]) {
      expect(await place.gc([flag])).toEqual({ code: 0, stdout: `gc ${version}\n`, stderr: "" });
    }
  });

  test("prints help on standard output when asked or when nothing was said", async () => {
    for (const args of [[], ["--help"], ["-h"], ["help"]]) {
      const ran = await place.gc(args);
      expect(ran).toMatchObject({ code: 0, stderr: "" });
      for (const name of [...Object.keys(groups), "run", "submit", "doctor"])
        expect(ran.stdout).toContain(`\n  ${name} `);
    }
  });

  test("prints a group's help on standard error with 64 when the command is missing", async () => {
    const ran = await place.gc(["endpoint"]);
    expect(ran).toMatchObject({ code: 64, stdout: "" });
    expect(ran.stderr).toContain("configure");
  });

  test.each([["help endpoint list"], ["endpoint help list"], ["endpoint list --help"], ["endpoint list -h"]])(
    "prints a command's help for %p",
    async (line) => {
      const ran = await place.gc(line.split(" "));
      expect(ran).toMatchObject({ code: 0, stderr: "" });
      expect(ran.stdout).toStartWith("Usage: gc endpoint list");
    },
  );

  const refused: [line: string, words: string, hint: string][] = [
    ["endpont list", 'Unknown command "endpont". Did you mean endpoint?', "gc --help"],
    ["endpoint shw", 'Unknown command "shw". Did you mean show?', "gc endpoint --help"],
    ["endpoint list --jsn", 'Unknown option "--jsn". Did you mean --json?', "gc endpoint list --help"],
    ["endpoint show", 'Missing required argument "name"', "gc endpoint show --help"],
    ["endpoint show a b", "Too many arguments", "gc endpoint show --help"],
    ["endpoint configure x --slots many", "It must be a whole number", "gc endpoint configure --help"],
    ["endpoint configure x --env A", "It must be NAME=VALUE", "gc endpoint configure --help"],
    [
      "endpoint configure x --log-level loud",
      "Allowed choices are debug, info, warn, error",
      "gc endpoint configure --help",
    ],
    ["help nothing", 'Unknown command "nothing"', "gc --help"],
  ];
  test.each(refused)("refuses %p with 64, what is wrong and what to type", async (line, words, hint) => {
    const ran = await place.gc(line.split(" "));
    expect(ran).toMatchObject({ code: 64, stdout: "" });
    expect(ran.stderr).toContain(words);
    expect(ran.stderr).toEndWith(`  next: ${hint}\n`);
  });

  test("tells errors as JSON when JSON is wanted, on standard error, before parsing too", async () => {
    for (const options of [
      { args: ["endpoint", "show", "nope", "--json"] },
      { args: ["endpoint", "shw"], env: { GC_OUTPUT: "json" } },
    ]) {
      const ran = await place.gc(options.args, { env: options.env ?? {} });
      expect(ran.stdout).toBe("");
      const told = JSON.parse(ran.stderr);
      expect(told.schema).toBe("gc/error/v1");
      expect(told.error).toMatchObject({
        code: expect.any(String),
        message: expect.any(String),
        hint: expect.any(String),
      });
    }
  });

  test("takes the options of every command before and after its name", async () => {
    const answers = await Promise.all([
      place.gc(["--json", "endpoint", "list"]),
      place.gc(["endpoint", "list", "--json"]),
    ]);
    for (const ran of answers) expect(JSON.parse(ran.stdout)).toEqual({ schema: "gc/endpoints/v1", endpoints: [] });
    const lab = await place.gc(["--context", "lab", "whoami"]);
    expect(lab.code).toBe(66);
    expect(lab.stderr).toContain('no context "lab"');
  });

  test("ends quietly when the reader of its output has gone", async () => {
    const ran = await place.run(["bash", "-c", `{ "$@"; echo "code $?" >&2; } | true`, "bash", ...gcArgv, "--help"]);
    // The reader may also be quicker to read than to go.
    expect(["code 141\n", "code 0\n"]).toContain(ran.stderr);
  });

  test("ends with 141 and not a word when nobody can ever read", async () => {
    const script = `import { writeOut } from ${JSON.stringify(join(import.meta.dir, "../../cmd/output.ts"))};
      import { tellFailure } from ${JSON.stringify(join(import.meta.dir, "../../cmd/failure.ts"))};
      try { for (;;) writeOut(1, "x".repeat(65536)); }
      catch (error) { process.exit(tellFailure(error, { json: false, paint: {} })); }`;
    const ran = await place.run([
      "bash",
      "-c",
      `{ "$@"; echo "code $?" >&2; } | head -c 1`,
      "bash",
      process.execPath,
      "-e",
      script,
    ]);
    expect(ran).toEqual({ code: 0, stdout: "x", stderr: "code 141\n" });
  });

  test("says that the output could not be written, with 74", async () => {
    const ran = await place.run(["sh", "-c", 'exec "$@" > /dev/full', "sh", ...gcArgv, "whoami"]);
    expect(ran.code).toBe(74);
    expect(ran.stderr).toStartWith("error: Cannot write the output: ENOSPC");
  });

  test("colours nothing without a terminal, and everything with FORCE_COLOR unless NO_COLOR says no", async () => {
    const sequence = "\u001b[";
    expect((await place.gc(["--help"])).stdout).not.toContain(sequence);
    expect((await place.gc(["--help"], { env: { FORCE_COLOR: "1" } })).stdout).toContain(sequence);
    expect((await place.gc(["--help"], { env: { FORCE_COLOR: "1", NO_COLOR: "1" } })).stdout).not.toContain(sequence);
    expect((await place.gc(["--help", "--no-color"], { env: { FORCE_COLOR: "1" } })).stdout).not.toContain(sequence);
  });

  test("never lets what steers the runtime reach it again", async () => {
    writeFileSync(join(place.dir, "preload.ts"), "console.log('planted');");
    const ran = await place.gc(["whoami", "--quiet"], {
      env: { NODE_OPTIONS: "--require ./preload.ts", BUN_INSPECT: "", LD_X: "1" },
    });
    expect(ran.stdout).toMatch(/^[0-9a-f-]{36}\n$/);
  });

  test("says that something is our bug, with what to report, and 70", async () => {
    const { tellFailure } = await import("../../cmd/failure.ts");
    let said = "";
    const paint = { bold: String, dim: String, red: String, green: String, yellow: String, cyan: String };
    const code = tellFailure(new TypeError("x is \u001b[31mnot\u0007 a function"), {
      json: false,
      paint,
      write: (text) => (said = text),
    });
    expect(code).toBe(70);
    expect(said).toContain("gc broke");
    expect(said).toContain(`gc ${version}`);
    expect(said).not.toMatch(/[\u0007\u001b]/);
  });
});

describe("every command", () => {
  afterEach(() => {
    process.removeAllListeners("uncaughtException");
    process.removeAllListeners("unhandledRejection");
  });

  test("has a summary, examples that begin with it or lead to it, and no option that hides another", async () => {
    const cli = await makeCli([]);
    const root = await buildProgram(cli, () => true);
    for (const entry of commands) {
      const name = `gc ${entry.words.join(" ")}`;
      const parent = entry.words.length === 2 ? root.commands.find((one) => one.name() === entry.words[0]) : root;
      const command = parent?.commands.find((one) => one.name() === entry.words.at(-1));
      let help = "";
      command?.configureOutput({ writeOut: (text) => (help += text) }).outputHelp();
      expect(help).toContain("Examples:");
      expect(help.slice(help.indexOf("Examples:"))).toContain(name);
      const flags = command?.options.flatMap((option) => [option.long, option.short].filter(Boolean)) ?? [];
      expect(new Set(flags).size).toBe(flags.length);
      expect(flags).toContain("--json");
    }
  }, 30_000);
});
