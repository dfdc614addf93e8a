import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { chmodSync, writeFileSync } from "node:fs";
import { hostname } from "node:os";
import { join } from "node:path";
import { isAlive, Throwaway } from "./throwaway.ts";
import { until } from "./until.ts";

const place = new Throwaway();
afterAll(() => place.close());

/** What a command line does, as a shell sees it. */
interface Row {
  what: string;
  words: readonly string[];
  stdin?: string;
  env?: { [name: string]: string };
  code: number;
  /** All of standard output. */
  stdout: string | RegExp;
  /** All of standard error, or what it must contain. Default: nothing at all. */
  stderr?: string | RegExp;
  never?: RegExp;
}

const notExecutable = join(place.cwd, "data.txt");
const wrongFormat = join(place.cwd, "format");
const input = join(place.cwd, "input.txt");

beforeAll(async () => {
  writeFileSync(notExecutable, "not a program\n");
  writeFileSync(wrongFormat, "\x7fELF\0 but not really\n");
  chmodSync(wrongFormat, 0o755);
  writeFileSync(input, "from a file\n");
  // The one place where a relay and an endpoint start by themselves; the rows find them running.
  expect(await place.must(["run", "--", "echo", "up"])).toBe("up");
}, 30_000);

const aBug = /bug:|\n\s+at /;

const runs: Row[] = [
  { what: "success", words: ["run", "--", "true"], code: 0, stdout: "" },
  { what: "the task's host is this one", words: ["run", "--", "hostname"], code: 0, stdout: `${hostname()}\n` },
  { what: "the command's own code", words: ["run", "--shell", "exit 7"], code: 7, stdout: "" },
  { what: "the largest code there is", words: ["run", "--shell", "exit 255"], code: 255, stdout: "" },
  {
    what: "both streams apart",
    words: ["run", "--shell", "echo out; echo err >&2; exit 3"],
    code: 3,
    stdout: "out\n",
    stderr: "err\n",
  },
  {
    what: "words as they are, never read by a shell",
    words: ["run", "--", "printf", "%s|", "a b", "$HOME", "*", "--json", "-h", "", "`id`", "ü\n"],
    code: 0,
    stdout: "a b|$HOME|*|--json|-h||`id`|ü\n|",
  },
  { what: "--shell means sh -c", words: ["run", "--shell", "printf '%s' $((6*7))"], code: 0, stdout: "42" },
  { what: "a short input", words: ["run", "--", "cat"], stdin: "typed\n", code: 0, stdout: "typed\n" },
  { what: "no input with -n", words: ["run", "-n", "--", "cat"], stdin: "typed\n", code: 0, stdout: "" },
  { what: "input from a file", words: ["run", "--stdin", input, "--", "cat"], code: 0, stdout: "from a file\n" },
  {
    what: "a missing input file",
    words: ["run", "--stdin", "/nonexistent/input", "--", "cat"],
    code: 125,
    stdout: "",
    stderr: /\/nonexistent\/input/,
  },
  {
    what: "a directory for an input",
    words: ["run", "--stdin", "/usr", "--", "cat"],
    code: 125,
    stdout: "",
    stderr: /EISDIR|directory/,
  },
  {
    what: "variables, with = and empty values",
    words: ["run", "--env", "A=1=2", "--env", "B=", "--shell", 'echo "$A|$B|"; env | grep -c ^B='],
    code: 0,
    stdout: "1=2||\n1\n",
  },
  {
    what: "a variable without =",
    words: ["run", "--env", "=x", "--", "true"],
    code: 125,
    stdout: "",
    stderr: /--env/,
  },
  { what: "a directory", words: ["run", "--cwd", "/usr", "--", "pwd"], code: 0, stdout: "/usr\n" },
  {
    what: "a directory that is not there",
    words: ["run", "--cwd", "/nonexistent/dir", "--", "pwd"],
    code: 125,
    stdout: "",
    stderr: /\/nonexistent\/dir/,
  },
  {
    what: "a sandbox of its own, which is the working directory",
    words: ["run", "--shell", '[ "$PWD" = "$GC_TASK_SANDBOX_DIR" ] && [ -d "$PWD" ] && ls -A && echo fine'],
    code: 0,
    stdout: "fine\n",
  },
  {
    what: "the task's own id",
    words: ["run", "--shell", "echo $GC_TASK_UUID"],
    code: 0,
    stdout: /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\n$/,
  },
  {
    what: "124 for a task that runs out of time",
    words: ["run", "--walltime", "0.3s", "--", "sleep", "60"],
    code: 124,
    stdout: "",
    stderr: /walltime|0\.3 ?s/,
  },
  {
    what: "125 for an unknown endpoint",
    words: ["run", "-e", "nope", "--", "true"],
    code: 125,
    stdout: "",
    stderr: /^error: .*"nope".*\n +next: gc .*\n$/,
  },
  {
    what: "125 for an unknown endpoint named by the environment",
    words: ["run", "--", "true"],
    env: { GC_ENDPOINT: "nope" },
    code: 125,
    stdout: "",
    stderr: /"nope"/,
  },
  {
    what: "125 for an unknown option of run",
    words: ["run", "--nope", "--", "true"],
    code: 125,
    stdout: "",
    stderr: /--nope[\s\S]*gc run --help/,
  },
  { what: "125 for no command", words: ["run", "--"], code: 125, stdout: "", stderr: /^error: / },
  {
    what: "125 for a time that is none",
    words: ["run", "--walltime", "soon", "--", "true"],
    code: 125,
    stdout: "",
    stderr: /--walltime.*soon/,
  },
  {
    what: "125 for an unknown relay",
    words: ["run", "--context", "nope", "--", "true"],
    code: 125,
    stdout: "",
    stderr: /"nope"/,
  },
  {
    what: "126 for a file that may not be executed",
    words: ["run", "--", notExecutable],
    code: 126,
    stdout: "",
    stderr: /data\.txt/,
  },
  { what: "126 for a directory", words: ["run", "--", "/usr"], code: 126, stdout: "", stderr: /\/usr/ },
  { what: "126 for what is no program", words: ["run", "--", wrongFormat], code: 126, stdout: "", stderr: /format/ },
  {
    what: "127 for a command that is not there",
    words: ["run", "--", "no-such-command-here"],
    code: 127,
    stdout: "",
    stderr: /no-such-command-here/,
  },
  {
    what: "127 from a shell, in the shell's own words",
    words: ["run", "--shell", "no-such-command-here"],
    code: 127,
    stdout: "",
    stderr: /not found/,
  },
  { what: "128+9", words: ["run", "--", "sh", "-c", "kill -9 $$"], code: 137, stdout: "" },
  { what: "128+15", words: ["run", "--", "sh", "-c", "kill -15 $$"], code: 143, stdout: "" },
  { what: "128+11", words: ["run", "--", "sh", "-c", "kill -11 $$"], code: 139, stdout: "" },
  { what: "128+1", words: ["run", "--", "sh", "-c", "kill -1 $$"], code: 129, stdout: "" },
  {
    what: "GC_OUTPUT=json is --json",
    words: ["run", "--", "echo", "hi"],
    env: { GC_OUTPUT: "json" },
    code: 0,
    stdout: /^\{\s*"schema": ?"gc\/result\/v1"[\s\S]*\}\n$/,
  },
];

const others: Row[] = [
  {
    what: "74 for tasks from a directory",
    words: ["submit", "--file", "/usr"],
    code: 74,
    stdout: "",
    stderr: /EISDIR|directory/,
  },
  { what: "the version", words: ["--version"], code: 0, stdout: /^gc \d+\.\d+\.\d+\S*\n$/ },
  { what: "help", words: ["--help"], code: 0, stdout: /^Usage: gc <command>/ },
  {
    what: "64 for an unknown option",
    words: ["ps", "--nope"],
    code: 64,
    stdout: "",
    stderr: /--nope[\s\S]*gc ps --help/,
  },
  { what: "64 for an unknown command", words: ["rnu", "--", "x"], code: 64, stdout: "", stderr: /"rnu"[\s\S]*run/ },
  { what: "64 for an unknown subcommand", words: ["endpoint", "strat"], code: 64, stdout: "", stderr: /start/ },
  { what: "64 for a missing argument", words: ["endpoint", "start"], code: 64, stdout: "", stderr: /name/ },
  { what: "64 for nothing to submit", words: ["submit"], code: 64, stdout: "", stderr: /no command/i },
  { what: "65 for a task id that is none", words: ["result", "xyz"], code: 65, stdout: "", stderr: /"xyz"/ },
  {
    what: "66 for an endpoint that is not there",
    words: ["submit", "-e", "nope", "--", "true"],
    code: 66,
    stdout: "",
    stderr: /"nope"/,
  },
  {
    what: "66 to start what is not configured",
    words: ["endpoint", "start", "nope"],
    code: 66,
    stdout: "",
    stderr: /"nope"[\s\S]*next: gc endpoint/,
  },
  {
    what: "66 to stop what is not configured",
    words: ["endpoint", "stop", "nope"],
    code: 66,
    stdout: "",
    stderr: /"nope"/,
  },
  {
    what: "66 to show what is not configured",
    words: ["endpoint", "show", "nope"],
    code: 66,
    stdout: "",
    stderr: /"nope"/,
  },
  { what: "66 for a task that nobody knows", words: ["result", "01234567"], code: 66, stdout: "", stderr: /01234567/ },
  { what: "66 to wait for it", words: ["wait", "01234567"], code: 66, stdout: "", stderr: /01234567/ },
  { what: "66 to cancel it", words: ["cancel", "01234567"], code: 66, stdout: "", stderr: /01234567/ },
  { what: "66 for its reasons", words: ["why", "01234567"], code: 66, stdout: "", stderr: /01234567/ },
  { what: "66 for its output", words: ["logs", "01234567"], code: 66, stdout: "", stderr: /01234567/ },
  {
    what: "66 for a relay that is not known",
    words: ["context", "use", "nope"],
    code: 66,
    stdout: "",
    stderr: /"nope"/,
  },
  {
    what: "66 for a file of tasks that is not there",
    words: ["submit", "--file", "/nonexistent/tasks"],
    code: 66,
    stdout: "",
    stderr: /\/nonexistent\/tasks/,
  },
  {
    what: "65 for a line of tasks that is off",
    words: ["submit", "--file", "-"],
    stdin: '["true"]\n{"argv":\n',
    code: 65,
    stdout: "",
    stderr: /line 2/i,
  },
  { what: "65 for an invite that is none", words: ["login", "hello"], code: 65, stdout: "", stderr: /invite/i },
];

describe.concurrent("gc run", () => {
  for (const row of runs) test(`gives ${row.what}`, () => check(row));
});

describe.concurrent("gc", () => {
  for (const row of others) test(`gives ${row.what}`, () => check(row));
});

async function check({ words, stdin, env, code, stdout, stderr, never }: Row): Promise<void> {
  const ended = await place.gc(words, { stdin: stdin ?? "", ...(env === undefined ? {} : { env }) });
  expect(ended.hung).toBe(false);
  expect(ended.stderr).not.toMatch(never ?? aBug);
  if (stderr instanceof RegExp) expect(ended.stderr).toMatch(stderr);
  else expect(ended.stderr).toBe(stderr ?? "");
  if (stdout instanceof RegExp) expect(ended.stdout).toMatch(stdout);
  else expect(ended.stdout).toBe(stdout);
  expect(ended.code).toBe(code);
}

describe("walltime", () => {
  test("really ends a task, with everything that it started", async () => {
    const file = join(place.cwd, "pids");
    const line = `(trap '' TERM; sleep 61 & echo $! >>${file}; wait) & echo $$ $! >>${file}; exec sleep 62`;
    const ended = await place.gc(["run", "--walltime", "0.5s", "--grace", "0.5s", "--shell", line]);
    expect(ended.code).toBe(124);
    const pids = (await Bun.file(file).text()).trim().split(/\s+/).map(Number);
    expect(pids).toHaveLength(3);
    await until(() => !pids.some(isAlive), "processes of the task to be gone");
  });
});
