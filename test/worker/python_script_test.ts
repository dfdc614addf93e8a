/** Python scripts as the worker runs them: by which Python, with which packages, and what is said where it cannot. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import * as fs from "node:fs";
import { join } from "node:path";
import type { PythonScript } from "../../core/schema/python.ts";
import { type ScriptPlace, scriptArgv } from "../../core/worker/python_script.ts";
import { Rig } from "./rig.ts";

const python = whole(Bun.which("python3"));
const script = (more: Partial<PythonScript> = {}): PythonScript => ({ name: "s.py", source: "", args: ["a"], ...more });

describe("scriptArgv()", () => {
  const place = (has_uv: boolean, python?: string): ScriptPlace => ({ python, home: "/h", has_uv: () => has_uv });
  const words = (more: Partial<PythonScript>, at: ScriptPlace): unknown => scriptArgv(script(more), "/x/s.py", at);

  test("runs a script that asks for nothing with the endpoint's Python, or with its own", () => {
    expect(words({}, place(true))).toEqual(["python3", "/x/s.py", "a"]);
    expect(words({}, place(true, "venv:~/v"))).toEqual(["/h/v/bin/python", "/x/s.py", "a"]);
    expect(words({ interpreter: "python3.12" }, place(true, "venv:v"))).toEqual(["python3.12", "/x/s.py", "a"]);
  });

  test("leaves packages and versions to uv where it is, unless the task names a Python", () => {
    const uv = ["uv", "run", "--quiet", "--script", "/x/s.py", "a"];
    expect(words({ dependencies: ["rich"] }, place(true, "python3.9"))).toEqual(uv);
    expect(words({ requires_python: ">=3.8" }, place(true))).toEqual(uv);
    expect(words({ dependencies: ["rich"], interpreter: "p" }, place(false))).toEqual(["p", "/x/s.py", "a"]);
  });

  test("names the packages and the ways out where there is no uv", () => {
    expect(words({ dependencies: ["rich>=13", "numpy"] }, place(false))).toMatchObject({
      class: "fail",
      cause: "spawn",
      exit_code: 127,
      reason: expect.stringMatching(
        /rich>=13, numpy.*no uv is in PATH.*worker_init.*gc run --interpreter venv:DIR s[.]py/,
      ),
    });
  });
});

describe.skipIf(python === undefined)("a script at the worker", () => {
  let rig: Rig;
  let bin: string;
  beforeAll(async () => {
    bin = fs.mkdtempSync("/tmp/gc-bin-");
    fs.symlinkSync(python ?? "", join(bin, "python3"));
    rig = await Rig.start({ env: { PATH: bin } });
  });
  afterAll(async () => {
    await rig.close();
    fs.rmSync(bin, { recursive: true, force: true });
  });

  const source = `import os, sys
print(__name__, os.path.basename(sys.argv[0]), sys.argv[1:], os.path.samefile(os.getcwd(), os.path.dirname(__file__)))
sys.exit(3)
`;

  test("runs as __main__ in its sandbox, and ends with its own exit code", async () => {
    for (const more of [{}, { requires_python: ">=3.6,!=3.7.*,<4" }, { requires_python: "~=3.0" }]) {
      const { outcome, stdout, value } = await rig.run({
        python_script: script({ source, args: ["x", "-y"], ...more }),
      });
      expect({ outcome, text: stdout.text, value }).toEqual({
        outcome: { class: "fail", cause: "exit", exit_code: 3 },
        text: "__main__ s.py ['x', '-y'] True\n",
        value: undefined,
      });
    }
  });

  test("reads its input and is ended by its walltime, as any command", async () => {
    const echo = script({ source: "import sys; print(sys.stdin.read().upper())", args: [] });
    const stdin = { kind: "inline", base64: Buffer.from("hi").toString("base64") } as const;
    expect((await rig.run({ python_script: echo, stdin })).stdout.text).toBe("HI\n");
    const long = script({ source: "import time; time.sleep(60)", args: [] });
    expect((await rig.run({ python_script: long, walltime_s: 0.5 })).outcome.exit_code).toBe(124);
  });

  test.each([">=3.99", "<3", "==2.7.*", "!=3.*", ">=three"])("is not run when it requires Python %s", async (rule) => {
    const { outcome, stdout, stderr } = await rig.run({ python_script: script({ source, requires_python: rule }) });
    expect(outcome.exit_code).toBe(126);
    expect(stdout.text ?? "").toBe("");
    expect(stderr.text).toContain(`requires Python ${rule}, and this is Python 3.`);
  });

  test("has its packages installed by uv when uv is in PATH by then", async () => {
    const needs = script({ source: "print('never by python alone')", dependencies: ["rich"] });
    expect((await rig.run({ python_script: needs })).outcome).toMatchObject({ cause: "spawn", exit_code: 127 });
    fs.writeFileSync(join(bin, "uv"), `#!/bin/sh\necho "uv $1 $2 $3 \${4##*/} $5"\n`, { mode: 0o755 });
    const { outcome, stdout } = await rig.run({ python_script: needs });
    expect({ class: outcome.class, text: stdout.text }).toEqual({
      class: "ok",
      text: "uv run --quiet --script s.py a\n",
    });
    fs.rmSync(join(bin, "uv"));
  });

  test("needs a sandbox", async () => {
    const { outcome } = await rig.run({ python_script: script(), sandbox: false });
    expect(outcome).toMatchObject({ cause: "sandbox", exit_code: 125 });
  });
});

/** The interpreter itself: what is found in PATH may be a script that looks for it. */
function whole(found: string | null): string | undefined {
  if (found === null) return undefined;
  const { stdout, success } = Bun.spawnSync([found, "-c", "import sys; print(sys.executable)"]);
  return success ? stdout.toString().trim() : undefined;
}
