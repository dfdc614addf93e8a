/** What a script's head says, and when words name one. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { metadataOf } from "../../cmd/python_script.ts";
import { codeOf } from "../access/people.ts";
import { CliHome } from "./task_cli.ts";

const head = (...lines: string[]): string =>
  `#!/usr/bin/env python3\n# /// script\n${lines.join("\n")}\n# ///\nprint()\n`;

describe("metadataOf()", () => {
  test("reads packages and versions as PEP 723 writes them", () => {
    const text = head('# requires-python = ">=3.11"', "# dependencies = [", '#   "requests<3",', '#   "rich",', "# ]");
    expect(metadataOf(text, "s.py")).toEqual({ dependencies: ["requests<3", "rich"], requires_python: ">=3.11" });
    expect(metadataOf(text.replaceAll("\n", "\r\n"), "s.py")).toMatchObject({ requires_python: ">=3.11" });
    const more = head('# requires-python = ">=3.8"', "#", "# [tool.uv]", '# exclude-newer = "2024-01-01T00:00:00Z"');
    expect(metadataOf(more, "s.py")).toEqual({ requires_python: ">=3.8" });
  });

  test("finds none in a script that has none, or only begins one", () => {
    for (const text of ["print()\n", "# /// script\nprint()\n", "# /// other\n# a = 1\n# ///\n", ""]) {
      expect(metadataOf(text, "s.py")).toEqual({});
    }
  });

  test("refuses what cannot be meant, with the file's name", async () => {
    const wrong = [
      head("# dependencies = ["),
      head('# dependencies = "numpy"'),
      head("# requires-python = 3"),
      head("# a = 1") + head("# a = 1"),
    ];
    for (const text of wrong) {
      expect(await codeOf(() => metadataOf(text, "s.py"))).toBe("script.metadata");
      expect(() => metadataOf(text, "s.py")).toThrow('"s.py"');
    }
  });
});

describe("gc run script.py", () => {
  let here: CliHome;
  const asked: object[] = [];
  beforeAll(async () => {
    here = await new CliHome().open();
    here.world.fake = ({ argv, python_script }) => {
      asked.push({ argv, python_script });
      return {};
    };
  });
  afterAll(() => here.close());

  test("sends the file that is here with the words after it", async () => {
    const source = head('# dependencies = ["rich"]');
    writeFileSync(join(here.root, "s.py"), source);
    expect(await here.gc(["run", "s.py", "--fast", "-e", "x y"])).toMatchObject({ code: 0, stderr: "" });
    expect(await here.gc(["run", "--interpreter", "venv:v", join(here.root, "s.py")])).toMatchObject({ code: 0 });
    expect(asked.splice(0)).toEqual([
      { python_script: { name: "s.py", source, args: ["--fast", "-e", "x y"], dependencies: ["rich"] } },
      { python_script: { name: "s.py", source, args: [], dependencies: ["rich"], interpreter: "venv:v" } },
    ]);
  });

  test("leaves words after -- to the other machine", async () => {
    await here.gc(["run", "--", "s.py", "--fast"]);
    await here.gc(["run", "--label", "l", "--", "s.py"]);
    expect(asked.splice(0)).toEqual([{ argv: ["s.py", "--fast"] }, { argv: ["s.py"] }]);
  });

  test("says what to type for a script that is not here, and for arguments of functions", async () => {
    const missing = await here.gc(["run", "none.py", "1"]);
    expect(missing.code).toBe(125);
    expect(missing.stderr).toContain('There is no script "none.py" here');
    expect(missing.stderr).toContain("gc run -- python3 none.py 1");
    const stray = await here.gc(["run", "--args", "[1]", "s.py"]);
    expect(stray.stderr).toContain("the arguments of a script are the words after it");
    expect(asked).toEqual([]);
  });
});
